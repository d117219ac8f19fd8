"""Queries run in threads of their own: bounded in number, bounded in time, ended when nobody waits any more.

The event loop never runs a query. At most `limits.QUERIES_AT_ONCE` run, `limits.QUERIES_WAITING` wait, and
the next is refused with 429. Lists and the newest lines of streams, which people wait for, have a lane of their own,
half as wide, so that they never stand behind sums over days; so have searches for the newest lines. A query whose
client has gone, or whose time is over, is not started; one that already runs is told, and ends when it next looks
(`query.reads.Reading.check`: between scans and between pieces).
"""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from threading import BoundedSemaphore, Event
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, TypeVar

from tailrace import limits
from tailrace.query.reads import wanted_until
from tailrace.query.run import run
from tailrace.web.refusals import Refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from tailrace.query.named import Recorded
    from tailrace.query.result import Lines, Series
    from tailrace.query.run import Request as Asked
    from tailrace.web.services import Services

T = TypeVar("T")

Lane: TypeAlias = Literal["quick", "search", "long"]
"""What is known at once; searches for the newest lines, of which some wait for each other's answer; the rest."""

GRACE_S: Final = 5.0
"""How long a query that runs is waited for when its time is over: it sees that between two pieces of its work."""

LEAST_S: Final = 1.0
"""Time that a query gets at least when its turn comes."""


class Work:
    """The threads that answer queries."""

    def __init__(self, at_once: int = limits.QUERIES_AT_ONCE, waiting: int = limits.QUERIES_WAITING) -> None:
        width: dict[Lane, int] = {"quick": max(1, at_once // 2), "search": max(1, at_once // 2), "long": at_once}
        self._lanes = {lane: ThreadPoolExecutor(most, thread_name_prefix=lane) for lane, most in width.items()}
        self._room = BoundedSemaphore(sum(width.values()) + waiting)
        self._open: set[Future[Any]] = set()
        self.refused = 0

    async def run(
        self,
        request: Request,
        ask: Callable[[], T],
        timeout_s: float = limits.QUERY_TIMEOUT_S,
        *,
        lane: Lane = "long",
    ) -> T:
        """Return what `ask` returns; see `watched`."""
        return await self.watched(request, lambda _: ask(), timeout_s, lane=lane)

    async def watched(
        self,
        request: Request,
        ask: Callable[[Callable[[], bool]], T],
        timeout_s: float = limits.QUERY_TIMEOUT_S,
        *,
        lane: Lane = "long",
    ) -> T:
        """Return what `ask` returns; `TimeoutError` after the time limit, `Refused` when busy or nobody waits.

        `ask` gets a function that tells whether the answer is still wanted: true means to give up. The body of the
        request must have been read: its channel is watched for the client's leaving.
        """
        if not self._room.acquire(blocking=False):
            self.refused += 1
            raise Refused(429, "too many queries are waiting; ask again in a moment", {"Retry-After": "1"})
        unwanted = Event()
        future = self._lanes[lane].submit(_asked, ask, unwanted.is_set)
        self._open.add(future)
        future.add_done_callback(self._done)
        waited = asyncio.wrap_future(future)
        gone: asyncio.Future[None] = asyncio.ensure_future(_gone(request))
        try:
            await asyncio.wait((waited, gone), timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
            if future.running() and not gone.done():  # it looks at the clock itself, and can say more than we
                await asyncio.wait((waited, gone), timeout=GRACE_S, return_when=asyncio.FIRST_COMPLETED)
            if waited.done():
                return waited.result()
            if gone.done():
                raise Refused(499, "the client went away")
            why = "ask for a shorter range" if future.running() else "others were before it; ask again in a moment"
            raise TimeoutError(f"the query was given up after {timeout_s:g} s; {why}")
        finally:
            unwanted.set()
            gone.cancel()
            future.cancel()  # at once, not with the loop's next turn: it may not begin any more
            waited.cancel()

    def _done(self, future: Future[Any]) -> None:
        self._open.discard(future)
        self._room.release()

    @property
    def standing(self) -> tuple[int, int]:
        """How many queries run now, and how many wait for their turn."""
        running = [future.running() for future in tuple(self._open)]
        return sum(running), len(running) - sum(running)

    async def query(
        self,
        request: Request,
        asked: Asked,
        services: Services,
        shape: Callable[[Lines | Series], T],
        recorded: Recorded | None = None,
    ) -> T:
        """Return what `shape` makes of a query's answer, in the same thread; the statistics say how long it waited.

        With `recorded` the query may name series that rules recorded.
        """
        asked_s = time.perf_counter()

        def answer(unwanted: Callable[[], bool]) -> T:
            waited_s = time.perf_counter() - asked_s
            mine = begun(asked, waited_s, unwanted)
            result = run(mine, services.table, services.engine, services.kept, recorded=recorded)
            result.stats.queue_seconds = waited_s
            return shape(result)

        return await self.watched(request, answer, asked.timeout_s)

    def close(self) -> None:
        """Start no further query; those that run end by themselves."""
        for pool in self._lanes.values():
            pool.shutdown(wait=False, cancel_futures=True)


def _asked(ask: Callable[[Callable[[], bool]], T], unwanted: Callable[[], bool]) -> T:
    """Answer in a thread; queries within it that were not told so end with it when nobody waits any more."""
    with wanted_until(unwanted):
        return ask(unwanted)


def begun(asked: Asked, waited_s: float, unwanted: Callable[[], bool]) -> Asked:
    """Return a request whose turn has come: it has the time that is left, so that it ends with words of its own."""
    return replace(asked, cancelled=unwanted, timeout_s=max(asked.timeout_s - waited_s, LEAST_S))


async def _gone(request: Request) -> None:
    """Return when the client has gone: after the body, that is the next that a request's channel says."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
