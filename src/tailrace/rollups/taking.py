"""What one taking makes of a view: new rows, and which rows do not hold any more or outlive their lines."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import polars as pl

from tailrace.rollups.spans import inside, union
from tailrace.rollups.table import scan

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tailrace.rollups.marks import Mark
    from tailrace.rollups.spans import Span
    from tailrace.rollups.table import RollupSnapshot


@dataclass(frozen=True, slots=True)
class Taken:
    """What is taken into one view."""

    view: str
    mark: Mark
    rows: pl.DataFrame = field(repr=False)
    spoiled: tuple[Span, ...] = ()  # here rows of lines that the table `logs` has do not hold any more
    retired: tuple[Span, ...] = ()  # here no line of the view is left: its rows outlive them

    def held(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Return the rows of the view that hold, marked as retired where they are; rows of others stay as they are."""
        mine, end = pl.col("view") == self.view, pl.col("end_ns")
        if "retired" not in rows.columns:
            rows = rows.with_columns(retired=pl.lit(value=False))
        retired = pl.col("retired").fill_null(value=False) | (mine & inside(end, self.retired))
        return rows.with_columns(retired=retired).filter(~(mine & inside(end, self.spoiled)) | pl.col("retired"))


def rewritten(seen: RollupSnapshot, taken: Sequence[Taken]) -> tuple[pl.DataFrame, list[tuple[str, pl.DataFrame]]]:
    """Return the files of which rows do not stay as they are, and what is to stand in their place."""
    removed, kept = seen.files.clear(), list[tuple[str, pl.DataFrame]]()
    spans = union(span for one in taken for span in (*one.spoiled, *one.retired))
    if not spans:
        return removed, kept
    files = seen.rows_files().filter(pl.col("last_ns") > spans[0][0], pl.col("first_ns") <= spans[-1][1])
    for one in files.iter_slices(1):
        rows = scan([one["path"].item()]).collect()
        left = rows
        for view in taken:
            left = view.held(left)
        if not left.equals(rows):
            removed = pl.concat([removed, one])
            kept.append((one["part"].item(), left))
    return removed, kept
