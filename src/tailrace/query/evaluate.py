"""Evaluate a metric query: range aggregations where the data lies, all above them on small frames.

Literals fold before anything is read. `x / 0` and `x % 0` are NaN, `%` takes the sign of its left side.
Comparisons filter and keep the vector's value; with `bool` they give 1 and 0.
"""

from __future__ import annotations

import math
import operator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, TypeAlias

import polars as pl

from tailrace.errors import QueryError
from tailrace.query import functions, leaf, named, regexes, unwrapped, values
from tailrace.query.grid import Cells
from tailrace.query.needs import Needs
from tailrace.query.pairing import combined, paired
from tailrace.query.samples import EMPTY, LABEL, Samples
from tailrace.query.syntax import (
    COMPARISONS,
    SETS,
    Binary,
    LabelReplace,
    Named,
    Number,
    RangeAggregation,
    Vector,
    VectorAggregation,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from tailrace.contracts import Snapshot
    from tailrace.query.grid import Grid
    from tailrace.query.reads import Reading
    from tailrace.query.syntax import Grouping, Metric

Value: TypeAlias = "float | Samples"

_COMPARE: Final[Mapping[str, Callable[[pl.Expr, pl.Expr], pl.Expr]]] = {
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}


def _nothing(_metric: Metric, _needs: Needs) -> None:
    return None


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Where a query is evaluated: a grid, a table at one version, and a reading.

    `given` answers parts of the query, with the labels that are needed of them, in the place of the table; None for
    those that it leaves.
    """

    grid: Grid
    snapshot: Callable[[], Snapshot]  # asked for by range aggregations only: literals touch no storage
    reading: Reading
    given: Callable[[Metric, Needs], Value | None] = _nothing

    def value(self, metric: Metric, largest: int = 0) -> Value:
        """Return the number, or the samples, of an expression.

        With `largest`, a sum of totals of lines has so many series only, those with the largest totals, and says among
        how many: the others are left out before windows are made of them. What else there is comes whole.
        """
        if largest and isinstance(metric, VectorAggregation) and _sums_lines(metric):
            operand = self.needed(metric.operand, replace(grouped(metric.grouping), largest=largest))
            assert isinstance(operand, Samples)
            return replace(functions.VECTOR[metric.function].apply(operand, metric.grouping, None), among=operand.among)
        return self.needed(metric, Needs(every=True))

    def needed(self, metric: Metric, needs: Needs) -> Value:
        """Return the number, or the samples with the labels that are needed, of an expression."""
        given = self.given(metric, needs)
        return self._value(metric, needs) if given is None else given

    def _value(self, metric: Metric, needs: Needs) -> Value:
        if isinstance(metric, Number):
            return metric.value
        if isinstance(metric, Vector | RangeAggregation | Named):
            return self._leaf(metric, needs)
        if isinstance(metric, VectorAggregation):
            return self._aggregate(metric)
        if isinstance(metric, LabelReplace):
            operand = self.needed(metric.operand, Needs(every=True))
            assert isinstance(operand, Samples)
            return _replaced(metric, operand)
        left, right = self.needed(metric.left, Needs(every=True)), self.needed(metric.right, Needs(every=True))
        return _binary(metric, left, right)

    def _leaf(self, metric: Vector | RangeAggregation | Named, needs: Needs) -> Samples:
        if isinstance(metric, Vector):
            steps = pl.int_range(self.grid.points, dtype=pl.Int64, eager=True)
            return Samples(pl.DataFrame({"step": steps}).with_columns(value=pl.lit(metric.value, pl.Float64)))
        if isinstance(metric, RangeAggregation):
            return self._range(metric, needs, Cells(self.grid, metric.range.range_ns, metric.range.offset_ns))
        if self.reading.recorded is None:
            raise QueryError(f"recorded series are not known here, so neither is {metric.name}", position=metric.at)
        return named.on_grid(metric, self.reading.recorded, self.grid)

    def _range(self, metric: RangeAggregation, needs: Needs, cells: Cells) -> Samples:
        if metric.function == functions.ABSENT:
            return self._absent(metric, cells)
        if (kept := self.reading.kept) is not None:
            found = kept.samples(metric, needs, cells, self.snapshot(), self.reading)
            if found is not None:
                return found
        read = unwrapped.samples if metric.range.unwrap else leaf.samples
        return read(metric, needs, cells, self.snapshot(), self.reading)

    def _absent(self, metric: RangeAggregation, cells: Cells) -> Samples:
        """Return 1 at each point whose window is empty, under the labels that the selector fixes."""
        present = self._range(replace(metric, function=_presence(metric)), Needs(), cells)
        steps = pl.DataFrame({"step": pl.int_range(self.grid.points, dtype=pl.Int64, eager=True)})
        missing = steps.join(present.frame.select("step"), on="step", how="anti")
        matchers = metric.range.log.selector.matchers
        fixed = [m for m in matchers if m.op == "=" and m.value and [o.name for o in matchers].count(m.name) == 1]
        labels = [pl.lit(matcher.value).alias(LABEL + matcher.name) for matcher in fixed]
        return Samples(missing.with_columns(*labels, value=pl.lit(1.0)))

    def _aggregate(self, metric: VectorAggregation) -> Samples:
        function = functions.VECTOR[metric.function]
        if (found := self._distinct(metric)) is not None:
            return found
        narrow = function.narrows and _adds_up(metric.operand)
        operand = self.needed(metric.operand, grouped(metric.grouping) if narrow else Needs(every=True))
        if isinstance(operand, float):
            raise QueryError(f"`{metric.function}` aggregates series, not a number", hint="write vector(n)")
        if operand.frame.is_empty():
            return Samples(EMPTY)
        return function.apply(operand, metric.grouping, metric.parameter)

    def _distinct(self, metric: VectorAggregation) -> Samples | None:
        """Return the number of different values of labels, if it is kept."""
        if self.reading.kept is None or (asked := counted(metric)) is None:
            return None
        aggregation, needs = asked
        cells = Cells(self.grid, aggregation.range.range_ns, aggregation.range.offset_ns)
        return self.reading.kept.samples(aggregation, needs, cells, self.snapshot(), self.reading)


def counted(metric: VectorAggregation) -> tuple[RangeAggregation, Needs] | None:
    """Return what `count by (a) (sum by (a, b) (count_over_time(…)))` reads, which counts the values of b."""
    inner, outer = metric.operand, grouped(metric.grouping)
    if metric.function != "count" or not isinstance(inner, VectorAggregation) or inner.function != "sum":
        return None
    needs, operand = grouped(inner.grouping), inner.operand
    if outer.every or needs.every or not outer.names < needs.names or not _adds_up(operand):
        return None
    assert isinstance(operand, RangeAggregation)
    if operand.range.unwrap is not None:
        return None
    return operand, replace(needs, counted=needs.names - outer.names)


def aggregations(metric: Metric, needs: Needs = Needs(every=True)) -> Iterator[tuple[RangeAggregation, Needs]]:  # noqa: B008  frozen
    """Yield what a query reads, with the labels that are needed of it, as an evaluation asks for it."""
    match metric:
        case RangeAggregation(function=functions.ABSENT):
            yield replace(metric, function=_presence(metric)), Needs()
        case RangeAggregation():
            yield metric, needs
        case VectorAggregation() if (asked := counted(metric)) is not None:
            yield asked
        case VectorAggregation():
            narrow = functions.VECTOR[metric.function].narrows and _adds_up(metric.operand)
            yield from aggregations(metric.operand, grouped(metric.grouping) if narrow else Needs(every=True))
        case LabelReplace():
            yield from aggregations(metric.operand)
        case Binary():
            yield from aggregations(metric.left)
            yield from aggregations(metric.right)


def _presence(metric: RangeAggregation) -> str:
    """Return the function that says where there is something."""
    return "sum_over_time" if metric.range.unwrap else "count_over_time"


def _adds_up(metric: Metric) -> bool:
    """Tell whether groups of the metric may be formed before its series are."""
    if not isinstance(metric, RangeAggregation) or metric.function == functions.ABSENT:
        return False
    return metric.range.unwrap is None or (metric.grouping is None and functions.VALUES[metric.function].additive)


def _sums_lines(metric: VectorAggregation) -> bool:
    """Tell whether the series of a sum rank as the totals of their lines do."""
    operand = metric.operand
    if metric.function != "sum" or not isinstance(operand, RangeAggregation):
        return False
    return operand.range.unwrap is None and operand.function in functions.LINES


def grouped(grouping: Grouping | None) -> Needs:
    """Return the labels that a sum needs of its operand."""
    if grouping is None:
        return Needs()
    labels = frozenset(grouping.labels)
    return Needs(every=True, but=labels) if grouping.without else Needs(names=labels)


def _binary(metric: Binary, left: Value, right: Value) -> Value:
    if isinstance(left, float) and isinstance(right, float):
        frame = pl.select(left=pl.lit(left, pl.Float64), right=pl.lit(right, pl.Float64))
        return float(frame.select(_operate(metric.op, pl.col("left"), pl.col("right")).cast(pl.Float64)).item())
    if isinstance(left, float):
        assert isinstance(right, Samples)
        return _applied(metric, right, pl.lit(left, pl.Float64), pl.col("value"))
    if isinstance(right, float):
        return _applied(metric, left, pl.col("value"), pl.lit(right, pl.Float64))
    if metric.op in SETS:
        return combined(metric, left, right)
    done = _applied(metric, paired(metric, left, right), pl.col("value"), pl.col("_right"))
    return Samples(done.frame.drop("_right"))


def _applied(metric: Binary, samples: Samples, left: pl.Expr, right: pl.Expr) -> Samples:
    result = _operate(metric.op, left, right)
    if metric.op not in COMPARISONS:
        return samples.with_value(result)
    if metric.returns_bool:
        return samples.with_value(result.cast(pl.Float64))
    return replace(samples, frame=samples.frame.filter(result))


def _replaced(metric: LabelReplace, samples: Samples) -> Samples:
    """Set a label from a match of another; an empty text removes it."""
    column, pattern = LABEL + metric.target, regexes.anchored(metric.regex)
    has = LABEL + metric.source in samples.frame.columns
    text = pl.col(LABEL + metric.source).fill_null("") if has else pl.lit("")
    before = pl.col(column) if column in samples.frame.columns else pl.lit(None, pl.String)
    new = text.str.replace(pattern, metric.replacement)
    value = pl.when(text.str.contains(pattern)).then(pl.when(new != "").then(new)).otherwise(before)
    return replace(samples, frame=samples.frame.with_columns(value.alias(column)))


def _operate(op: str, left: pl.Expr, right: pl.Expr) -> pl.Expr:
    return _compare(op, left, right) if op in COMPARISONS else _ARITHMETIC[op](left, right)


def _divide(left: pl.Expr, right: pl.Expr) -> pl.Expr:
    return pl.when(right == 0).then(math.nan).otherwise(values.quotient(left, right))


def _rest(left: pl.Expr, right: pl.Expr) -> pl.Expr:
    """Return the rest of a division, exactly: Polars rounds the quotient first, and `5.5 % 0.1` would be 0."""
    return pl.map_batches([left, right], _rests, return_dtype=pl.Float64, is_elementwise=True)


def _rests(sides: Sequence[pl.Series]) -> pl.Series:
    rows = 0 if any(side.is_empty() for side in sides) else max(map(len, sides))
    left, right = (side.to_list() * (rows if len(side) == 1 and rows else 1) for side in sides)
    return pl.Series([_fmod(a, b) for a, b in zip(left, right, strict=False)], dtype=pl.Float64)


def _fmod(left: float, right: float) -> float:
    return math.nan if not right or math.isinf(left) else math.fmod(left, right)


_ARITHMETIC: Final[Mapping[str, Callable[[pl.Expr, pl.Expr], pl.Expr]]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": _divide,
    "%": _rest,
    "^": operator.pow,
}


def _compare(op: str, left: pl.Expr, right: pl.Expr) -> pl.Expr:
    """Compare as IEEE does: Polars takes NaN as equal to itself and larger than everything."""
    nan = left.is_nan() | right.is_nan()
    return (_COMPARE[op](left, right) & ~nan) | (nan & (op == "!="))
