"""Live tail over a websocket, as Loki has it: `/loki/api/v1/tail`.

Wrong parameters are refused before the upgrade, with their status; what goes wrong later closes the socket with 1011
and a reason; a server that drains closes it with 1000. Each tail polls the table in a worker thread, so ingest never
waits for it. At most `limits.LIVE_ROWS` lines a second are sent; what is over, because much arrives or the reader is
slow, is left out and named in `dropped_entries`. Keep-alive pings are the server's (`ws_ping_interval`).
"""

from __future__ import annotations

# ruff: noqa: TC001, TC002 -- FastAPI reads the annotations of endpoints at run time
import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

import polars as pl
from fastapi import APIRouter
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.websockets import WebSocket, WebSocketDisconnect

from tailrace import limits
from tailrace.clock import NS_PER_S
from tailrace.errors import QueryError, TailraceError
from tailrace.query import parser
from tailrace.query.follow import Follower
from tailrace.query.render import loki_frame
from tailrace.query.result import PARSED, STREAM, Lines
from tailrace.web.answers import categorized
from tailrace.web.live import POLL_ROWS, POLL_S
from tailrace.web.parameters import integer, query_text
from tailrace.web.ranges import HOUR_NS
from tailrace.web.refusals import Refused, status_and_line
from tailrace.web.services import Services
from tailrace.web.times import duration_ns, time_ns

PATH: Final = "/loki/api/v1/tail"
OLD_PATH: Final = "/loki/api/v2alpha/tail"
"""Older Grafana takes anything but 404 for a server that has it."""

NORMAL: Final = 1_000
FAILED: Final = 1_011
_REASON_BYTES: Final = 120
"""A close frame holds no more."""

_MESSAGE_BYTES: Final = 256 * limits.KIB
"""Lines of about so many bytes are one message; labels come on top, and readers allow a MiB."""

_DROPPED: Final = 1_000
"""Entries that one frame names as dropped; those beyond are counted in a warning."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a tail asks for."""

    query: str
    start_ns: int
    history: int
    delay_s: float
    categorize: bool


class Tails:
    """The tails that run now."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._pool = ThreadPoolExecutor(2, thread_name_prefix="tail")
        self._count = 0
        services.accounts.gauge("tailrace_loki_tails", "Websocket tails that run now.", lambda: [({}, self._count)])

    async def serve(self, socket: WebSocket) -> None:
        """Answer one connection until it ends."""
        try:
            asked = self._asked(socket)
        except TailraceError as error:
            status, text, headers = status_and_line(error)
            await socket.send_denial_response(PlainTextResponse(text, status, headers))
            return
        await socket.accept()
        self._count += 1
        try:
            await self._run(socket, asked)
        finally:
            self._count -= 1

    def _asked(self, socket: WebSocket) -> Asked:
        if self._count >= limits.TAILS:
            raise Refused(429, f"{limits.TAILS} live tails are running; close one", {"Retry-After": "5"})
        if not self._services.ready():
            raise Refused(503, "the server is starting or stopping", {"Retry-After": "5"})
        return asked_for(socket.query_params, self._services.clock.now_ns(), categorize=categorized(socket.headers))

    async def _run(self, socket: WebSocket, asked: Asked) -> None:
        gone = asyncio.ensure_future(_gone(socket))
        sending = asyncio.ensure_future(self._send(socket, asked))
        try:
            await asyncio.wait((gone, sending), return_when=asyncio.FIRST_COMPLETED)
            if sending.done():
                await socket.close(*_ending(sending.exception()))
        finally:
            for task in (gone, sending):
                task.cancel()
            await asyncio.gather(gone, sending, return_exceptions=True)

    async def _send(self, socket: WebSocket, asked: Asked) -> None:
        """Send frame after frame; a slow reader holds this up, and nothing else."""
        loop, room, live = asyncio.get_running_loop(), float(limits.LIVE_ROWS), not asked.history
        follower = await loop.run_in_executor(self._pool, self._follower, asked)
        while self._services.ready():
            lines = await loop.run_in_executor(self._pool, follower.poll)
            texts, sent = await loop.run_in_executor(self._pool, _frames, lines, int(room), asked.categorize, live)
            pause_s = max(POLL_S, asked.delay_s)
            room = min(room - (sent if live else 0) + limits.LIVE_ROWS * pause_s, limits.LIVE_ROWS * max(1.0, pause_s))
            live = True
            for text in texts:
                await socket.send_text(text)
            until = loop.time() + pause_s
            while loop.time() < until and self._services.ready():  # noqa: ASYNC110  readiness has no event
                await asyncio.sleep(min(POLL_S, pause_s))

    def _follower(self, asked: Asked) -> Follower:
        services = self._services
        return Follower(
            asked.query,
            services.table,
            services.engine,
            history=asked.history,
            history_start_ns=asked.start_ns,
            limit=POLL_ROWS,
        )


def routes(services: Services) -> APIRouter:
    """Return the websocket, and what plain requests to it are told."""
    router, tails = APIRouter(), Tails(services)

    @router.websocket(PATH)
    async def tail(socket: WebSocket) -> None:
        """Send new lines as they come."""
        await tails.serve(socket)

    @router.websocket(OLD_PATH)
    async def old_tail(socket: WebSocket) -> None:
        """Say that the old path is not there."""
        await socket.send_denial_response(PlainTextResponse("Not Found", 404))

    @router.get(PATH, include_in_schema=False)
    def no_upgrade(request: Request) -> Response:
        """Refuse a request that is no websocket; a wrong query is said first."""
        asked_for(request.query_params, services.clock.now_ns(), categorize=False)
        raise QueryError("a live tail is a websocket", hint="connect with ws://, or ask /api/v1/logs/tail")

    return router


def asked_for(given: QueryParams, now_ns: int, *, categorize: bool) -> Asked:
    """Return what the parameters ask for; a metric query is let in, and turned down on the socket, as by Loki."""
    text = query_text(given)
    parser.parse(text)
    limit = integer(given, "limit", limits.ENTRIES_DEFAULT)
    if not 0 <= limit <= limits.ENTRIES_LIMIT:
        raise QueryError(f"limit={limit} must lie between 0 and {limits.ENTRIES_LIMIT}")
    delay_ns = duration_ns(given["delay_for"], "delay_for") if given.get("delay_for") else 0
    if not 0 <= delay_ns <= limits.TAIL_DELAY_S * NS_PER_S:
        raise QueryError(f"delay_for={given['delay_for'][:40]!r} must lie between 0 and {limits.TAIL_DELAY_S} s")
    start_ns = time_ns(given["start"], "start") if given.get("start") else now_ns - HOUR_NS
    return Asked(text, start_ns, limit, delay_ns / NS_PER_S, categorize)


def _frames(lines: Lines, room: int, categorize: bool, live: bool) -> tuple[list[str], int]:
    """Return the messages of one poll, none if there is nothing, and how many lines they hold: the newest that fit."""
    over = max(0, lines.frame.height - room) if live else 0
    kept = lines.frame.slice(over)
    if not kept.height and not over and lines.complete:
        return [], 0
    further: dict[str, Any] = {}  # JSON: entries and texts
    if over:
        further["dropped_entries"] = _dropped(lines.frame.head(over).tail(_DROPPED))
    warnings = list(lines.warnings)
    if over > _DROPPED:
        warnings.append(f"{over} lines were dropped, the newest {_DROPPED} of them are named")
    if warnings:
        further["warnings"] = warnings
    texts = [loki_frame(part, categorize=categorize, metadata=categorize or not live) for part in _parts(kept)]
    texts[0] += "".join(f',"{name}":{json.dumps(value, ensure_ascii=False)}' for name, value in further.items())
    return [f"{text}}}" for text in texts], kept.height


def _parts(frame: pl.DataFrame) -> list[pl.DataFrame]:
    """Cut lines into messages that every client takes."""
    sizes = frame["_line"].str.len_bytes().fill_null(0).cum_sum()
    if frame.is_empty() or int(sizes[-1]) <= _MESSAGE_BYTES:
        return [frame]
    return frame.with_columns(_part=sizes // _MESSAGE_BYTES).partition_by(
        "_part", maintain_order=True, include_key=False
    )


def _dropped(frame: pl.DataFrame) -> list[dict[str, Any]]:
    """Return time and labels of lines that are not sent."""
    names = [column for column in frame.columns if column.startswith((STREAM, PARSED))]
    return [
        {
            "timestamp": str(row["_time_ns"]),
            "labels": {name.partition(".")[2]: row[name] for name in names if row[name] is not None},
        }
        for row in frame.select("_time_ns", *names).iter_rows(named=True)
    ]


def _ending(error: BaseException | None) -> tuple[int, str]:
    """Return code and reason of the close frame."""
    if error is None:
        return NORMAL, "the server is stopping"
    text = status_and_line(error)[1] if isinstance(error, Exception) else str(error)
    return FAILED, text.encode()[:_REASON_BYTES].decode(errors="ignore")


async def _gone(socket: WebSocket) -> None:
    """Return when the client has gone; what it sends meanwhile is of no interest."""
    try:
        while True:
            await socket.receive()
    except (WebSocketDisconnect, RuntimeError):  # a second receive after the first that said so
        return
