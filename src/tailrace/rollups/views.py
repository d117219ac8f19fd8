"""What is kept of a metric: one view for each range aggregation of its query, and which questions a view answers. Pure.

A view has the partial results of one range aggregation, per bucket and label set, before windows are laid over them. So
it answers every question over the same lines and values whose windows are made of whole buckets, whatever is done with
the series above it, under the same labels or fewer of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from tailrace.errors import QueryError
from tailrace.query import unwrapped
from tailrace.query.evaluate import aggregations
from tailrace.query.needs import Needs
from tailrace.query.parser import parse
from tailrace.query.rows import ERRORS
from tailrace.query.syntax import LogQuery
from tailrace.rollups.states import KINDS, kind_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tailrace.query.grid import Cells
    from tailrace.query.syntax import RangeAggregation
    from tailrace.rollups.model import Metric
    from tailrace.rollups.states import Kind


@dataclass(frozen=True, slots=True)
class View:
    """A part of a metric that is kept."""

    key: str  # of its rows in the table
    bucket_ns: int
    since_ns: int
    aggregation: RangeAggregation
    needs: Needs

    @property
    def kind(self) -> Kind:
        """What its partial results are made of."""
        return KINDS[kind_of(self.aggregation, self.needs)]

    def answers(self, asked: RangeAggregation, needs: Needs) -> bool:
        """Tell whether the view's rows say what a question wants to know."""
        mine = self.aggregation
        if (asked.range.log, asked.range.unwrap) != (mine.range.log, mine.range.unwrap):
            return False
        kind = kind_of(asked, needs)
        if kind != self.kind.name and (kind, self.kind.name) != ("lines", "bytes"):
            return False
        if needs.counted != self.needs.counted:
            return False
        wanted, shown = shows(asked, needs), shows(mine, self.needs)
        if wanted == shown:
            return True
        fewer = not (wanted.every or shown.every) and wanted.names <= shown.names
        return fewer and not shown.names & ERRORS

    def shown(self, name: str) -> bool:
        """Tell whether a label tells series apart."""
        return shows(self.aggregation, self.needs).shows(name)

    def fits(self, cells: Cells) -> bool:
        """Tell whether the windows are made of whole buckets; of one window alone the edges may be read from lines."""
        if cells.whole:
            return cells.range_ns >= self.bucket_ns
        grid = cells.grid
        return not (
            cells.range_ns % self.bucket_ns
            or grid.step_ns % self.bucket_ns
            or (grid.first_ns - cells.offset_ns) % self.bucket_ns
        )


def shows(aggregation: RangeAggregation, needs: Needs) -> Needs:
    """Return the labels that tell series apart, and nothing else."""
    if aggregation.range.unwrap:
        needs = unwrapped.shows(aggregation.grouping, needs, aggregation.range.unwrap.label)
    return Needs(needs.every, needs.names, but=needs.but)


def views_of(metrics: Iterable[Metric]) -> list[View]:
    """Return the views of metrics; one whose query this Tailrace cannot read has none, and leaves the others alone."""
    found: list[View] = []
    for metric in metrics:
        try:
            found += views(metric)
        except QueryError:
            continue
    return found


@lru_cache(maxsize=4_096)
def views(metric: Metric) -> tuple[View, ...]:
    """Return the views of a metric, those that differ."""
    query = parse(metric.expr)
    assert not isinstance(query, LogQuery), "metrics are checked when they are made"
    found: list[View] = []
    for aggregation, needs in aggregations(query):
        view = View(f"{metric.uid}/{len(found)}", metric.bucket_ns, metric.since_ns, aggregation, needs)
        if not any(other.answers(aggregation, needs) for other in found):
            found.append(view)
    return tuple(found)
