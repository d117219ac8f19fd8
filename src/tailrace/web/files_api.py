"""The twin over HTTP: `GET|POST /api/v1/files/{ls,du,diff,history,usage,health}` and `POST /api/v1/files/condense`.

Parameters: `path`, `host` (may occur often), `as_of` or `version`; for `ls` `recursive` and `limit`; for `du` `by`,
`depth`, `top`, `dirs`; `from` and `to` for `diff`, `history` and `usage`. Answers are JSON lines, one row a line; the
headers `X-Tailrace-As-Of`, `-Version`, `-Complete` and `-Open-Gaps` say what they were made of.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

# ruff: noqa: TC001, TC002, TC003 -- FastAPI reads the annotations of endpoints at run time
import polars as pl
from fastapi import APIRouter
from starlette.concurrency import iterate_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from tailrace.twin.reading import Twin
from tailrace.web.described import answers
from tailrace.web.files_questions import Answer, Given, ask, condensed
from tailrace.web.parameters import get_or_post, parameters
from tailrace.web.work import Work

_KIND = "application/x-ndjson"
_CONDENSE_TIMEOUT_S = 3_600.0


def routes(twin: Twin, work: Work) -> APIRouter:
    """Return the endpoints under `/api/v1/files`."""
    router = APIRouter(prefix="/api/v1/files")

    async def answer(request: Request, kind: str) -> Response:
        words = await parameters(request)
        given = Given(dict(words), tuple(words.getlist("host")), twin.clock.now_ns())
        found, first, rest = await work.run(request, lambda: _begun(ask(kind, given, twin)))
        return _sent(found, first, rest)

    @get_or_post(router, "/ls", "path", "host", "as_of", "version", "recursive", "limit", kinds=[_KIND])
    async def ls(request: Request) -> Response:
        """List the living paths in a folder, or all below it."""
        return await answer(request, "ls")

    @get_or_post(router, "/du", "path", "host", "as_of", "version", "by", "depth", "top", "dirs", kinds=[_KIND])
    async def du(request: Request) -> Response:
        """Add up sizes: of a folder, and split by directory, owner, group, extension, age, host, type or device."""
        return await answer(request, "du")

    @get_or_post(router, "/diff", "path", "host", "from", "to", "depth", "top", kinds=[_KIND])
    async def diff(request: Request) -> Response:
        """Tell which directories grew between two times, and who wrote there."""
        return await answer(request, "diff")

    @get_or_post(router, "/history", "path", "host", "from", "to", "limit", kinds=[_KIND])
    async def history(request: Request) -> Response:
        """Tell the events of a path, newest first, with who."""
        return await answer(request, "history")

    @get_or_post(router, "/usage", "path", "host", "from", "to", "depth", kinds=[_KIND])
    async def usage(request: Request) -> Response:
        """Return the sizes of directories by day."""
        return await answer(request, "usage")

    @get_or_post(router, "/health", kinds=[_KIND])
    async def health(request: Request) -> Response:
        """Return the numbers that should be 0, and how far the twin is behind."""
        return await answer(request, "health")

    @router.post("/condense", responses=answers(_KIND), response_class=Response)
    async def condense(request: Request) -> Response:
        """Fold the records of every path into one."""
        found, first, rest = await work.run(request, lambda: _begun(condensed(twin)), _CONDENSE_TIMEOUT_S)
        return _sent(found, first, rest)

    return router


def _begun(found: Answer) -> tuple[Answer, list[pl.DataFrame], Iterator[pl.DataFrame]]:
    """Read the first page, so that what fails does so before the answer begins."""
    pages = iter(found.pages)
    return found, [page for page in (next(pages, None),) if page is not None], pages


def _sent(found: Answer, first: list[pl.DataFrame], rest: Iterator[pl.DataFrame]) -> Response:
    headers = {f"X-Tailrace-{name.replace('_', '-').title()}": value for name, value in found.made_of.items()}
    lines = (page.write_ndjson() for page in chain(first, rest) if page.height)
    return StreamingResponse(iterate_in_threadpool(lines), headers=headers, media_type=_KIND)
