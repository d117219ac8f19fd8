"""The chart of a search: a number made of its lines over time, as a metric query that can be read, changed and kept.

A log query gets one by choices in the address: `stat` what is worked out, `of` the field it is worked out of, `split`
what the curves are of, `step` the time between two points. A metric query is one already. Pure but for `ask`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tailrace.errors import QueryError
from tailrace.query import literals
from tailrace.query.result import Series
from tailrace.query.run import Request, run
from tailrace.query.syntax import LogQuery
from tailrace.web.explorer.search.histogram import grid
from tailrace.web.explorer.search.state import LEVEL
from tailrace.web.explorer.shapes import curves
from tailrace.web.explorer.texts import overview as texts

if TYPE_CHECKING:
    from tailrace.query.syntax import Query
    from tailrace.web.explorer.search.spans import Span
    from tailrace.web.explorer.search.state import State
    from tailrace.web.services import Services

OF_LINES: Final = {"count": "count_over_time", "rate": "rate", "bytes": "bytes_over_time"}
OF_FIELD: Final = {
    "avg": "avg_over_time",
    "sum": "sum_over_time",
    "min": "min_over_time",
    "max": "max_over_time",
    "p50": "quantile_over_time(0.5, ",
    "p95": "quantile_over_time(0.95, ",
    "p99": "quantile_over_time(0.99, ",
}
NONE: Final = "none"
"""The value of `split` for one curve of all lines."""
STEPS: Final = ("10s", "1m", "5m", "15m", "1h", "6h", "1d")
POINTS_MOST: Final = 1_000
KEYS: Final = ("stat", "of", "split", "step")

_OF: Final = re.compile(r"(?:(duration|duration_seconds|bytes)\(([A-Za-z_]\w*)\)|([A-Za-z_]\w*))", re.ASCII)
_NAME: Final = re.compile(r"[A-Za-z_]\w{0,127}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Choice:
    """What is to be drawn of a log query; `step_ns` None for what suits the range."""

    stat: str = "count"
    of: str = ""
    split: str = LEVEL
    step_ns: int | None = None


@dataclass(frozen=True, slots=True)
class Drawn:
    """The curves of an expression over a grid; `cut` tells that only the largest series are there, and of how many."""

    expression: str
    choice: Choice | None  # None: the query was a metric query
    chart: curves.Chart
    start_ns: int
    end_ns: int
    step_ns: int
    warnings: tuple[str, ...]


def choice(state: State) -> Choice:
    """Return the choices of an address; `QueryError` for one that is none."""
    given = dict(state.others)
    stat = given.get("stat") or "count"
    if stat not in OF_LINES and stat not in OF_FIELD:
        raise QueryError(
            f"stat={stat[:40]!r} is none that is drawn", hint=f"one of {', '.join((*OF_LINES, *OF_FIELD))}"
        )
    of = given.get("of", "").strip()
    if stat in OF_FIELD and not of:
        raise QueryError(texts.NO_FIELD.format(stat=texts.STATS[stat]), hint=texts.NO_FIELD_HINT)
    if of and not _OF.fullmatch(of):
        raise QueryError(f"of={of[:40]!r} is no field", hint="a name, or duration(name) or bytes(name)")
    split = given.get("split") or (NONE if stat in OF_FIELD else state.by)
    if not _NAME.fullmatch(split):
        raise QueryError(f"split={split[:40]!r} is no field")
    step = literals.range_duration(given["step"]) if given.get("step") else None
    if given.get("step") and not step:
        raise QueryError(f"step={given['step'][:40]!r} is no duration", hint="as in 30s, 5m or 1h")
    return Choice(stat, of, split, step)


def expression(log: LogQuery, chosen: Choice, step_ns: int) -> str:
    """Return the metric query of a choice."""
    window = f"[{literals.write_duration(step_ns)}]"
    by = "" if chosen.split == NONE else chosen.split
    if chosen.stat in OF_LINES:
        text = f"{log} | drop __error__, __error_details__" if log.stages else str(log)
        return f"sum{f' by ({by})' if by else ''} ({OF_LINES[chosen.stat]}({text} {window}))"
    inner = f'{log} | unwrap {chosen.of} | __error__="" {window}'
    function = OF_FIELD[chosen.stat]
    if chosen.stat == "sum":
        return f"sum{f' by ({by})' if by else ''} ({function}({inner}))"
    opened = function if function.endswith(" ") else f"{function}("
    return f"{opened}{inner}) by ({by})"


def draw(services: Services, tree: Query, span: Span, state: State) -> Drawn:
    """Return the chart of a query over a range."""
    on = grid(span.start_ns, span.end_ns)
    chosen = choice(state) if isinstance(tree, LogQuery) else None
    step = (chosen.step_ns if chosen else None) or on.step_ns
    if (span.end_ns - span.start_ns) // step > POINTS_MOST:
        raise QueryError(f"the chart would have more than {POINTS_MOST} points", hint="choose a longer step")
    start, end = span.start_ns // step * step, -(-span.end_ns // step) * step
    text = expression(tree, chosen, step) if isinstance(tree, LogQuery) and chosen else str(tree)
    asked = Request(text, start + step if chosen else start, end, step, cut=True)
    answer = run(asked, services.table, services.engine, services.kept)
    assert isinstance(answer, Series), "a metric query gives numbers"
    return Drawn(text, chosen, curves.chart(answer, start, end, step), start, end, step, answer.warnings)
