"""Metrics as values: families of points, made once per cut and never changed.

A counter's family has its whole name, `http_requests_total`; formats that name the family without the suffix take it
off. Times are nanoseconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Type = Literal["counter", "gauge", "histogram"]

EXEMPLAR_CHARACTERS: Final = 128
"""OpenMetrics: characters of all names and values of an exemplar's labels together."""


@dataclass(frozen=True, slots=True)
class Exemplar:
    """One event behind a value: where to find it, and what it counted."""

    labels: Mapping[str, str]
    value: float
    time_ns: int | None = None

    @property
    def fits(self) -> bool:
        """Whether its labels are short enough to be shown."""
        return sum(len(name) + len(value) for name, value in self.labels.items()) <= EXEMPLAR_CHARACTERS


@dataclass(frozen=True, slots=True)
class Native:
    """The buckets of a native histogram: bucket `i` holds values in (base**(i-1), base**i], base = 2**2**-schema."""

    schema: int
    zero_threshold: float
    zero_count: int
    positive: Mapping[int, int]
    negative: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class Histogram:
    """A distribution; `counts` has one number per bound, not accumulated, and one more for what is above them all."""

    count: int
    sum: float
    bounds: Sequence[float] = ()
    counts: Sequence[int] = ()
    exemplars: Mapping[int, Exemplar] | None = None  # by bucket
    native: Native | None = None


@dataclass(frozen=True, slots=True)
class Point:
    """The value of one series."""

    labels: Mapping[str, str]
    value: float | Histogram
    created_ns: int | None = None
    exemplar: Exemplar | None = None


@dataclass(frozen=True, slots=True)
class Family:
    """All series of one metric."""

    name: str
    type: Type
    help: str
    points: Sequence[Point]
    unit: str = ""
