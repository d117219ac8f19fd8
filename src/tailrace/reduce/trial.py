"""Try a spec on a sample: what each step would do to it, in rows, lines and bytes, with examples.

Comes in: a spec and the frames of a sample. Goes out: a `Trial`. Nothing is stored, sent or remembered.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.batch import ENVELOPE, stack
from tailrace.reduce.pipeline import Pipeline
from tailrace.reduce.step import Held
from tailrace.reduce.traceleft.trial import FilterTrials

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tailrace.reduce.spec import Spec
    from tailrace.reduce.step import Step
    from tailrace.reduce.traceleft.trial import FilterTrial

_HELPERS: Final = ("_in_lines", "_in_bytes")


@dataclass(frozen=True, slots=True)
class Volume:
    """How much there is: rows, and the text of their lines and fields in bytes."""

    rows: int = 0
    bytes: int = 0

    def __add__(self, other: Volume) -> Volume:
        return Volume(self.rows + other.rows, self.bytes + other.bytes)


@dataclass(slots=True)
class StepTrial:
    """What one step did to the sample."""

    id: str
    type: str
    where: list[str]  # its rules
    matched: list[int]  # rows for which each rule held
    before: Volume = field(default_factory=Volume)
    after: Volume = field(default_factory=Volume)
    dropped: dict[str, tuple[int, int]] = field(default_factory=dict)  # lines and bytes of input by id
    noted: dict[str, int] = field(default_factory=dict)  # late rows, keys beyond a bound
    examples: list[str] = field(default_factory=list)  # of lines that went in and did not come out
    made: list[str] = field(default_factory=list)  # of lines that the step made


@dataclass(slots=True)
class Trial:
    """What a spec did to a sample."""

    steps: list[StepTrial]
    filters: list[FilterTrial] = field(default_factory=list)
    reduced: dict[str, tuple[int, int]] = field(default_factory=dict)  # lines and bytes that ended in filters
    lines: int = 0
    bytes: int = 0
    before: Volume = field(default_factory=Volume)
    kept: Volume = field(default_factory=Volume)
    formats: dict[str, int] = field(default_factory=dict)  # rows by format
    errors: dict[str, int] = field(default_factory=dict)  # rows by what did not fit
    series: dict[str, int] = field(default_factory=dict)  # of each metric
    warnings: list[str] = field(default_factory=list)

    def take(self, frame: pl.DataFrame) -> None:
        """Count what there is before the first step."""
        self.lines += int(frame["_in_lines"].sum())
        self.bytes += int(frame["_in_bytes"].sum())
        self.before += volume(frame)
        for column, counts in (("_format", self.formats), ("_error", self.errors)):
            if column in frame.columns:
                for value, count in frame[column].drop_nulls().value_counts().iter_rows():
                    counts[value] = counts.get(value, 0) + count


def trial(spec: Spec, frames: Iterable[pl.DataFrame], *, examples: int = 0) -> Trial:
    """Return what a spec does to the frames of a sample."""
    pipeline = Pipeline(spec)
    filters = None if spec.aggregation is None else FilterTrials(spec.aggregation, examples)
    tried = [
        StepTrial(step.id, settings.type, [rule.text for rule in step.rules], [0] * len(step.rules))
        for step, settings in zip(pipeline.steps, spec.steps, strict=True)
    ]
    done = Trial(steps=tried)
    now_ns = 0
    for whole in frames:
        if not len(whole):
            continue
        now_ns = max(now_ns, *whole.select(pl.col("_observed_ns").max()).row(0))
        done.take(whole)
        frame = whole if filters is None else filters.take(whole, now_ns)
        pipeline.metrics.observe(frame, now_ns)
        for step, found in zip(pipeline.steps, tried, strict=True):
            frame = _apply(step, found, frame, now_ns, examples)
        done.kept += volume(frame)
        pipeline.edition()()
    frame = pl.DataFrame()
    for step, found in zip(pipeline.steps, tried, strict=True):
        frame = _apply(step, found, frame, now_ns, examples)
        due = step.flush(now_ns, final=True) if isinstance(step, Held) else None
        if due is not None and len(due):
            _made(found, due, examples)
            frame = stack([frame, due]) if len(frame) else due
        found.noted = dict(step.counters) if isinstance(step, Held) else {}
    done.kept += volume(frame)
    pipeline.metrics.flush(now_ns)
    pipeline.edition()()
    declared = [metric.name for metric in spec.metrics]
    points = {family.name: len(family.points) for family in pipeline.metrics.families()}
    done.series = {name: points.get(name, 0) for name in declared}
    done.warnings = [*spec.warnings, *_warnings(pipeline)]
    if filters is not None:
        done.filters, done.reduced = filters.end(now_ns)
        done.warnings += [
            f"$.{one.name}: nothing in the sample is an event {one.event!r}"
            for one in done.filters
            if not one.did.get("events")
        ]
    return done


def volume(frame: pl.DataFrame) -> Volume:
    """Return the rows of a frame, and the bytes of their text; numbers count as their digits do."""
    if not len(frame):
        return Volume()
    columns = [name for name in frame.columns if name in {"_line", "_more"} or name not in {*ENVELOPE, *_HELPERS}]
    sizes = frame.select(pl.col(columns).cast(pl.String, strict=False).str.len_bytes().sum())
    return Volume(len(frame), int(sum(sizes.row(0))))


def _apply(step: Step, found: StepTrial, frame: pl.DataFrame, now_ns: int, examples: int) -> pl.DataFrame:
    if not len(frame):
        return frame
    for index, rule in enumerate(step.rules):
        found.matched[index] += int(rule.mask(frame).sum())
    reduced = step.apply(frame, now_ns)
    found.before += volume(frame)
    found.after += volume(reduced.frame)
    for name, lines, size in reduced.dropped:
        had = found.dropped.get(name, (0, 0))
        found.dropped[name] = (had[0] + lines, had[1] + size)
    if reduced.dropped:
        found.examples += _only_in(frame, reduced.frame, examples - len(found.examples))
    found.made += _only_in(reduced.frame, frame, examples - len(found.made))
    return reduced.frame


def _only_in(frame: pl.DataFrame, other: pl.DataFrame, most: int) -> list[str]:
    """Return some lines of rows that another frame does not have."""
    if most <= 0:
        return []
    place = [name for name in ("_stream", "_offset", "_time_ns") if name in frame.columns and name in other.columns]
    rows = frame.join(other, on=place, how="anti", nulls_equal=True) if place and len(other) else frame
    return rows["_line"].head(most).to_list() if len(rows) else []


def _made(found: StepTrial, frame: pl.DataFrame, examples: int) -> None:
    found.after += volume(frame)
    found.made += frame["_line"].head(max(0, examples - len(found.made))).to_list()


def _warnings(pipeline: Pipeline) -> list[str]:
    return [
        f"$.steps[{number}]: nothing in the sample is called {name!r} (in {rule.text!r})"
        for number, step in enumerate(pipeline.steps)
        for rule in step.rules
        for name in sorted(rule.unseen)
    ]
