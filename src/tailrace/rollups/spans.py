"""Spans of time and what is left of them. Pure.

A span `(low, high)` holds the times `low < t <= high`, as buckets do; spans of a list are apart and rise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import polars as pl

Span: TypeAlias = "tuple[int, int]"

EVER_NS: Final = 2**62
"""Beyond every time of a line, on both sides."""


def union(spans: Iterable[Span]) -> list[Span]:
    """Return the spans, joined where they meet.

    >>> union([(5, 7), (0, 2), (2, 3), (6, 9), (4, 4)])
    [(0, 3), (5, 9)]
    """
    found: list[Span] = []
    for low, high in sorted(span for span in spans if span[0] < span[1]):
        if found and low <= found[-1][1]:
            found[-1] = (found[-1][0], max(high, found[-1][1]))
        else:
            found.append((low, high))
    return found


def without(spans: Sequence[Span], gone: Sequence[Span]) -> list[Span]:
    """Return what is left of spans.

    >>> without([(0, 10)], [(2, 3), (8, 20)])
    [(0, 2), (3, 8)]
    """
    left: list[Span] = []
    gone = union(gone)
    for low, high in union(spans):
        at = low
        for start, end in gone:
            if end <= at or start >= high:
                continue
            left.append((at, start))
            at = max(at, end)
        left.append((at, high))
    return union(span for span in left if span[0] < span[1])


def common(spans: Sequence[Span], others: Sequence[Span]) -> list[Span]:
    """Return what lies in both.

    >>> common([(0, 4), (6, 9)], [(3, 7)])
    [(3, 4), (6, 7)]
    """
    return without(spans, without([(-EVER_NS, EVER_NS)], others))


def buckets(first_ns: int, last_ns: int, bucket_ns: int) -> Span:
    """Return the span of the buckets that times from one to another lie in.

    >>> buckets(10, 20, 10), buckets(11, 21, 10)
    ((0, 20), (10, 30))
    """
    return -(-first_ns // bucket_ns) * bucket_ns - bucket_ns, -(-last_ns // bucket_ns) * bucket_ns


def inside(column: pl.Expr, spans: Sequence[Span]) -> pl.Expr:
    """Tell which times lie in any of the spans."""
    found = column.is_null() & column.is_not_null()  # false, as long as the column
    for low, high in spans:
        found |= (column > low) & (column <= high)
    return found
