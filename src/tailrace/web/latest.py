"""The newest lines, asked for again and again: by every open page and console, mostly with nothing new to say.

An answer to a log query that runs backward is kept with the version of the table that it was made from. It is given
again as long as that is the newest version and the range of time asked for has the same lines in it; ranges that end
now move on with every request. So the work is done once per commit and question, however many ask. Exact: nothing is
given that a query would not find at this moment.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from tailrace import limits
from tailrace.errors import QueryTimeoutError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tailrace.contracts import Table
    from tailrace.query.result import Lines
    from tailrace.query.run import Request

EVER_NS: Final = 2**62
_LOOK_S: Final = 0.1


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer and what it is true for."""

    version: int
    start_ns: int
    end_ns: int
    last: bool  # whether the table holds nothing at or after `end_ns`
    full: bool  # whether there may be more lines than were asked for
    newest_ns: int | None  # of the lines; None if there are none
    oldest_ns: int | None
    body: str

    def answers(self, asked: Request, version: int) -> bool:
        """Tell whether a range of time has the same lines in it."""
        if version != self.version or (asked.end_ns > self.end_ns and not self.last):
            return False
        if self.newest_ns is None or self.oldest_ns is None:
            return asked.start_ns >= self.start_ns
        inside = asked.start_ns <= self.oldest_ns and self.newest_ns < asked.end_ns
        return inside and (self.full or asked.start_ns >= self.start_ns)


@dataclass(slots=True)
class _Place:
    """Where the answer of one question is kept; who makes it holds the lock, and the others wait for it."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    kept: Kept | None = None


class Latest:
    """The answers that are kept; any thread may ask."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._lock = threading.Lock()
        self._places: OrderedDict[tuple[str, int, bool], _Place] = OrderedDict()

    def body(self, asked: Request, *, categorize: bool, make: Callable[[], tuple[Lines, str]]) -> str:
        """Return the text of an answer: a kept one, or what `make` returns beside the lines.

        Who asks while another makes it waits for that one, as long as anybody waits for them.
        """
        place = self._place((asked.query, asked.limit, categorize))
        while not place.lock.acquire(timeout=_LOOK_S):
            if asked.cancelled():
                raise QueryTimeoutError("the query was cancelled")
        try:
            snapshot = self._table.snapshot()
            if place.kept is not None and place.kept.answers(asked, snapshot.version):
                return place.kept.body
            lines, body = make()
            times = lines.frame["_time_ns"]
            held = bool(len(times))
            last = not snapshot.segments(asked.end_ns, EVER_NS).frame.height
            place.kept = (
                Kept(
                    snapshot.version,
                    asked.start_ns,
                    asked.end_ns,
                    last,
                    len(times) >= asked.limit,
                    int(times[0]) if held else None,
                    int(times[-1]) if held else None,
                    body,
                )
                if lines.complete and len(body) <= limits.LATEST_BYTES
                else None
            )
            return body
        finally:
            place.lock.release()

    def _place(self, key: tuple[str, int, bool]) -> _Place:
        with self._lock:
            place = self._places.setdefault(key, _Place())
            self._places.move_to_end(key)
            while len(self._places) > limits.LATEST:
                self._places.popitem(last=False)
            return place
