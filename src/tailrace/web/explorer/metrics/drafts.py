"""A metric that is about to be made: read from a form, tried over the newest lines, and what keeping it would cost.

Comes in: fields of a form, those of an address among them. Goes out: a `Draft` with a drawing, the label sets that
would be kept, and the lines that would be read to fill it in. Estimates are named as such: they come from the newest
hour, and from the table's own statistics.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tailrace.clock import NS_PER_S
from tailrace.errors import QueryError
from tailrace.query.parser import parse
from tailrace.query.result import Series, Stats
from tailrace.query.run import Request, run
from tailrace.query.syntax import LogQuery
from tailrace.rollups.forms import EVERYTHING, SECTION, Form, expression
from tailrace.rollups.model import Metric, metric_of
from tailrace.rollups.views import shows, views
from tailrace.web.explorer.shapes.curves import Chart, chart
from tailrace.web.times import duration_ns

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tailrace.rollups.metrics import Metrics
    from tailrace.rollups.views import View
    from tailrace.web.services import Services

PERIODS: Final = 60
"""Periods of the preview."""

LEAST_NS: Final = 600 * NS_PER_S
MOST_NS: Final = 86_400 * NS_PER_S
"""The preview reads lines of ten minutes at least and of a day at most."""

TIMEOUT_S: Final = 15.0
_DAY_NS: Final = 86_400 * NS_PER_S


@dataclass(frozen=True, slots=True)
class Draft:
    """What a form says, as it was typed."""

    name: str = ""
    way: str = "form"  # or `expr`
    statistic: str = "count"
    property: str = EVERYTHING
    segment: str = ""
    period: str = "1m"
    filter: str = ""
    expr: str = ""
    backfill: str = "1d"  # empty: all lines that there are

    def what(self) -> str | Form:
        """Return what the metric is made of."""
        if self.way == "expr":
            if not self.expr:
                raise QueryError("the expression is missing", hint='as in sum(rate({service_name="cart"}[1m]))')
            return self.expr
        period_ns = duration_ns(self.period, "period")
        if period_ns % NS_PER_S:
            raise QueryError(f"a period of {self.period} is not of whole seconds", hint="as in 30s, 5m or 1h")
        segment = self.segment or ""
        return Form(self.statistic, self.property or EVERYTHING, period_ns // NS_PER_S, None, segment, self.filter)

    def metric(self) -> Metric:
        """Return the metric as it would be; `QueryError` says why it cannot be kept."""
        what = self.what()
        form = None if isinstance(what, str) else what
        text = what if isinstance(what, str) else expression(what)
        return metric_of(self.name or "preview", text, period_ns=self.period_ns(), form=form)

    def period_ns(self) -> int | None:
        """Return the period that was asked for; an expression may leave it open."""
        return duration_ns(self.period, "period") if self.period else None

    def backfill_ns(self) -> int | None:
        """Return how much of the past is to be filled in, None for all of it."""
        return duration_ns(self.backfill, "backfill") if self.backfill else None


@dataclass(frozen=True, slots=True)
class Tried:
    """A draft over the newest lines."""

    metric: Metric
    chart: Chart
    start_ns: int
    end_ns: int
    series: int
    stats: Stats
    complete: bool
    warnings: tuple[str, ...]
    sets: int  # label sets that are kept at once, of all views
    rows_a_day: int  # at most: a row for each bucket and label set
    bytes_a_row: float | None  # as those of other metrics, None if there are none
    backfill_rows: int  # lines of the table in the time that is to be filled in, at most
    backfill_s: float


def read_draft(given: Mapping[str, str]) -> Draft:
    """Return a draft of the fields of a form or an address; `q` is a search, or an expression, as it comes."""
    fields = {name: given[name].strip() for name in Draft.__slots__ if name in given}
    query = given.get("q", "").strip()
    if query and not fields.get("filter") and not fields.get("expr"):
        fields |= {"way": "form", "filter": query} if _is_search(query) else {"way": "expr", "expr": query}
    elif fields.get("expr") and "way" not in fields:
        fields["way"] = "expr"
    if fields.get("way") == "expr" and "period" not in fields:
        fields["period"] = ""
    return Draft(**fields)


def tried(draft: Draft, services: Services, metrics: Metrics, unwanted: Callable[[], bool]) -> Tried:
    """Run a draft over the newest lines, and estimate what keeping it costs."""
    metric = draft.metric()
    period_ns, now_ns = metric.period_ns, services.clock.now_ns()
    end_ns = now_ns // period_ns * period_ns
    span_ns = min(max(PERIODS * period_ns, LEAST_NS), max(MOST_NS, period_ns))
    start_ns = end_ns - span_ns // period_ns * period_ns
    asked = Request(metric.expr, start_ns, end_ns, period_ns, timeout_s=TIMEOUT_S, cut=True, cancelled=unwanted)
    answer = run(asked, services.table, services.engine, services.kept)
    assert isinstance(answer, Series), "metrics are metric queries"
    sets = sum(_sets(view, end_ns, services, unwanted) for view in views(metric))
    rows, size = metrics.stored()
    backfill_ns = draft.backfill_ns()
    lines = _lines(services, now_ns - (now_ns if backfill_ns is None else backfill_ns), now_ns)
    pace = answer.stats.rows / answer.stats.seconds if answer.stats.rows and answer.stats.seconds else None
    return Tried(
        metric,
        chart(answer, start_ns, end_ns, period_ns),
        start_ns,
        end_ns,
        len(answer.labels),
        answer.stats,
        answer.complete,
        answer.warnings,
        sets,
        sets * (_DAY_NS // metric.bucket_ns),
        size / rows if rows else None,
        lines,
        lines / pace if pace else 0.0,
    )


def _sets(view: View, end_ns: int, services: Services, unwanted: Callable[[], bool]) -> int:
    """Return how many label sets a view keeps, of those that had lines in the newest hour."""
    needs = shows(view.aggregation, view.needs)
    log = view.aggregation.range.log
    counted = f"count_over_time({log} [1h])"
    query = f"count({counted})" if needs.every else f"count(sum by ({', '.join(sorted(needs.names))}) ({counted}))"
    answer = run(
        Request(query, end_ns, end_ns, timeout_s=TIMEOUT_S, cut=True, cancelled=unwanted),
        services.table,
        services.engine,
        services.kept,
    )
    assert isinstance(answer, Series), "a count is a metric query"
    return int(answer.frame["value"].sum())


def _lines(services: Services, start_ns: int, end_ns: int) -> int:
    frame = services.table.snapshot().segments(start_ns, end_ns).frame
    return int(frame["rows"].sum())


def _is_search(query: str) -> bool:
    try:
        return isinstance(parse(query), LogQuery)
    except QueryError:
        return query.startswith("{")


SEGMENTS: Final = ("service_name", "host", "detected_level", "status", SECTION)
"""Properties that are offered for splitting; any other can be typed."""
