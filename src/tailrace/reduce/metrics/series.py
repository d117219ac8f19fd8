"""The values of one series, and what they look like in a mark and to a scraper. Nothing here reads rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, cast

from tailrace.exposition import Exemplar, Histogram, Native, Point
from tailrace.limits import NATIVE_BUCKETS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SCHEMA: Final = 3
"""Native buckets begin eight to a power of two: each is 9 % wider than the one before."""

ZERO_THRESHOLD: Final = 2.0**-128
"""Values up to here are taken for zero, as Prometheus' own clients do."""

_COARSEST: Final = -4


@dataclass(slots=True)
class Buckets:
    """Native buckets by index; coarser ones when there would be too many."""

    schema: int = SCHEMA
    zero: int = 0
    positive: dict[int, int] = field(default_factory=dict)
    negative: dict[int, int] = field(default_factory=dict)

    def add(self, side: int, index: int, count: int) -> None:
        """Count values of a bucket of `SCHEMA`; `side` is 1, 0 or -1."""
        if not side:
            self.zero += count
            return
        buckets = self.positive if side > 0 else self.negative
        coarse = _coarser(index, SCHEMA - self.schema)
        buckets[coarse] = buckets.get(coarse, 0) + count
        while len(self.positive) + len(self.negative) > NATIVE_BUCKETS and self.schema > _COARSEST:
            self.schema -= 1
            self.positive = _merged(self.positive)
            self.negative = _merged(self.negative)


def _coarser(index: int, steps: int) -> int:
    """Return the bucket that a bucket lies in when the width was doubled so often.

    >>> [_coarser(index, 1) for index in (-1, 0, 1, 2, 3)]
    [0, 0, 1, 1, 2]
    """
    return -(-index >> steps)


def _merged(buckets: Mapping[int, int]) -> dict[int, int]:
    merged: dict[int, int] = {}
    for index, count in buckets.items():
        coarse = _coarser(index, 1)
        merged[coarse] = merged.get(coarse, 0) + count
    return merged


@dataclass(slots=True)
class Series:
    """One series: `value` is the number shown, or the count of a histogram."""

    labels: tuple[str, ...]
    created_ns: int
    seen_ns: int
    value: float = 0
    sum: float = 0
    counts: list[int] = field(default_factory=list)  # per classic bucket, the last one for what is above all bounds
    native: Buckets | None = None
    previous: float | None = None  # of a delta
    exemplars: dict[int, Exemplar] = field(default_factory=dict)  # by classic bucket; 0 for a counter

    def state(self) -> dict[str, object]:
        """Return what a mark keeps, without what is as at the beginning."""
        state: dict[str, object] = {"v": self.value, "c": self.created_ns, "t": self.seen_ns}
        if self.counts or self.native is not None:
            state |= {"s": self.sum, "b": self.counts}
        if self.native is not None:
            one = self.native
            state["n"] = [one.schema, one.zero, sorted(one.positive.items()), sorted(one.negative.items())]
        if self.previous is not None:
            state["p"] = self.previous
        if self.exemplars:
            state["e"] = [[i, dict(e.labels), e.value, e.time_ns] for i, e in self.exemplars.items()]
        return state

    @classmethod
    def of(cls, labels: tuple[str, ...], state: object) -> Series:
        """Return a series as a mark tells; raises `KeyError`, `TypeError` or `ValueError` if it does not."""
        fields = cast("dict[str, Any]", state)  # JSON of our own making; a foreign one fails in the next lines
        native = None
        if "n" in fields:
            schema, zero, positive, negative = fields["n"]
            native = Buckets(int(schema), int(zero), _counts(positive), _counts(negative))
        exemplars = {int(i): Exemplar(dict(names), float(v), t) for i, names, v, t in fields.get("e", ())}
        return cls(
            labels=labels,
            created_ns=int(fields["c"]),
            seen_ns=int(fields["t"]),
            value=_number(fields["v"]),
            sum=_number(fields.get("s", 0)),
            counts=[int(count) for count in fields.get("b", ())],
            native=native,
            previous=None if fields.get("p") is None else _number(fields["p"]),
            exemplars=exemplars,
        )

    def point(self, names: Sequence[str], bounds: Sequence[float], *, histogram: bool) -> Point:
        """Return a copy as a scraper sees it."""
        labels = {name: value for name, value in zip(names, self.labels, strict=True) if value}
        if not histogram:
            return Point(labels, self.value, self.created_ns, self.exemplars.get(0))
        native = None
        if self.native is not None:
            one = self.native
            native = Native(one.schema, ZERO_THRESHOLD, one.zero, dict(one.positive), dict(one.negative))
        shown = Histogram(int(self.value), self.sum, bounds, tuple(self.counts), dict(self.exemplars), native)
        return Point(labels, shown, self.created_ns)


def _counts(pairs: Any) -> dict[int, int]:  # a list of pairs, or what breaks here
    return {int(index): int(count) for index, count in pairs}


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{value!r} is no number")
    return value
