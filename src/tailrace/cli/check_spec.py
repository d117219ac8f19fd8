"""`tailrace check spec`: the mistakes of a spec, and what it would do to a sample."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from tailrace.cli import output

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tailrace.reduce.spec import Spec
    from tailrace.reduce.traceleft.trial import FilterTrial
    from tailrace.reduce.trial import StepTrial, Trial, Volume


def load(file: Path) -> Spec:
    """Return the spec of a file: one of its own, or a configuration with the key `spec`."""
    from tailrace.config.document import read_document
    from tailrace.config.load import load as load_config
    from tailrace.config.spec import load_spec
    from tailrace.config.text import text_of

    value = read_document(text_of(file), {}).value
    if isinstance(value, dict) and "spec" in value:
        return load_config(file).spec
    return load_spec(file)


def try_out(spec: Spec, sample: Sequence[Path], form: str, examples: int) -> Trial:
    """Return what a spec does to files."""
    from tailrace.cli.sample import frames
    from tailrace.reduce.trial import trial

    return trial(spec, frames(sample, form, spec.parsers), examples=examples)


def as_json(done: Trial) -> dict[str, object]:
    """Return a trial as JSON takes it."""
    return asdict(done)


def show(done: Trial) -> None:
    """Print what a spec did to a sample."""
    output.line(f"sample: {done.lines:,} lines, {output.size(done.bytes)}")
    for name, count in sorted(done.formats.items(), key=lambda pair: (-pair[1], pair[0])):
        output.line(f"  read as {name}: {count:,} rows ({_share(count, done.before.rows)})")
    for name, count in sorted(done.errors.items(), key=lambda pair: (-pair[1], pair[0])):
        output.line(f"  did not fit, {name}: {count:,} rows ({_share(count, done.before.rows)})")
    for one in done.filters:
        _show_filter(one)
    for name, (lines, size) in done.reduced.items():
        output.line(f"ended in filters, under {name}: {lines:,} lines, {output.size(size)}")
    for name, count in done.series.items():
        output.line(f"metric {name}: {count:,} series")
    for step in done.steps:
        _show_step(step)
    output.line(f"kept: {_change(done.before, done.kept)}")


def said(spec: Spec) -> str:
    """Return what a spec has, in a few words."""
    parts = [_several(len(spec.steps), "step")]
    if spec.aggregation is not None:
        filters = _several(len(spec.aggregation.events), "event filter")
        parts = [filters, *parts] if spec.steps else [filters]
    return ", ".join(parts)


def _several(count: int, what: str) -> str:
    return f"{count} {what}{'s' * (count != 1)}"


def _show_filter(one: FilterTrial) -> None:
    output.line(f"{one.name}: {one.event}, {one.rule or 'every one'}, to channel {one.channel}")
    events, taken, passed, alerts = (one.did.get(what, 0) for what in ("events", "taken", "passed", "alerts"))
    output.line(
        f"  {events:,} events → {taken:,} taken by the rule ({_share(taken, events)}) → {passed:,} passed "
        f"({_share(passed, events)}) → {_several(alerts, 'alert')}"
    )
    for text in one.examples:
        output.line(f"  + {text}")


def _show_step(step: StepTrial) -> None:
    output.line(f"{step.id}: {_change(step.before, step.after)}")
    for rule, count in zip(step.where, step.matched, strict=True):
        output.line(f"  {rule}: holds for {count:,} rows ({_share(count, step.before.rows)})")
    for name, (lines, size) in step.dropped.items():
        output.line(f"  dropped under {name}: {lines:,} lines, {output.size(size)}")
    for name, count in step.noted.items():
        output.line(f"  {name}: {count:,}")
    for text in step.examples:
        output.line(f"  - {text}")
    for text in step.made:
        output.line(f"  + {text}")


def _change(before: Volume, after: Volume) -> str:
    """Return two volumes and how much less the second one is."""
    rows = f"{before.rows:,} → {after.rows:,} rows ({_share(after.rows, before.rows)})"
    return f"{rows}, {output.size(before.bytes)} → {output.size(after.bytes)} ({_share(after.bytes, before.bytes)})"


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "0.0 %"
