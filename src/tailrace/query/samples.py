"""Samples on a grid: what functions and operators of metric queries work on.

A frame with one row per series and grid point: `step` (index of the point), `value`, and one String
column `label.<name>` per label, null where the series lacks it. Small: it was aggregated where the data lies.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import polars as pl

if TYPE_CHECKING:
    from tailrace.query.syntax import Grouping

LABEL: Final = "label."
EMPTY: Final = pl.DataFrame(schema={"step": pl.Int64, "value": pl.Float64})


@dataclass(frozen=True, slots=True)
class Samples:
    """The samples of some series; `ordered` if the order of the rows is part of the answer.

    `among` is set if only the largest series are left: how many there were.
    """

    frame: pl.DataFrame
    ordered: bool = False
    among: int = 0

    @property
    def labels(self) -> list[str]:
        """The label columns, sorted."""
        return sorted(column for column in self.frame.columns if column.startswith(LABEL))

    def with_value(self, value: pl.Expr) -> Samples:
        """Return the samples with other values."""
        return replace(self, frame=self.frame.with_columns(value.alias("value")))

    def groups(self, grouping: Grouping | None) -> list[str]:
        """Return the label columns that name the groups of an aggregation."""
        if grouping is None:
            return []
        listed = {LABEL + name for name in grouping.labels}
        return [column for column in self.labels if (column in listed) != grouping.without]

    def grouped(self, grouping: Grouping | None, value: pl.Expr) -> Samples:
        """Aggregate each group of series at each point."""
        keys = self.groups(grouping)
        return Samples(self.frame.group_by(*keys, "step").agg(value.cast(pl.Float64).alias("value")))

    def by_value(self, *, largest: bool) -> Samples:
        """Put the samples of each point in the order of their values, NaN last."""
        last = [pl.col("value").is_nan(), pl.col("value") * (-1 if largest else 1)]
        return Samples(self.frame.sort("step", *last, *self._label_set(), maintain_order=True), ordered=True)

    def _label_set(self) -> list[pl.Expr]:
        """Return what orders series by their label sets as an answer has them: name after name, with its value."""
        parts = [
            pl.when(pl.col(column).is_not_null()).then(pl.format("{}\0{}\0", pl.lit(column), pl.col(column)))
            for column in self.labels
        ]
        return [pl.concat_str(parts, ignore_nulls=True)] if parts else []

    def ranked(self, grouping: Grouping | None, count: int, *, largest: bool) -> Samples:
        """Keep the `count` largest or smallest series of each group at each point; NaN loses, ties go by label set."""
        keys = self.groups(grouping)
        count = min(count, self.frame.height)  # it may be beyond any number of rows
        order = self._near_the_top(["step", *keys], count, largest=largest).sort(
            pl.col("value").is_nan(),
            pl.col("value") * (-1 if largest else 1),
            *self._label_set(),
            maintain_order=True,
        )
        return Samples(order.group_by("step", *keys, maintain_order=True).head(count).select(self.frame.columns))

    def _near_the_top(self, keys: list[str], count: int, *, largest: bool) -> pl.DataFrame:
        """Leave out what cannot be among the first, ties included: ordering label sets costs ten times more."""
        if count < 1:
            return self.frame
        value = pl.col("value").fill_nan(None)
        near = value >= value.top_k(count).min() if largest else value <= value.bottom_k(count).max()
        return self.frame.filter((near | (value.count() < count)).over(keys))
