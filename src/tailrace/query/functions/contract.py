"""What a function file tells: its name and what it may be written with."""

from __future__ import annotations

from typing import ClassVar, Literal, Protocol

Input = Literal["lines", "unwrap"]


class RangeFunction(Protocol):
    """A function over the lines of a range, as `rate({…} [5m])`."""

    name: ClassVar[str]
    inputs: ClassVar[frozenset[Input]]
    """What it takes: lines as they are, or the values of an unwrapped label."""
    grouping: ClassVar[bool]
    """Whether `by` or `without` may follow."""
    parameter: ClassVar[str]
    """What stands before the range, in words; empty when nothing does."""


class VectorFunction(Protocol):
    """A function over series, as `sum by (level) (…)`."""

    name: ClassVar[str]
    grouping: ClassVar[bool]
    """Whether `by` or `without` may stand beside it."""
    parameter: ClassVar[str]
    """What stands before the operand, in words; empty when nothing does."""
