"""What a function file tells: its name and what it may be written with."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final, Literal, Protocol

import polars as pl

from tailrace.query import sums

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tailrace.query.samples import Samples
    from tailrace.query.syntax import Grouping

Measure = Literal["lines", "bytes"]

VALUE: Final = pl.col("_value")
"""The unwrapped values of a window."""
TIME: Final = pl.col("_time_ns")
"""The times of their lines."""
FROM: Final = pl.col("_from_ns")
"""Where their window begins; that moment is not in it."""
EASE: Final = 2.0**64
"""What the values of `_eased` are divided by: their sum is finite where that of large numbers is not."""
TOTALS: Final[Mapping[str, pl.Expr]] = {
    "_sum": pl.col("_sum").sum(),
    "_eased": pl.col("_eased").sum(),
    "_count": pl.col("_count").sum(),
    "_min": pl.col("_min").min(),
    "_max": pl.col("_max").max(),
    **sums.MERGED,
}
"""The totals of parts of a window, and how those of several parts become one."""


def over(amount: pl.Expr, divisor: float) -> pl.Expr:
    """Divide an aggregate of each window by a number, rounded once: by a scalar Polars would multiply by its inverse.

    49 / 49 gave 0.9999999999999999; what is made of a length is no scalar.
    """
    return amount / (pl.len() * 0 + divisor)


class RangeFunction(Protocol):
    """A function over a range, as `rate({…} [5m])`."""

    name: ClassVar[str]
    grouping: ClassVar[bool]
    """Whether `by` or `without` may follow."""
    parameter: ClassVar[str]
    """What stands before the range, in words; empty when nothing does."""


class LinesFunction(RangeFunction, Protocol):
    """A function over the lines of a range."""

    measure: ClassVar[Measure]
    """What is summed over the lines of a window."""

    @staticmethod
    def value(total: pl.Expr, range_s: float) -> pl.Expr:
        """Return the sample of a window from its total and its length."""
        ...


class Taken(Protocol):
    """What is taken of unwrapped values."""

    totals: ClassVar[tuple[str, ...]]
    """The totals of parts of a window, beside `_count`, that are enough: of `TOTALS`. None if it takes the values."""
    ordered: ClassVar[bool]
    """Whether `VALUE` and `TIME` come in the order of time; of equal times as they stand in their files or pushes."""


class ValuesFunction(RangeFunction, Taken, Protocol):
    """A function over the values of an unwrapped label."""

    additive: ClassVar[bool]
    """Whether the values of several series may be taken as those of one: true of sums."""

    @staticmethod
    def value(range_ns: int, parameter: float | None) -> pl.Expr:
        """Return the sample of a window, from its totals or from `VALUE`, `TIME` and `FROM`."""
        ...


class VectorFunction(Protocol):
    """A function over series, as `sum by (level) (…)`."""

    name: ClassVar[str]
    grouping: ClassVar[bool]
    """Whether `by` or `without` may stand beside it."""
    parameter: ClassVar[str]
    """What stands before the operand, in words; empty when nothing does."""
    narrows: ClassVar[bool]
    """Whether groups may be formed before their series are: true of sums, since totals of lines add up."""

    @staticmethod
    def apply(samples: Samples, grouping: Grouping | None, parameter: float | None) -> Samples:
        """Return the aggregated samples."""
        ...
