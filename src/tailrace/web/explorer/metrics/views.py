"""Metrics: the list at `/metrics-from-logs`, one at `/metrics-from-logs/{name}`, a new one at `/metrics-from-logs/new`.

A new metric is made in one form: `q` or `expr` in the address fill it in, and every GET with something in it is tried
and shown before anything is saved.
"""

from __future__ import annotations

# ruff: noqa: TC001, TC002 -- FastAPI reads the annotations of endpoints at run time
import asyncio
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import quote

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from tailrace.clock import NS_PER_S
from tailrace.errors import QueryError, TailraceError, one_line
from tailrace.query.literals import write_duration
from tailrace.rollups.forms import STATISTICS
from tailrace.rollups.metrics import Metrics
from tailrace.rollups.model import NAME, Metric
from tailrace.web.explorer.dashboard.start import START
from tailrace.web.explorer.dashboard.store import Dashboards
from tailrace.web.explorer.frame import Frame, may
from tailrace.web.explorer.metrics.drafts import SEGMENTS, TIMEOUT_S, Draft, Tried, read_draft, tried
from tailrace.web.explorer.metrics.listed import (
    CHART_PERIODS,
    Listed,
    Query,
    Recorded,
    drawn,
    drawn_series,
    listed,
    queries_of,
    recording_rules,
    with_values,
)
from tailrace.web.explorer.search import asked
from tailrace.web.explorer.texts import metrics as texts
from tailrace.web.parameters import integer, parameters
from tailrace.web.refusals import Refused
from tailrace.web.services import Services
from tailrace.web.times import moment_ns
from tailrace.web.work import Work

PAGE: Final = 25
RULES_LOOKED_AT: Final = 2_000
"""Of more rules than this it is not said which read a metric: each query would have to be read."""

AT_ONCE: Final = 4
_HOME: Final = "/metrics-from-logs"
_STEP_NS: Final = 60 * NS_PER_S
_VALUES_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Room:
    """What the views of this room ask."""

    services: Services
    metrics: Metrics
    dashboards: Dashboards
    work: Work

    def queries(self) -> list[Query]:
        """Return what rules and panels ask, by name and address."""
        rules = [rule for group in self.services.rules.groups() for rule in group["rules"]]
        panels = [
            (f"{board.name}: {panel.title}", f"/dashboard/{board.id}#panel-{panel.id}", panel.query)
            for board in (*self.dashboards.all(), START)
            for panel in board.panels
        ]
        return queries_of(rules, panels, RULES_LOOKED_AT)


def routes(services: Services, frame: Frame, metrics: Metrics, dashboards: Dashboards, work: Work) -> APIRouter:
    """Return the views and the changes."""
    router = APIRouter(include_in_schema=False, prefix=_HOME)
    room = Room(services, metrics, dashboards, work)
    frame.share(metric_texts=texts, statistics=STATISTICS, segments=SEGMENTS, duration=write_duration)
    _add_list(router, frame, room)
    _add_new(router, frame, room)
    _add_one(router, frame, room)
    return router


def _add_list(router: APIRouter, frame: Frame, room: Room) -> None:
    services, metrics, work = room.services, room.metrics, room.work

    @router.get("")
    async def home(request: Request) -> Response:
        """List metrics, and what rules record."""
        given = request.query_params
        text, page = given.get("find", "").strip(), max(1, integer(given, "page", 1))
        queries, defined, recorded, stored = await work.run(request, lambda: _known(room, text), lane="quick")
        shown, recordings = defined[(page - 1) * PAGE : page * PAGE], recorded[(page - 1) * PAGE : page * PAGE]
        turns = asyncio.Semaphore(AT_ONCE)

        async def one(metric: Metric) -> Listed:
            async with turns:
                try:
                    return await work.run(request, lambda: listed(metrics, metric, queries), _VALUES_S)
                except TimeoutError:
                    return Listed(metric, error=texts.TOO_LONG)

        async def series(recording: Recorded) -> Recorded:
            async with turns:
                return await work.run(request, lambda: with_values(recording, services, queries))

        found, noted = await asyncio.gather(
            asyncio.gather(*(one(metric) for metric in shown)),
            asyncio.gather(*(series(recording) for recording in recordings)),
        )
        return frame.page(
            request,
            "metrics/metrics.html",
            view="metrics",
            found=found,
            recorded=noted,
            counts=(len(defined), len(recorded)),
            stored=stored,
            text=text,
            page=page,
            more=max(len(defined), len(recorded)) > page * PAGE,
        )


def _known(room: Room, text: str) -> tuple[list[Query], list[Metric], list[Recorded], tuple[int, int]]:
    metrics = [one for one in room.metrics.definitions.list() if text in one.name or text in one.expr]
    recorded = [one for one in recording_rules(room.services) if text in one.name or text in one.rule["query"]]
    return room.queries(), metrics, recorded, room.metrics.stored()


def _add_new(router: APIRouter, frame: Frame, room: Room) -> None:
    @router.get("/new")
    async def new(request: Request) -> Response:
        """Show the form, and what it would give."""
        given = request.query_params
        draft, found, error = await run_in_threadpool(_read, room, given), None, None
        if {"q", "expr", "statistic", "filter"} & {name for name, value in given.items() if value}:
            found, error = await _tried(request, room, draft)
        if given.get("part"):
            return frame.fragment(request, "metrics/preview.html", draft=draft, tried=found, error=error, part=True)
        return _form(request, frame, draft, found, error)

    @router.post("/new")
    async def create(request: Request) -> Response:
        """Make a metric."""
        draft = await run_in_threadpool(_read, room, await parameters(request))
        try:
            made = await run_in_threadpool(_create, room, draft)
        except QueryError as error:
            return _form(request, frame, draft, None, error)
        return RedirectResponse(f"{_HOME}/{quote(made.name)}?made=1", 303)


def _read(room: Room, given: QueryParams) -> Draft:
    """Return the draft of an address or a form, with plain words for lines read as the query that they stand for."""
    draft = read_draft(given)
    return replace(draft, filter=asked.in_logql(room.services, draft.filter))


async def _tried(request: Request, room: Room, draft: Draft) -> tuple[Tried | None, QueryError | None]:
    services, metrics = room.services, room.metrics
    try:
        return await room.work.watched(request, lambda gone: tried(draft, services, metrics, gone), TIMEOUT_S), None
    except QueryError as error:
        return None, error
    except (TailraceError, TimeoutError) as error:
        return None, QueryError(one_line(error))


def _form(request: Request, frame: Frame, draft: Draft, found: Tried | None, error: QueryError | None) -> Response:
    return frame.page(
        request,
        "metrics/new.html",
        view="metrics",
        status=200 if error is None else 400,
        draft=draft,
        tried=found,
        error=error,
    )


def _create(room: Room, draft: Draft) -> Metric:
    if not NAME.fullmatch(draft.name):
        raise QueryError(texts.NO_NAME, hint=texts.NO_NAME_HINT)
    return room.metrics.definitions.create(
        draft.name,
        draft.what(),
        now_ns=room.services.clock.now_ns(),
        period_ns=draft.period_ns(),
        backfill_ns=draft.backfill_ns(),
    )


def _add_one(router: APIRouter, frame: Frame, room: Room) -> None:
    metrics, work = room.metrics, room.work

    @router.get("/{name}")
    async def one(request: Request, name: str) -> Response:
        """Show a metric, or a series that rules record."""
        metric = await run_in_threadpool(metrics.definitions.get, name)
        if metric is None:
            return await _recorded(request, frame, room, name)
        queries = await work.run(request, room.queries, lane="quick")
        shown = await work.run(request, lambda: listed(metrics, metric, queries))
        answer, chart, error, span = None, None, None, (0, 0)
        try:
            start_ns, end_ns = _range(request, room)
            answer, chart, *ends = await work.run(request, lambda: drawn(metrics, metric, start_ns, end_ns))
            span = (ends[0], ends[1])
        except QueryError as problem:
            error = problem
        except (TailraceError, TimeoutError) as problem:
            error = QueryError(one_line(problem))
        parts: dict[str, Any] = {"shown": shown, "answer": answer, "chart": chart}  # Any: what the template takes
        parts |= {"span": span, "error": error}
        parts |= {"made": request.query_params.get("made") == "1", "may_delete": may(request, "admin")}
        return frame.page(request, "metrics/metric.html", view="metrics", given=request.query_params, **parts)

    @router.post("/{name}/delete")
    def delete(name: str) -> Response:
        """Delete a metric and its numbers."""
        if not metrics.definitions.delete(name):
            raise Refused(404, f"there is no metric {name[:60]!r}")
        return RedirectResponse(_HOME, 303)


async def _recorded(request: Request, frame: Frame, room: Room, name: str) -> Response:
    services, work = room.services, room.work
    rules = await work.run(
        request, lambda: [one for one in recording_rules(services) if one.name == name], lane="quick"
    )
    if not rules:
        raise Refused(404, f"there is no metric {name[:60]!r}")
    queries = await work.run(request, room.queries, lane="quick")
    shown = await work.run(request, lambda: with_values(rules[0], services, queries))
    start, end = _range(request, room)
    end_ns = (services.clock.now_ns() if end is None else end) // _STEP_NS * _STEP_NS
    start_ns = end_ns - (CHART_PERIODS - 1) * _STEP_NS if start is None else start // _STEP_NS * _STEP_NS
    step_ns = max(_STEP_NS, (end_ns - start_ns) // 500 // _STEP_NS * _STEP_NS)
    parts: dict[str, Any] = {"answer": None, "chart": None, "error": None}  # Any: as above
    try:
        parts["answer"], parts["chart"] = await work.watched(
            request, lambda gone: drawn_series(services, name, start_ns, end_ns, step_ns, gone)
        )
    except QueryError as problem:
        parts["error"] = problem
    except (TailraceError, TimeoutError) as problem:
        parts["error"] = QueryError(one_line(problem))
    return frame.page(
        request,
        "metrics/recorded.html",
        view="metrics",
        shown=shown,
        rules=rules,
        span=(start_ns, end_ns),
        given=request.query_params,
        **parts,
    )


def _range(request: Request, room: Room) -> tuple[int | None, int | None]:
    given, now_ns = request.query_params, room.services.clock.now_ns()
    start, end = given.get("from", "").strip(), given.get("to", "").strip()
    return (
        moment_ns(start, now_ns, "from") if start else None,
        moment_ns(end, now_ns, "to") if end else None,
    )
