"""Which rules ask the same of different lines: one query answers for all of them. Pure.

`sum by (host) (rate({app="a17"} |= "error" [5m]))` is a shape, `sum by (host) (rate({…} [5m]))`, and what it reads:
streams, and words that its lines have. A family is all that have one shape. Its query runs once over copies of what
each of them reads, with the asker's name as one label more (`held.OWNER`), which every aggregation keeps apart and
every matching compares: what comes out under a name is what the asker alone would have got.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.alerts.evaluate.copies import OWNER
from tailrace.alerts.evaluate.held import Asked
from tailrace.query import functions
from tailrace.query.evaluate import Evaluation
from tailrace.query.needs import Needs
from tailrace.query.samples import LABEL, Samples
from tailrace.query.stages.decolorize import Decolorize
from tailrace.query.stages.drop import Drop
from tailrace.query.stages.json import Json
from tailrace.query.stages.label_filter import LabelFilter
from tailrace.query.stages.line_filter import LineFilter
from tailrace.query.stages.logfmt import Logfmt
from tailrace.query.stages.pattern import Pattern
from tailrace.query.stages.regexp import Regexp
from tailrace.query.syntax import (
    Binary,
    Grouping,
    LabelReplace,
    LogRange,
    Matcher,
    RangeAggregation,
    Selector,
    Vector,
    VectorAggregation,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tailrace.alerts.evaluate.copies import Copies
    from tailrace.query.evaluate import Value
    from tailrace.query.grid import Grid
    from tailrace.query.reads import Reading
    from tailrace.query.syntax import Metric

_ALIKE: Final = (LineFilter, LabelFilter, Json, Logfmt, Regexp, Pattern, Decolorize, Drop)
"""Stages that leave a label alone that they do not name: `keep` and templates do not."""

_LEAF: Final = "leaf"
_NAME: Final = LABEL + OWNER


@dataclass(frozen=True, slots=True)
class Shape:
    """An expression without what it reads; `leaves` says from which to which time before its end each leaf looks."""

    metric: Metric
    leaves: tuple[tuple[int, int], ...]  # offset, and offset with range
    together: bool  # whether several askers may be answered at once

    @property
    def far_ns(self) -> int:
        """How far back the leaves look."""
        return max((far_ns for _, far_ns in self.leaves), default=0)


def taken_apart(metric: Metric, *, alone: bool = False) -> tuple[Shape, tuple[Asked, ...]]:
    """Return the shape of an expression, and what its leaves read; of one that is asked `alone` without names."""
    leaves: list[RangeAggregation] = []
    together = not alone and _together(metric)
    shape = _shaped(metric, leaves, together=together)
    asked = tuple(Asked(leaf.range.log.selector, _filters(leaf.range)) for leaf in leaves)
    spans = tuple((leaf.range.offset_ns, leaf.range.offset_ns + leaf.range.range_ns) for leaf in leaves)
    return Shape(shape, spans, together), asked


def _filters(log_range: LogRange) -> tuple[LineFilter, ...]:
    """Return the filters that a pipeline begins with: they see lines as they are stored."""
    found: list[LineFilter] = []
    for stage in log_range.log.stages:
        if not isinstance(stage, LineFilter):
            break
        found.append(stage)
    return tuple(found)


def _together(metric: Metric) -> bool:
    if isinstance(metric, RangeAggregation):
        unwrap = metric.range.unwrap
        stages = (*metric.range.log.stages, *(unwrap.filters if unwrap else ()))
        return all(isinstance(stage, _ALIKE) for stage in stages)
    if isinstance(metric, VectorAggregation):
        alone = functions.VECTOR[metric.function].parameter and not functions.VECTOR[metric.function].grouping
        return not alone and _together(metric.operand)
    if isinstance(metric, LabelReplace):
        return _together(metric.operand)
    if isinstance(metric, Binary):
        return _together(metric.left) and _together(metric.right)
    return True


def _shaped(metric: Metric, leaves: list[RangeAggregation], *, together: bool) -> Metric:
    if isinstance(metric, RangeAggregation):
        leaves.append(metric)
        number = Selector((Matcher(_LEAF, "=", str(len(leaves) - 1)),))
        log = metric.range.log
        rest = replace(log, selector=number, stages=log.stages[len(_filters(metric.range)) :])
        grouping = _owned(metric.grouping) if together and metric.grouping else metric.grouping
        return replace(metric, range=replace(metric.range, log=rest), grouping=grouping)
    if isinstance(metric, VectorAggregation):
        operand = _shaped(metric.operand, leaves, together=together)
        grouped = together and functions.VECTOR[metric.function].grouping
        return replace(metric, operand=operand, grouping=_owned(metric.grouping) if grouped else metric.grouping)
    if isinstance(metric, LabelReplace):
        return replace(metric, operand=_shaped(metric.operand, leaves, together=together))
    if isinstance(metric, Binary):
        left, right = (_shaped(side, leaves, together=together) for side in (metric.left, metric.right))
        matching = metric.matching
        if together and matching is not None and matching.on:
            matching = replace(matching, labels=(*matching.labels, OWNER))
        return replace(metric, left=left, right=right, matching=matching)
    return metric


def _owned(grouping: Grouping | None) -> Grouping:
    if grouping is None:
        return Grouping((OWNER,))
    return grouping if grouping.without else replace(grouping, labels=(*grouping.labels, OWNER))


@dataclass(frozen=True, slots=True)
class Leaves:
    """Answers the leaves of a shape, each from copies of its own, for all askers at once, or for one without a name.

    The place of an asker is its name. Called by `query.evaluate`, as `given`.
    """

    grid: Grid
    reading: Reading
    copies: Sequence[Copies]
    askers: Sequence[Sequence[Asked]]  # what the leaves of each read
    named: bool

    def __call__(self, metric: Metric, needs: Needs) -> Value | None:
        """Return the samples of a leaf, None for what stands above leaves."""
        if isinstance(metric, Vector) and self.named:
            return Samples(self._points().with_columns(value=pl.lit(metric.value, pl.Float64)))
        if not isinstance(metric, RangeAggregation):
            return None
        number = int(metric.range.log.selector.matchers[0].value)
        return (
            self._missing(metric, number) if metric.function == functions.ABSENT else self._read(metric, needs, number)
        )

    def _read(self, metric: RangeAggregation, needs: Needs, number: int) -> Samples:
        log = replace(metric.range.log, selector=Selector(()))
        every = replace(metric, range=replace(metric.range, log=log))
        found = Evaluation(self.grid, lambda: self.copies[number], self.reading).needed(every, needs)
        assert isinstance(found, Samples), "ranges give samples"
        return found

    def _points(self) -> pl.DataFrame:
        """Return every asker at every point."""
        steps = pl.DataFrame({"step": pl.int_range(self.grid.points, dtype=pl.Int64, eager=True)})
        return self._names().join(steps, how="cross")

    def _names(self) -> pl.DataFrame:
        return pl.DataFrame({_NAME: [str(place) for place in range(len(self.askers))]}, schema={_NAME: pl.String})

    def _missing(self, metric: RangeAggregation, number: int) -> Samples:
        """Return 1 where an asker has nothing, under the labels that its selector fixes."""
        counted = "sum_over_time" if metric.range.unwrap else "count_over_time"
        needs = Needs(names=frozenset({OWNER})) if self.named else Needs()
        present = self._read(replace(metric, function=counted), needs, number).frame
        missing = self._points()
        if not present.is_empty():
            keys = [_NAME, "step"] if self.named else ["step"]
            missing = missing.join(present, on=keys, how="anti")
        labels = [fixed_labels(asker[number].selector) for asker in self.askers]
        names = sorted({name for one in labels for name in one})
        fixed = self._names().with_columns(
            pl.Series(LABEL + name, [one.get(name) for one in labels], pl.String) for name in names
        )
        found = missing.join(fixed, on=_NAME, how="left").with_columns(value=pl.lit(1.0))
        return Samples(found if self.named else found.drop(_NAME))


def fixed_labels(selector: Selector) -> dict[str, str]:
    """Return the labels that a selector fixes to one value."""
    names = [matcher.name for matcher in selector.matchers]
    return {m.name: m.value for m in selector.matchers if m.op == "=" and m.value and names.count(m.name) == 1}
