"""Frames as a chain hands them to a reduction, and their reduction in any number of pieces."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import polars as pl
import yaml

from tailrace.batch import ENVELOPE, stack, stream_text
from tailrace.reduce.pipeline import Pipeline
from tailrace.reduce.spec import Spec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SECOND = 1_000_000_000
T0 = 1_767_225_600 * SECOND  # 2026-01-01T00:00:00Z
NOW = T0 + 86_400 * SECOND


def frame(rows: Sequence[Mapping[str, object]], streams: Sequence[str] = ("web", "db")) -> pl.DataFrame:
    """Return rows with the envelope: `t` is seconds after `T0`, `app` the label of the stream, the rest are fields."""
    table = []
    for number, row in enumerate(rows):
        given = dict(row)
        time_ns = T0 + round(float(given.pop("t", number)) * SECOND)
        line = str(given.pop("line", "x"))
        envelope = {
            "_time_ns": time_ns,
            "_observed_ns": NOW,
            "_stream": stream_text({"app": str(given.pop("app", streams[0]))}),
            "_line": line,
            "_level": given.pop("level", None),
            "_offset": number * 10,
            "_format": "plain",
            "_in_lines": 1,
            "_in_bytes": len(line) + 1,
        }
        table.append({**envelope, **given})
    schema = {name: ENVELOPE.get(name, pl.Int64()) for name in (table[0] if table else {}) if name.startswith("_")}
    return pl.DataFrame(table, schema_overrides=schema, infer_schema_length=None)


def pipeline(text: str) -> Pipeline:
    """Return the pipeline of a spec in YAML."""
    return Pipeline(Spec.model_validate(yaml.safe_load(text)))


def totals(dropped: Sequence[tuple[str, int, int]], into: dict[str, tuple[int, int]]) -> None:
    """Add what was dropped to a table."""
    for name, lines, size in dropped:
        before = into.get(name, (0, 0))
        into[name] = (before[0] + lines, before[1] + size)


def run(text: str, frames: Sequence[pl.DataFrame], *, restart: bool = False) -> tuple[list[dict], dict]:
    """Return all rows that come out, in order and without nulls, and what was dropped.

    With `restart` each frame meets a new pipeline that goes on from the marks, as they come back from a file.
    """
    reduction = pipeline(text)
    state: dict[str, object] = {}
    out: list[pl.DataFrame] = []
    dropped: dict[str, tuple[int, int]] = {}
    for each in frames:
        reduced = reduction.reduce(each, NOW)
        out.append(reduced.frame)
        totals(reduced.dropped, dropped)
        if restart:
            merge(state, reduction.mark())
            state = json.loads(json.dumps(state))
            reduction = pipeline(text)
            reduction.restore(state)
    reduced = reduction.flush(NOW, final=True)
    totals(reduced.dropped, dropped)
    parts = [part for part in [*out, reduced.frame] if len(part)]
    rows = stack(parts).to_dicts() if parts else []
    return [{name: value for name, value in row.items() if value is not None} for row in rows], dropped


def merge(state: dict[str, object], marks: Mapping[str, object]) -> None:
    """Apply marks to a state, as the checkpoint does."""
    for key, value in marks.items():
        if value is None:
            state.pop(key, None)
        else:
            state[key] = value
