"""Our own API: what the command line prints for a folder, over HTTP; and its live tail.

`GET|POST /api/v1/logs/query` takes `query`, `start`, `end`, `since`, `limit` (0 = all), `direction`, `step` (none = one
value per series, at `end`) and `output` (jsonl, text, raw, csv, parquet). All lines (`limit=0`) are sent page by page
as `web.exports` has it, with `columns` (names with commas between), `guard=0` (formulas of CSV are left as they are),
`record=1` (JSON lines end with an object that says what the file holds), `comment=1` (CSV and raw do with a line),
`download=1` (under a name of its own) and `job` (a name under which the page looks how far it is).

`/api/v1/logs/tail` sends JSON lines as server-sent events, `/api/v1/explain` tells how a query would run. Failures are
JSON: what, line, column, hint.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from contextlib import suppress

# ruff: noqa: TC001, TC002, TC003 -- FastAPI reads the annotations of endpoints at run time
from typing import Final, cast

from fastapi import APIRouter
from starlette.concurrency import iterate_in_threadpool
from starlette.datastructures import QueryParams
from starlette.requests import Request as HttpRequest
from starlette.responses import PlainTextResponse, Response, StreamingResponse

from tailrace import limits
from tailrace.errors import QueryError, did_you_mean
from tailrace.query import parser, render
from tailrace.query.explain import explain
from tailrace.query.result import Lines, Series
from tailrace.query.run import Request
from tailrace.query.syntax import LogQuery
from tailrace.web import exports
from tailrace.web.described import address, answers
from tailrace.web.live import LiveTails, Turn
from tailrace.web.parameters import direction, get_or_post, integer, parameters, query_text
from tailrace.web.ranges import time_range
from tailrace.web.services import Services
from tailrace.web.times import duration_ns, iso
from tailrace.web.work import Work

_OUTPUTS: Final[dict[str, tuple[str, Callable[[Lines | Series], Iterator[str]]]]] = {
    "jsonl": ("application/x-ndjson", render.to_jsonl),
    "text": ("text/plain; charset=utf-8", render.to_text),
    "raw": ("text/plain; charset=utf-8", render.to_raw),
    "csv": ("text/csv; charset=utf-8", render.to_csv),
}

_KINDS: Final = (*(kind.partition(";")[0] for kind, _ in _OUTPUTS.values()), "application/vnd.apache.parquet")

_ASKED: Final = ("query", "start", "end", "since", "limit", "direction", "step")
_FILE: Final = ("columns", "guard", "record", "comment", "download", "job")
_COLUMNS_MOST: Final = 200
_COLUMN: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

EXPORTS_AT_ONCE: Final = 2
EXPORTS_WAITING: Final = 16
"""Exports that look for their first lines at once, and those that wait; a file with a header looks at all of them."""

_LINE_ENDS: Final = str.maketrans({char: f"\\u{ord(char):04x}" for char in "\x85\u2028\u2029"})
"""Characters that JSON leaves alone and readers of event streams take for the end of a line."""


def routes(services: Services, work: Work, tails: LiveTails, known: exports.Exports) -> APIRouter:
    """Return the endpoints under `/api/v1`."""
    router, files = APIRouter(prefix="/api/v1"), Work(EXPORTS_AT_ONCE, EXPORTS_WAITING)

    @get_or_post(router, "/logs/query", *_ASKED, "output", *_FILE, required=["query"], kinds=_KINDS)
    async def query(request: HttpRequest) -> Response:
        """Answer a query in the form that `output` names."""
        given = await parameters(request)
        output, asked = _output(given), _asked(given, services.clock.now_ns())
        if not asked.limit and output in exports.FORMS and isinstance(parser.parse(asked.query), LogQuery):
            return await _everything(request, asked, _wanted(given, output), given)
        result = await work.query(request, asked, services, lambda found: found)
        headers = {"X-Tailrace-Complete": str(result.complete).lower()}
        if result.warnings:
            headers["X-Tailrace-Warnings"] = _header_text("; ".join(result.warnings))
        if output == "parquet":
            file = await work.run(request, lambda: render.to_parquet(result))
            return Response(file, headers=headers, media_type="application/vnd.apache.parquet")
        kind, write = _OUTPUTS[output]
        pieces = iterate_in_threadpool(write(result))
        return StreamingResponse(pieces, headers=headers, media_type=kind)

    async def _everything(request: HttpRequest, asked: Request, wanted: exports.Wanted, given: QueryParams) -> Response:
        """Send all lines piece by piece: memory holds a few, and the first is there before the answer begins."""
        progress = known.begin(given.get("job", ""))
        pieces = exports.file(asked, wanted, services, progress)
        first = await files.run(request, lambda: next(pieces, b""), exports.TIMEOUT_S)
        headers = {"X-Tailrace-Complete": "true"}
        if given.get("download"):
            headers["Content-Disposition"] = f'attachment; filename="{exports.file_name(asked, wanted.form)}"'
        kind, _ = exports.FORMS[wanted.form]
        return StreamingResponse(_closing(first, pieces, progress), headers=headers, media_type=kind)

    @router.get("/logs/tail", openapi_extra=address(["query"], ["query"]), responses=answers("text/event-stream"))
    def tail(request: HttpRequest) -> Response:
        """Send new lines as they come: events `lines` (JSON lines), `dropped` (a count), `gap` (two times), `failed`.

        Who connects again with `Last-Event-ID` misses nothing; after more than a minute there is a gap.
        """
        return tails.open(request, query_text(request.query_params), _jsonl_events)

    @get_or_post(router, "/explain", *_ASKED, required=["query"], kinds=["text/plain"])
    async def explain_query(request: HttpRequest) -> Response:
        """Tell how a query would run: the plan, and the segments that it reads and skips."""
        given = await parameters(request)
        asked = _asked(given, services.clock.now_ns())
        return PlainTextResponse(await work.run(request, lambda: explain(asked, services.table, services.engine)))

    return router


async def _closing(first: bytes, pieces: Generator[bytes], progress: exports.Progress) -> AsyncIterator[bytes]:
    """Yield pieces that are made in threads; a client that goes away ends them at once."""
    try:
        yield first
        async for piece in iterate_in_threadpool(pieces):
            yield piece
    finally:
        with suppress(ValueError):  # it runs in its thread, and sees by itself that it was cancelled
            progress.cancel()
            pieces.close()


def _wanted(given: QueryParams, output: str) -> exports.Wanted:
    named = [name for name in given.get("columns", "").split(",") if name]
    if len(named) > _COLUMNS_MOST:
        raise QueryError(f"columns names more than {_COLUMNS_MOST}", hint="leave columns out: all come then")
    for name in named:
        if _COLUMN.fullmatch(name) is None:  # it stands in the head of the file, where no guard is
            raise QueryError(f"columns: {name[:40]!r} is no name of a label or field")
    columns = tuple(dict.fromkeys(named)) if "columns" in given and named else None
    form = cast("exports.Form", output)  # looked up among them
    record = given.get("record" if form == "jsonl" else "comment") == "1"
    return exports.Wanted(form, columns, guard=given.get("guard") != "0", record=record)


def _asked(given: QueryParams, now_ns: int) -> Request:
    text = query_text(given)
    start_ns, end_ns = time_range(given, now_ns)
    limit = integer(given, "limit", limits.ENTRIES_DEFAULT)
    if limit < 0:
        raise QueryError(f"limit={limit} is less than zero", hint="0 stands for all")
    step = duration_ns(given["step"], "step") if given.get("step") else None
    if step is not None and step <= 0:
        raise QueryError("step must be more than zero")
    if isinstance(parser.parse(text), LogQuery):
        step = None
    return Request(text, start_ns, end_ns, step, limit, direction(given))


def _output(given: QueryParams) -> str:
    output = given.get("output") or "jsonl"
    known = [*_OUTPUTS, "parquet"]
    if output not in known:
        hint = did_you_mean(output, known) or f"known: {', '.join(known)}"
        raise QueryError(f"output={output[:40]!r} is not known", hint=hint)
    return output


def _jsonl_events(turn: Turn) -> list[tuple[str, str]]:
    events = []
    if turn.gap:
        events.append(("gap", json.dumps({"from": iso(turn.gap[0]), "to": iso(turn.gap[1])})))
    if turn.left_out:
        events.append(("dropped", str(turn.left_out)))
    if turn.lines.frame.height:
        text = "".join(render.to_jsonl(turn.lines))
        events.append(("lines", text.rstrip("\n").translate(_LINE_ENDS)))
    return events


def _header_text(text: str) -> str:
    return " ".join(text.encode("ascii", "replace").decode().split())[:1_000]
