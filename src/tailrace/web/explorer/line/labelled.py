"""All lines of the streams that have a label: `/logs/<key>/<value>`, for programs as JSON, for browsers as a search.

Programs get an array of lines, oldest first, page by page in bounded memory; `start`, `end` and `limit` narrow it. A
value may contain slashes. A label that no stream has is answered with 404 in both forms.
"""

from __future__ import annotations

# ruff: noqa: TC001, TC002, TC003 -- FastAPI reads the annotations of endpoints at run time
import re
from collections.abc import Iterator
from typing import Final

import polars as pl
from fastapi import APIRouter
from starlette.concurrency import iterate_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse

from tailrace.errors import QueryError
from tailrace.query.labels import label_values
from tailrace.query.lexer import quote
from tailrace.query.render.columns import json_text
from tailrace.query.result import Lines
from tailrace.query.run import Request as Asked
from tailrace.query.run import pages
from tailrace.web.explorer.frame import Frame, wants_page
from tailrace.web.explorer.search.found import FIRST_NS, LAST_NS
from tailrace.web.explorer.search.state import read_state
from tailrace.web.explorer.texts import lines as texts
from tailrace.web.parameters import integer
from tailrace.web.refusals import Refused
from tailrace.web.services import Services
from tailrace.web.times import time_ns
from tailrace.web.work import Work

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_TIMEOUT_S: Final = 3_600.0
"""How long all lines may take: the time counts while the client reads, too."""


def routes(services: Services, frame: Frame, work: Work) -> APIRouter:
    """Return the address of a label's lines."""
    router = APIRouter(include_in_schema=False)

    @router.get("/logs/{key}/{value:path}")
    async def labelled(request: Request, key: str, value: str) -> Response:
        """Send the lines of a label, or show them."""
        page = wants_page(request)
        known = _NAME.fullmatch(key) is not None and await work.run(
            request, lambda: value in label_values(services.table, key, FIRST_NS, LAST_NS), lane="quick"
        )
        if not known:
            why = texts.NO_LABEL.format(name=key[:80], value=value[:200])
            if not page:
                raise Refused(404, why)
            parts = {"title": texts.NO_LABEL_TITLE, "why": why, "near": "", "search_url": "/"}
            return frame.page(request, "line/gone.html", view="search", status=404, **parts)
        query = f"{{{key}={quote(value)}}}"
        if page:
            return RedirectResponse(read_state(request.query_params).change(q=query).url(), 303)
        read = pages(_asked(request, query), services.table, services.engine)
        first = await work.run(request, lambda: next(read, None))
        pieces = iterate_in_threadpool(_array(first, read))
        return StreamingResponse(pieces, media_type="application/json", headers={"Cache-Control": "no-store"})

    return router


def _asked(request: Request, query: str) -> Asked:
    given = request.query_params
    start_ns = time_ns(given["start"], "start") if given.get("start") else FIRST_NS
    end_ns = time_ns(given["end"], "end") if given.get("end") else LAST_NS
    limit = integer(given, "limit", 0)
    if limit < 0:
        raise QueryError(f"limit={limit} is less than zero", hint="0 stands for all")
    return Asked(query, start_ns, end_ns, None, limit, "forward", _TIMEOUT_S)


def _array(first: Lines | None, rest: Iterator[Lines]) -> Iterator[str]:
    """Write pages as one JSON array; a failure after the first cuts it, which no reader takes for whole."""
    yield "["
    if first is not None:
        yield _items(first)
        for page in rest:
            yield ","
            yield _items(page)
    yield "]"


def _items(page: Lines) -> str:
    return str(page.frame.select(json_text(pl.col("_line").fill_null("")).str.join(",")).item())
