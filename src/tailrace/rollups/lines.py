"""Partial results of a view from lines: of new files, of a span of time, or of both, by cells of any grid."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace import limits
from tailrace.errors import QueryError
from tailrace.query import leaf, unwrapped
from tailrace.query.grid import Cells, Grid
from tailrace.query.samples import LABEL
from tailrace.rollups import label_sets, sketches, states

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tailrace.contracts import Segments, Snapshot
    from tailrace.query.reads import Reading
    from tailrace.rollups.spans import Span
    from tailrace.rollups.views import View

_ROOM: Final = 500_000
"""Rows of partial results that are gathered before equal ones are merged."""


def of_lines(
    view: View,
    cells: Cells,
    snapshot: Snapshot,
    reading: Reading,
    segments: Segments | None = None,
    *,
    bounded: bool = True,
) -> pl.DataFrame:
    """Return label columns, keys of cells, and states, of the lines of all segments or of some.

    Where these would have too many values they are sketches if they are to be `bounded`.
    """
    if view.needs.counted:
        counted = leaf.pieces(view.aggregation, view.needs, cells, snapshot, reading, segments)
        return _gathered((_items(view, piece) for piece in counted), view, bounded=bounded)
    if view.aggregation.range.unwrap is None:
        totals = leaf.totals(view.aggregation, view.needs, cells, snapshot, reading, segments)
        kept = view.kind.columns
        return pl.DataFrame() if totals is None else totals.drop(c for c in leaf.TOTALS if c not in kept)
    kind = view.kind
    pieces = unwrapped.pieces(view.aggregation, view.needs, cells, snapshot, reading, kind.taken, segments)
    if kind.whole:
        found = [piece for piece in pieces if piece.height]
        whole = pl.concat(found, how="diagonal") if found else pl.DataFrame()
        return states.made(kind, whole, keys(whole)) if found else whole
    made = (states.made(kind, piece, keys(piece)) for piece in pieces if piece.height)
    return _gathered(made, view, bounded=bounded)


def _items(view: View, piece: pl.DataFrame) -> pl.DataFrame:
    """Return the states of totals of lines whose labels are counted."""
    counted = view.needs.counted
    return sketches.items(piece, counted, [name for name in keys(piece) if name.removeprefix(LABEL) not in counted])


def _gathered(pieces: Iterable[pl.DataFrame], view: View, *, bounded: bool) -> pl.DataFrame:
    """Merge states as they come."""
    gathered, room = list[pl.DataFrame](), _ROOM
    for piece in pieces:
        gathered.append(piece)
        if sum(one.height for one in gathered) > room:
            gathered = [merged(view, gathered, bounded=bounded)]
            room = max(_ROOM, 2 * gathered[0].height)
    return merged(view, gathered, bounded=bounded)


def keys(frame: pl.DataFrame) -> list[str]:
    """Return the columns that tell states apart: labels, and keys of cells."""
    return [*label_sets.columns(frame), *(column for column in leaf.CELL if column in frame.columns)]


def merged(view: View, found: list[pl.DataFrame], *, bounded: bool = True) -> pl.DataFrame:
    """Return one state for each label set and cell."""
    found = [frame for frame in found if frame.height]
    if not found:
        return pl.DataFrame()
    whole = pl.concat(found, how="diagonal")
    return states.merged(view.kind, whole, keys(whole), bounded=bounded)


def by_bucket(view: View, span: Span, snapshot: Snapshot, reading: Reading, segments: Segments | None) -> pl.DataFrame:
    """Return rows for the table: `view`, `end_ns`, `labels` and states, of the lines in a span of whole buckets."""
    low, high = span
    step = view.bucket_ns
    grid = Grid(low + step, step, max(2, (high - low) // step))  # of one point alone, lines would have no key
    found = of_lines(view, replace(Cells(grid, step, 0), until_ns=high + 1), snapshot, reading, segments)
    if not found.height:
        return found
    sets = label_sets.columns(found)
    if sets and found.select(sets).n_unique() > limits.ROLLUP_SETS:
        hint = "group by few labels: sum by (…) (…)"
        raise QueryError(f"the metric has more than {limits.ROLLUP_SETS} label sets at once", hint=hint)
    ends = pl.col("lo") * step + (low + step)
    return label_sets.to_text(found.with_columns(end_ns=ends, view=pl.lit(view.key)).drop("lo"))
