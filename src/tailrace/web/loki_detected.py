"""Loki's paths that look into lines: detected fields and their values, patterns; and Drilldown's limits."""

from __future__ import annotations

# ruff: noqa: TC001, TC002, TC003 -- FastAPI reads the annotations of endpoints at run time
from collections.abc import Callable
from typing import Any, Final

import polars as pl
from fastapi import APIRouter
from starlette.datastructures import QueryParams
from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from tailrace import limits
from tailrace.clock import NS_PER_S
from tailrace.errors import QueryError
from tailrace.query import parser
from tailrace.query.detected import Field, detected_fields
from tailrace.query.lines import Window
from tailrace.query.pattern_mining import mined
from tailrace.query.result import Lines, Series
from tailrace.query.run import Request
from tailrace.query.syntax import LogQuery
from tailrace.web.answers import loki_json, success
from tailrace.web.parameters import get_or_post, integer, parameters, query_text
from tailrace.web.push_rows import LEVEL_NAMES
from tailrace.web.ranges import step_ns, time_range
from tailrace.web.services import Services
from tailrace.web.work import Work

LOKI_VERSION: Final = "3.7.0"
"""The version whose behaviour is offered: from 3.0.0 on Grafana asks for structured metadata."""

_RANGE: Final = ("start", "end", "since")
_PATTERN_STEP_NS: Final = 10 * NS_PER_S
"""The shortest bucket of patterns."""


def routes(services: Services, work: Work) -> APIRouter:
    """Return the endpoints."""
    router = APIRouter()
    _add_fields(router, services, work)
    _add_patterns(router, services, work)
    return router


def _add_fields(router: APIRouter, services: Services, work: Work) -> None:
    async def found(request: HttpRequest, given: QueryParams) -> tuple[dict[str, Field], bool]:
        query, asked = _sample(given, services.clock.now_ns())

        def look(result: Lines | Series) -> tuple[dict[str, Field], bool]:
            assert isinstance(result, Lines)
            return detected_fields(query, result.frame), result.complete

        return await work.query(request, asked, services, look)

    names = (*_RANGE, "query", "line_limit", "limit", "field_limit", "step")

    @get_or_post(router, "/detected_fields", *names, required=["query"])
    async def fields(request: HttpRequest) -> Response:
        """List the fields of a sample of lines: kind, number of values, and what parser finds them."""
        given = await parameters(request)
        limit = _limit(given)
        seen, complete = await found(request, given)
        shown = [_field(name, one) for name, one in list(seen.items())[:limit]]
        body = {"fields": shown, "limit": limit} if shown else {}
        return loki_json(body, complete=complete)

    @get_or_post(router, "/detected_field/{name}/values", *names, required=["query"])
    async def values(request: HttpRequest, name: str) -> Response:
        """List the values of one field in a sample of lines."""
        given = await parameters(request)
        limit = _limit(given)
        seen, complete = await found(request, given)
        shown = seen[name].shown() if name in seen else []
        return loki_json({"values": shown[:limit], "limit": limit}, complete=complete)


def _add_patterns(router: APIRouter, services: Services, work: Work) -> None:
    @get_or_post(router, "/patterns", *_RANGE, "query", "step", required=["query"])
    async def patterns(request: HttpRequest) -> Response:
        """Find the patterns of lines, and how often each occurs, by level."""
        given = await parameters(request)
        query = _log_query(given)
        start_ns, end_ns = time_range(given, services.clock.now_ns())
        step = max(step_ns(given, start_ns, end_ns), _PATTERN_STEP_NS)
        window = Window(start_ns, end_ns, limits.PATTERN_LINES, "backward")

        def ask(unwanted: Callable[[], bool]) -> Response:
            found, warnings = mined(query, window, step, services.table, services.engine, unwanted)
            return success(_patterns(found), warnings)

        return await work.watched(request, ask)

    @router.get("/drilldown-limits")
    def drilldown_limits() -> Response:
        """Tell Logs Drilldown what there is, and how much may be asked for."""
        return loki_json({"limits": LIMITS, "pattern_ingester_enabled": True, "version": LOKI_VERSION})


def _log_query(given: QueryParams) -> LogQuery:
    query = parser.parse(query_text(given))
    if not isinstance(query, LogQuery):
        raise QueryError("a log query is expected, not a metric query", hint='as in {service_name=~".+"}')
    return query


def _sample(given: QueryParams, now_ns: int) -> tuple[LogQuery, Request]:
    query = _log_query(given)
    start_ns, end_ns = time_range(given, now_ns)
    lines = integer(given, "line_limit", limits.ENTRIES_DEFAULT) or limits.ENTRIES_DEFAULT
    if not 0 < lines <= limits.ENTRIES_LIMIT:
        raise QueryError(f"line_limit={lines} must lie between 0 and {limits.ENTRIES_LIMIT}")
    return query, Request(query_text(given), start_ns, end_ns, None, lines)


def _limit(given: QueryParams) -> int:
    default = integer(given, "field_limit", limits.FIELDS_DEFAULT) or limits.FIELDS_DEFAULT
    limit = integer(given, "limit", default) or limits.FIELDS_DEFAULT
    if limit < 0:
        raise QueryError(f"limit={limit} is less than zero")
    return limit


def _field(name: str, field: Field) -> dict[str, Any]:  # JSON: texts, numbers, lists
    shown = {
        "label": name,
        "type": field.kind,
        "cardinality": len(field.values),
        "parsers": sorted(field.parsers) or None,
    }
    return shown | ({"jsonPath": list(field.path)} if field.path else {})


def _patterns(found: pl.DataFrame) -> list[dict[str, Any]]:  # JSON: texts, and samples of numbers
    """Return patterns by level, the most frequent first."""
    answers = []
    for (pattern, level), part in found.group_by("pattern", "level", maintain_order=True):
        samples = [list(row) for row in part.select(pl.col("bucket") // NS_PER_S, "lines").rows()]
        answers.append({"pattern": pattern, "level": level or "unknown", "samples": samples})
    return answers


LIMITS: Final[dict[str, Any]] = {  # JSON: flags, numbers, lists and durations
    "discover_log_levels": True,
    "discover_service_name": ["service_name"],
    "log_level_fields": list(LEVEL_NAMES),
    "max_entries_limit_per_query": limits.ENTRIES_LIMIT,
    "max_line_size_truncate": False,
    "max_query_bytes_read": "0B",
    "max_query_length": "0s",
    "max_query_lookback": "0s",
    "max_query_range": "0s",
    "max_query_series": limits.SERIES_LIMIT,
    "metric_aggregation_enabled": False,
    "pattern_persistence_enabled": False,
    "query_timeout": f"{limits.QUERY_TIMEOUT_S:g}s",
    "retention_period": f"{limits.RETENTION_DAYS * 24}h",
    "volume_enabled": True,
    "volume_max_series": limits.ENTRIES_LIMIT,
}
"""What Logs Drilldown reads; a zero stands for no limit."""
