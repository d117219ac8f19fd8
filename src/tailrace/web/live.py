"""Live tails: rows of new commits, pushed to a browser or a terminal as server-sent events.

Each tail polls in a worker thread and sends at most `limits.LIVE_ROWS` a second; what is over is left out and
counted in an event `dropped`, so a reader always knows. A silent tail sends a comment every 15 s. A tail ends
when its client goes, or when the process drains. There are at most `limits.LIVE_TAILS`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from starlette.responses import StreamingResponse

from tailrace import limits
from tailrace.errors import TailraceError
from tailrace.query.follow import Follower
from tailrace.query.result import Lines
from tailrace.web.refusals import Refused, as_json

if TYPE_CHECKING:
    from tailrace.web.services import Services

POLL_S: Final = 0.25
SILENCE_S: Final = 15.0
POLL_ROWS: Final = 20 * limits.LIVE_ROWS
"""Lines of one poll that are read, sent or not; of what is beyond, only that there was more is known."""

Render = Callable[[Lines], list[tuple[str, str]]]
"""Turns new lines into events: name and data."""


class LiveTails:
    """The tails that run now."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._pool = ThreadPoolExecutor(2, thread_name_prefix="live")
        self._count = 0
        services.accounts.gauge("tailrace_live_tails", "Live tails that run now.", lambda: [({}, self._count)])

    def open(self, query: str, render: Render) -> StreamingResponse:
        """Return the stream of a query's new lines; refuse a wrong query, or one tail too many, at once."""
        if self._count >= limits.LIVE_TAILS:
            raise Refused(503, f"{limits.LIVE_TAILS} live tails are running; close one", {"Retry-After": "5"})
        follower = Follower(query, self._services.table, self._services.engine, limit=POLL_ROWS)
        return StreamingResponse(
            self._events(follower, render),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )

    async def _events(self, follower: Follower, render: Render) -> AsyncIterator[str]:
        loop, quiet_s, room = asyncio.get_running_loop(), 0.0, float(limits.LIVE_ROWS)
        self._count += 1
        try:
            yield ": following\n\n"
            while self._services.ready():
                text, sent = await loop.run_in_executor(self._pool, _turn, follower, render, int(room))
                room = min(room - sent + limits.LIVE_ROWS * POLL_S, limits.LIVE_ROWS)
                quiet_s = 0.0 if text else quiet_s + POLL_S
                if quiet_s >= SILENCE_S:
                    text, quiet_s = ": still here\n\n", 0.0
                if text:
                    yield text
                await asyncio.sleep(POLL_S)
        except TailraceError as error:
            yield event("failed", json.dumps(as_json(error)))
        finally:
            self._count -= 1


def _turn(follower: Follower, render: Render, room: int) -> tuple[str, int]:
    """Return the events of one poll and how many lines they hold: the newest, as many as there is room for."""
    lines = follower.poll()
    over = max(0, lines.frame.height - room)
    kept = Lines(lines.frame.slice(over), lines.stats, lines.complete, lines.warnings)
    texts = [event(name, data) for name, data in render(kept)] if kept.frame.height else []
    if over or not lines.complete:
        texts.append(event("dropped", str(max(over, 1))))
    return "".join(texts), kept.frame.height


def event(name: str, data: str) -> str:
    """Return one server-sent event; data of several lines are sent as such."""
    body = "".join(f"data: {line}\n" for line in data.split("\n"))
    return f"event: {name}\n{body}\n"
