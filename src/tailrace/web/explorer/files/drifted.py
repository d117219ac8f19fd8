"""How files differ from what they were: at a moment of the past, or in a signed baseline.

Comes in: a view of the twin, and another one or a baseline. Goes out: what `drift.compare` finds, with the values of
both sides. The twin knows what events told: hashes only if the source was told to make them, access lists and extended
attributes never; what one side does not know is no difference. Refuses a baseline with a signature that does not fit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.drift.compare import compare
from tailrace.drift.rules import ATTRIBUTES
from tailrace.twin import tree
from tailrace.twin.listing import rfc3339
from tailrace.twin.records import FILE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tailrace.drift.baseline import Baseline
    from tailrace.drift.compare import Drift
    from tailrace.twin.reading import View

ROWS_MOST: Final = 200
KINDS: Final = ("new", "removed", "changed", "renamed")
PATHS_MOST: Final = 300_000
"""Paths that are compared: of more, a folder further down is to be chosen."""

_TIMES: Final = ("file_mtime", "file_ctime")


@dataclass(frozen=True, slots=True)
class Row:
    """A path that differs; `changes` are attributes with their values before and after."""

    kind: str
    path: str
    old_path: str
    changes: list[tuple[str, str, str]]


@dataclass(frozen=True, slots=True)
class Drifted:
    """What differs, by kind; `rows` are the first of a page."""

    rows: list[Row]
    counts: dict[str, int]
    entries: int
    page: int
    total: int

    @property
    def pages(self) -> int:
        """How many pages there are."""
        return max(1, -(-self.total // ROWS_MOST))


def files(view: View, host: str, tops: Sequence[str]) -> pl.DataFrame:
    """Return what a view knows of the paths at and below some directories, in the columns that `compare` takes."""
    parts = [view.rows([host], top) for top in tops]
    columns = {f"file_{name.removesuffix('_ns')}": pl.col(name) for name in FILE}
    return (
        pl.concat(parts)
        .select(file_path=tree.native(pl.col("path")), **columns)
        .unique("file_path")
        .collect(engine="streaming")
    )


def between(old: pl.DataFrame, new: pl.DataFrame) -> Drift:
    """Compare two states of the twin."""
    return compare(old, new)


def from_baseline(baseline: Baseline, now: pl.DataFrame) -> Drift:
    """Compare a state of the twin with a baseline, by the rules that the baseline keeps."""
    times = [
        pl.col(name).str.to_datetime("%+", time_unit="ns", time_zone="UTC", strict=False).dt.epoch("ns")
        for name in _TIMES
        if name in baseline.files.columns
    ]
    old = baseline.files.with_columns(times)
    known = [name for name in ATTRIBUTES.values() if name in now.columns and now[name].null_count() < now.height]
    shared = [name for name in known if name in old.columns]
    silent = [name for name in ATTRIBUTES.values() if name not in shared]
    typed = [pl.col(name).cast(old.schema[name], strict=False) for name in shared]
    return compare(_without(old, silent), _without(now.with_columns(typed), silent), baseline.about.rules)


def _without(frame: pl.DataFrame, names: list[str]) -> pl.DataFrame:
    """Return a frame in which some attributes are not known."""
    return frame.with_columns(pl.lit(None, pl.String).alias(name) for name in names)


def page(drift: Drift, number: int, kind: str = "") -> Drifted:
    """Return a page of what differs, of one kind if that is named."""
    counts = dict(drift.rows["kind"].value_counts().iter_rows())
    rows = drift.rows.filter(kind=kind) if kind else drift.rows
    number = min(number, -(-rows.height // ROWS_MOST) or 1)
    shown = rows.slice((number - 1) * ROWS_MOST, ROWS_MOST)
    for side in ("old", "new"):
        named = [name for name in ("mtime", "ctime") if shown.schema.get(f"{side}.{name}") == pl.Int64]
        shown = shown.with_columns(rfc3339(pl.col(f"{side}.{name}")).alias(f"{side}.{name}") for name in named)
    ordered = {name: counts[name] for name in KINDS if name in counts}
    return Drifted([_row(row) for row in shown.iter_rows(named=True)], ordered, drift.entries, number, rows.height)


def _row(row: dict[str, object]) -> Row:
    names = str(row["attributes"]).split(",") if row["attributes"] else []
    values = [(name, _text(row[f"old.{name}"]), _text(row[f"new.{name}"])) for name in names]
    return Row(str(row["kind"]), str(row["path"]), str(row["old_path"] or ""), values)


def _text(value: object) -> str:
    return "" if value is None else str(value)
