"""Live tails: rows of new commits, pushed to a browser or a terminal as server-sent events.

A tail looks into the table in a worker thread, four times a second at most, and sends what it may: `rate` lines a
second. What is over is left out, the oldest of them or evenly among them, and counted, so a reader always knows. A slow
reader holds its own tail up and nothing else: the next look finds what came meanwhile. A silent tail sends a comment
every 15 s. A tail ends when its client goes, or when the process drains. There are at most `limits.LIVE_TAILS`.

The `id` of an event is where in the arrival of lines it ends: the version of the table and when that was seen. Who
connects again with it (`Last-Event-ID`, or `after` in the address) goes on there without a hole or a repeat, also with
another server of the same table. Who was away for longer than `RESUMED_S` begins anew and is told of the gap:
segments that were joined meanwhile may be gone.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import polars as pl
from starlette.responses import StreamingResponse

from tailrace import limits
from tailrace.clock import NS_PER_S
from tailrace.errors import TailraceError
from tailrace.query.follow import Follower
from tailrace.query.result import Lines, Stats
from tailrace.web.refusals import Refused, as_json

if TYPE_CHECKING:
    from starlette.requests import Request

    from tailrace.web.services import Services

POLL_S: Final = 0.25
SILENCE_S: Final = 15.0
POLL_ROWS: Final = 20 * limits.LIVE_ROWS
"""Lines of one look that are read, sent or not; those beyond are counted."""

RESUMED_S: Final = 60.0
"""How long a reader may be away: the least time that removed segments stay on the disk, see `store.maintain`."""

LATE_S: Final = 10.0
"""How old a line is at its arrival that counts as late: reading, committing and looking take two seconds at most."""

RETRY_MS: Final = 1_000
"""After which a browser connects again."""

_GOLDEN: Final = 0.618033988749895
"""Its multiples, without their whole part, fill the numbers below 1 evenly."""

_LINE_END: Final = re.compile(r"\r\n|\r|\n")
_PLACE: Final = re.compile(r"(\d{1,18})-(\d{1,19})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Turn:
    """What one look brought: the lines to show, oldest first, and of how many they are."""

    lines: Lines
    arrived: int
    late: int
    exact: bool  # whether no more than `arrived` came
    at_ns: int  # when it was looked
    gap: tuple[int, int] | None = None  # times between which nothing was followed; in the first turn of a reader
    times: tuple[int, int] | None = None  # of the first and the last of all that arrived

    @property
    def left_out(self) -> int:
        """Return how many lines are not shown."""
        return max(self.arrived - self.lines.frame.height, 0 if self.exact else 1)


Show = Callable[[Turn], list[tuple[str, str]]]
"""Turns a look into events: name and data. The first look of a reader has no lines, and may have a gap."""


class LiveTails:
    """The tails that run now."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._pool = ThreadPoolExecutor(2, thread_name_prefix="live")
        self._count = 0
        services.accounts.gauge("tailrace_live_tails", "Live tails that run now.", lambda: [({}, self._count)])

    def open(
        self, request: Request, query: str, show: Show, *, rate: int | None = None, spread: bool = False
    ) -> StreamingResponse:
        """Return the stream of a query's new lines; refuse a wrong query, or one tail too many, at once.

        Of more than `rate` lines a second the newest are sent, or with `spread` some that lie evenly among all.
        """
        if self._count >= limits.LIVE_TAILS:
            raise Refused(503, f"{limits.LIVE_TAILS} live tails are running; close one", {"Retry-After": "5"})
        services, now_ns = self._services, self._services.clock.now_ns()
        after, gap = _place(request, now_ns)
        follower = Follower(query, services.table, services.engine, limit=POLL_ROWS, after=after)
        tail = _Tail(follower, show, services, limits.LIVE_ROWS if rate is None else rate, spread=spread)
        return StreamingResponse(
            self._events(tail, tail.first(now_ns, gap)),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )

    async def _events(self, tail: _Tail, first: str) -> AsyncIterator[str]:
        loop, quiet_s = asyncio.get_running_loop(), 0.0
        self._count += 1
        try:
            yield f"retry: {RETRY_MS}\n: following\n{tail.place}\n" + first
            while self._services.ready():
                text = await loop.run_in_executor(self._pool, tail.turn)
                quiet_s = 0.0 if text else quiet_s + POLL_S
                if quiet_s >= SILENCE_S:
                    text, quiet_s = f": still here\n{tail.place}\n", 0.0
                if text:
                    yield text
                await asyncio.sleep(POLL_S)
        except TailraceError as error:
            yield event("failed", json.dumps(as_json(error)))
        finally:
            self._count -= 1


class _Tail:
    """One tail; one thread at a time calls."""

    def __init__(self, follower: Follower, show: Show, services: Services, rate: int, *, spread: bool) -> None:
        self._follower, self._show, self._clock = follower, show, services.clock
        self._rate, self._room, self._spread = rate, float(rate), spread
        self._at_ns = services.clock.now_ns()

    @property
    def place(self) -> str:
        """Return where this has come to, as a line of a stream."""
        return f"id: {self._follower.version}-{self._at_ns}\n"

    def first(self, now_ns: int, gap: tuple[int, int] | None) -> str:
        """Return what a reader is told before any line."""
        nothing = Lines(pl.DataFrame(), Stats())
        return self._said(Turn(nothing, 0, 0, exact=True, at_ns=now_ns, gap=gap))

    def turn(self) -> str:
        """Look once; return the events of it, the last with its place, so that what was cut off comes again."""
        self._at_ns = self._clock.now_ns()
        arrived = self._follower.arrived(self._at_ns - round(LATE_S * NS_PER_S))
        self._room = min(self._room + self._rate * POLL_S, self._rate)
        if not arrived.total and arrived.exact:
            return ""
        kept = _some(arrived.lines, int(self._room), spread=self._spread)
        self._room -= kept.frame.height
        return self._said(Turn(kept, arrived.total, arrived.late, arrived.exact, self._at_ns, times=arrived.times))

    def _said(self, turn: Turn) -> str:
        events = self._show(turn)
        texts = [event(name, data) for name, data in events]
        if texts:
            texts[-1] = self.place + texts[-1]
        return "".join(texts)


def _place(request: Request, now_ns: int) -> tuple[int | None, tuple[int, int] | None]:
    """Return the version that a reader goes on behind, or the gap since it was last here."""
    match = _PLACE.fullmatch(request.headers.get("last-event-id", "") or request.query_params.get("after", ""))
    if match is None:
        return None, None
    version, at_ns = int(match[1]), int(match[2])
    if 0 <= now_ns - at_ns <= RESUMED_S * NS_PER_S:
        return version, None
    return None, (min(at_ns, now_ns), now_ns)


def _some(lines: Lines, room: int, *, spread: bool) -> Lines:
    """Return as many lines as there is room for."""
    frame = lines.frame
    over = frame.height - room
    if over <= 0:
        return lines
    if spread and room:
        return replace(lines, frame=frame[_places(frame.height, room)])
    return replace(lines, frame=frame.slice(over))


def _places(height: int, room: int) -> pl.Series:
    """Return one place of each of `room` equal parts; where in its part differs, so that no rhythm of lines is met.

    Neighbours are 0.6 parts apart at least. Where that is less than a place, those to leave out are chosen so.

    >>> _places(40, 4).to_list()
    [0, 16, 22, 38]
    """
    if 2 * room > height:
        every = pl.int_range(height, eager=True)
        return every.filter(~every.is_in(_places(height, height - room).implode()))
    part = pl.int_range(room, eager=True).cast(pl.Float64)
    return ((part + part * _GOLDEN % 1.0) * height / room).cast(pl.Int64)


def event(name: str, data: str) -> str:
    """Return one server-sent event; data of several lines are sent as such.

    Readers of a stream take a carriage return for the end of a line, too: what follows it would be a field of its own.
    """
    body = "".join(f"data: {line}\n" for line in _LINE_END.split(data))
    return f"event: {name}\n{body}\n"
