"""Queries run in threads of their own: bounded in number, bounded in time, dropped when nobody waits any more.

The event loop never runs a query. At most `limits.QUERIES_AT_ONCE` run, `limits.QUERIES_WAITING` wait, and
the next is refused with 429. A query whose client has gone is not started; one that already runs ends
at its own time limit, which is why requests carry one.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from threading import BoundedSemaphore
from typing import TYPE_CHECKING, TypeVar

from tailrace import limits
from tailrace.web.refusals import Refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

T = TypeVar("T")


class Work:
    """The threads that answer queries."""

    def __init__(self, at_once: int = limits.QUERIES_AT_ONCE, waiting: int = limits.QUERIES_WAITING) -> None:
        self._pool = ThreadPoolExecutor(at_once, thread_name_prefix="query")
        self._room = BoundedSemaphore(at_once + waiting)

    async def run(self, request: Request, ask: Callable[[], T], timeout_s: float = limits.QUERY_TIMEOUT_S) -> T:
        """Return what `ask` returns; `TimeoutError` after the time limit, `Refused` when busy or nobody waits.

        The body of the request must have been read: its channel is watched for the client's leaving.
        """
        if not self._room.acquire(blocking=False):
            raise Refused(429, "too many queries are waiting; ask again in a moment", {"Retry-After": "1"})
        future = self._pool.submit(ask)
        future.add_done_callback(lambda _: self._room.release())
        waited = asyncio.wrap_future(future)
        gone: asyncio.Future[None] = asyncio.ensure_future(_gone(request))
        try:
            await asyncio.wait((waited, gone), timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
            if waited.done():
                return waited.result()
            if gone.done():
                raise Refused(499, "the client went away")
            raise TimeoutError(f"the query was given up after {timeout_s:g} s; ask for a shorter range")
        finally:
            gone.cancel()
            waited.cancel()

    def close(self) -> None:
        """Start no further query; those that run end by themselves."""
        self._pool.shutdown(wait=False, cancel_futures=True)


async def _gone(request: Request) -> None:
    """Return when the client has gone."""
    while not await request.is_disconnected():  # noqa: ASYNC110  there is no event for it
        await asyncio.sleep(0.2)
