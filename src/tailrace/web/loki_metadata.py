"""Loki's paths about streams: labels, values, series, how much a selector touches, and volume.

No line is read for the first four; volume reads what statistics cannot tell.
"""

from __future__ import annotations

# ruff: noqa: TC001, TC002, TC003 -- FastAPI reads the annotations of endpoints at run time
from collections.abc import Callable
from dataclasses import replace
from typing import Final

import polars as pl
from fastapi import APIRouter
from starlette.datastructures import QueryParams
from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from tailrace import limits
from tailrace.batch import stream_text
from tailrace.errors import QueryError
from tailrace.query import labels
from tailrace.query.afresh import afresh
from tailrace.query.detected import detected_labels
from tailrace.query.parser import parse_selector
from tailrace.query.volume import LIMIT_DEFAULT, Volume, volume
from tailrace.web.answers import answer, loki_json, success
from tailrace.web.parameters import get_or_post, integer, parameters
from tailrace.web.ranges import HOUR_NS, step_ns, time_range
from tailrace.web.services import Services
from tailrace.web.work import Work

LABELS_SINCE_NS: Final = 6 * HOUR_NS
_RANGE: Final = ("start", "end", "since")


def routes(services: Services, work: Work) -> APIRouter:
    """Return the endpoints."""
    router = APIRouter()
    _add_labels(router, services, work)
    _add_index(router, services, work)
    return router


def _add_labels(router: APIRouter, services: Services, work: Work) -> None:
    table = services.table

    def span(given: QueryParams) -> tuple[int, int]:
        return time_range(given, services.clock.now_ns(), LABELS_SINCE_NS)

    @get_or_post(router, "/label", *_RANGE, "query")
    @get_or_post(router, "/labels", *_RANGE, "query")
    async def label_names(request: HttpRequest) -> Response:
        """List the names of stream labels."""
        given = await parameters(request)
        (start_ns, end_ns), selector = span(given), _selector(given)
        return success(
            await work.run(request, lambda: labels.label_names(table, start_ns, end_ns, selector), lane="quick")
        )

    @get_or_post(router, "/label/{name}/values", *_RANGE, "query")
    async def label_values(request: HttpRequest, name: str) -> Response:
        """List the values of one stream label."""
        given = await parameters(request)
        (start_ns, end_ns), selector = span(given), _selector(given)
        return success(
            await work.run(request, lambda: labels.label_values(table, name, start_ns, end_ns, selector), lane="quick")
        )

    @get_or_post(router, "/series", *_RANGE, "match[]", "match")
    async def series(request: HttpRequest) -> Response:
        """List the label sets of streams that any of the selectors matches."""
        given = await parameters(request)
        (start_ns, end_ns), chosen = span(given), selectors(given.getlist("match[]") + given.getlist("match"))
        return success(await work.run(request, lambda: labels.series(table, start_ns, end_ns, chosen), lane="quick"))

    @get_or_post(router, "/detected_labels", *_RANGE, "query")
    async def detected(request: HttpRequest) -> Response:
        """List the stream labels that people choose by, and how many values each has."""
        given = await parameters(request)
        (start_ns, end_ns), chosen = span(given), selectors(given.getlist("query"))
        streams = await work.run(request, lambda: labels.series(table, start_ns, end_ns, chosen), lane="quick")
        counts = detected_labels(streams)
        return loki_json({"detectedLabels": [{"label": name, "cardinality": count} for name, count in counts.items()]})


def _add_index(router: APIRouter, services: Services, work: Work) -> None:
    @get_or_post(router, "/index/stats", *_RANGE, "query")
    async def index_stats(request: HttpRequest) -> Response:
        """Count streams, segments, entries and bytes that a selector touches, by whole segments."""
        given = await parameters(request)
        start_ns, end_ns = time_range(given, services.clock.now_ns())
        chosen = selectors(given.getlist("query"))
        found = await work.run(request, lambda: _stats(services, start_ns, end_ns, chosen), lane="quick")
        return loki_json(found)

    async def answered(request: HttpRequest, asked: Volume) -> Response:
        def ask(unwanted: Callable[[], bool]) -> Response:
            result = volume(replace(asked, cancelled=unwanted), services.table, services.engine)
            return answer(result)

        return await work.watched(request, ask)

    names = (*_RANGE, "query", "limit", "targetLabels", "aggregateBy")

    @get_or_post(router, "/index/volume", *names)
    async def index_volume(request: HttpRequest) -> Response:
        """Sum the bytes of lines of a range by labels, the largest first."""
        given = await parameters(request)
        return await answered(request, _volume(given, services.clock.now_ns()))

    @get_or_post(router, "/index/volume_range", *names, "step")
    async def index_volume_range(request: HttpRequest) -> Response:
        """Sum the bytes of lines by labels, in buckets along a range."""
        given = await parameters(request)
        asked = _volume(given, services.clock.now_ns())
        return await answered(request, replace(asked, step_ns=step_ns(given, asked.start_ns, asked.end_ns)))


def selectors(texts: list[str]) -> list[str]:
    """Return the selectors; none, or `{}` among them, stands for every stream."""
    return [] if any("".join(text.split()) in {"", "{}"} for text in texts) else texts


def _selector(given: QueryParams) -> str | None:
    return next(iter(selectors(given.getlist("query"))), None)


def _volume(given: QueryParams, now_ns: int) -> Volume:
    start_ns, end_ns = time_range(given, now_ns)
    limit = integer(given, "limit", LIMIT_DEFAULT) or LIMIT_DEFAULT
    if not 0 < limit <= limits.ENTRIES_LIMIT:
        raise QueryError(f"limit={limit} must lie between 0 and {limits.ENTRIES_LIMIT}")
    text = _selector(given)
    targets = tuple(name for part in given.getlist("targetLabels") for name in part.replace(" ", "").split(",") if name)
    asked = Volume(parse_selector(text) if text else None, start_ns, end_ns, None, limit, targets)
    match given.get("aggregateBy") or "series":
        case "series":
            return asked
        case "labels":
            return replace(asked, by="labels")
        case other:
            raise QueryError(f"aggregateBy={other[:40]!r} is not known", hint="series or labels")


def _stats(services: Services, start_ns: int, end_ns: int, chosen: list[str]) -> dict[str, int]:
    wanted = [stream_text(found) for found in labels.series(services.table, start_ns, end_ns, chosen)]
    held = afresh(lambda: services.table.snapshot().segments(start_ns, end_ns).streams())
    streams = held.filter(pl.col("_stream").is_in(wanted))
    return {
        "streams": streams["_stream"].n_unique(),
        "chunks": streams["path"].n_unique(),
        "entries": int(streams["rows"].sum()),
        "bytes": int(streams["line_bytes"].sum()),
    }
