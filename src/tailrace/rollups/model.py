"""What a metric is: a query with a name, whose partial results are kept up to date.

A metric is immutable; to change it, delete it and make it anew. Its numbers are kept per bucket, right-closed as the
windows of queries are: the bucket that ends at `b` holds the lines of `(b - bucket, b]`. Pure.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tailrace.clock import NS_PER_S
from tailrace.errors import QueryError
from tailrace.query.parser import parse
from tailrace.query.syntax import Binary, LabelReplace, LogQuery, RangeAggregation, VectorAggregation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tailrace.query.syntax import Metric as Expression
    from tailrace.rollups.forms import Form

NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_:.-]{0,199}")
"""What a metric may be called."""

BUCKET_NS: Final = 60 * NS_PER_S
"""The longest bucket that is chosen unasked: what most dashboards and rules step by."""

EVER: Final = 0
"""`Metric.since_ns` of a metric that is filled from all lines that there are."""


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric as it was created."""

    name: str
    expr: str  # LogQL, as it was written or made of the form
    bucket_ns: int
    period_ns: int  # how far apart its values are shown
    since_ns: int  # lines from here on are filled in; EVER: all
    uid: str = ""  # of this creation: a metric made anew under an old name has nothing of the old one
    created_ns: int = 0
    form: Form | None = None  # statistic, property and so on, if it was made of these


def leaves(expression: Expression) -> Iterator[RangeAggregation]:
    """Yield the range aggregations of a query, left to right."""
    match expression:
        case RangeAggregation():
            yield expression
        case VectorAggregation() | LabelReplace():
            yield from leaves(expression.operand)
        case Binary():
            yield from leaves(expression.left)
            yield from leaves(expression.right)


def metric_of(
    name: str,
    expr: str,
    *,
    bucket_ns: int | None = None,
    period_ns: int | None = None,
    since_ns: int = EVER,
    form: Form | None = None,
) -> Metric:
    """Return a metric that can be kept; `QueryError` says why one cannot.

    Without a bucket it is the longest that all ranges, and the period, are multiples of, a minute at most; without a
    period, it is the shortest of the ranges.
    """
    if not NAME.fullmatch(name):
        hint = "letters, digits and _ : . -, beginning with a letter, as in errors_by_host"
        raise QueryError(f"{name[:60]!r} is no name for a metric", hint=hint)
    query = parse(expr)
    if isinstance(query, LogQuery):
        raise QueryError("a log query gives lines, not numbers", query=expr, hint=f"as in count_over_time({expr} [1m])")
    ranges = [leaf.range for leaf in leaves(query)]
    if not ranges:
        raise QueryError("the query reads no lines: there is nothing to keep", query=expr)
    step = math.gcd(*(one.range_ns for one in ranges), *(one.offset_ns for one in ranges))
    period_ns = min(one.range_ns for one in ranges) if period_ns is None else period_ns
    bucket_ns = math.gcd(step, period_ns, BUCKET_NS) if bucket_ns is None else bucket_ns
    if bucket_ns < NS_PER_S or step % bucket_ns:
        hint = "ranges and offsets are whole multiples of the bucket, which is a second at least"
        raise QueryError(f"a bucket of {bucket_ns / NS_PER_S:g} s does not fit the query", query=expr, hint=hint)
    if period_ns <= 0 or period_ns % bucket_ns:
        hint = f"it is a multiple of the bucket, {bucket_ns / NS_PER_S:g} s"
        raise QueryError(f"a period of {period_ns / NS_PER_S:g} s does not fit the metric", hint=hint)
    return Metric(name, expr, bucket_ns, period_ns, since_ns, form=form)
