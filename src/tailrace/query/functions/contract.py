"""What a function file tells: its name and what it may be written with."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal, Protocol

if TYPE_CHECKING:
    import polars as pl

    from tailrace.query.samples import Samples
    from tailrace.query.syntax import Grouping

Input = Literal["lines", "unwrap"]
Measure = Literal["lines", "bytes"]


class RangeFunction(Protocol):
    """A function over the lines of a range, as `rate({…} [5m])`."""

    name: ClassVar[str]
    inputs: ClassVar[frozenset[Input]]
    """What it takes: lines as they are, or the values of an unwrapped label."""
    grouping: ClassVar[bool]
    """Whether `by` or `without` may follow."""
    parameter: ClassVar[str]
    """What stands before the range, in words; empty when nothing does."""
    measure: ClassVar[Measure]
    """What is summed over the lines of a window."""

    @staticmethod
    def value(total: pl.Expr, range_s: float) -> pl.Expr:
        """Return the sample of a window from its total and its length."""
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
