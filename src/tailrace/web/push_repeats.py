"""Pushes that come twice: a sender that saw no answer sends again, and nothing is stored a second time.

Two ways to know it. By content: an entry with the stream, time, line and metadata of one of the newest
`limits.PUSH_REPEATS` that are durable is left out, and counted; those from before this process began are read from the
table at the first push (`push_recall`). While such an entry is on its way, whoever sends it again is told to come back.
By key: a request whose `Idempotency-Key` is one of the newest `limits.PUSH_KEYS` that ended well is a no-op; keys are
remembered by this process only. What is forgotten is stored twice, never dropped, and log queries show equal entries
once in any case.
"""

from __future__ import annotations

import operator
import threading
from contextlib import contextmanager
from functools import reduce
from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace import limits
from tailrace.errors import DataError
from tailrace.intake.seen import SEEDS, Seen
from tailrace.web.refusals import Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HEADER: Final = "idempotency-key"
_KEY_CHARS: Final = 255
_ENTRY: Final = ("_stream", "_time_ns", "_line")
_APART: Final = ("_observed_ns", "_level")
"""Columns that say nothing about whether an entry is the same."""


class Repeats:
    """What was pushed of late; any thread may ask. `recall` returns what was pushed before this process began."""

    def __init__(self, recall: Callable[[], pl.DataFrame] | None = None) -> None:
        self._entries = Seen(lambda: () if recall is None else _hashes(recall()), limits.PUSH_REPEATS)
        self._lock = threading.Lock()
        self._done: dict[str, None] = {}
        self._busy: set[str] = set()

    @contextmanager
    def taking(self) -> Iterator[Callable[[pl.DataFrame], pl.DataFrame]]:
        """Lend a function that returns the unknown rows of a push, each once; they are known when the block ends well.

        `TransientError` if another request is storing one of them: a sender that gave up waiting has sent it again.
        """
        with self._entries.taking() as taking:

            def fresh(frame: pl.DataFrame) -> pl.DataFrame:
                new = taking.new(_hashes(frame))
                return frame if all(new) else frame.filter(pl.Series(new))

            yield fresh

    @contextmanager
    def once(self, key: str | None) -> Iterator[bool]:
        """Yield whether a request is to be done; the key is known when the block ends well. Without a key it is."""
        if key is None:
            yield True
            return
        if not 0 < len(key) <= _KEY_CHARS:
            raise DataError(f"the idempotency key must have 1 to {_KEY_CHARS} characters")
        with self._lock:
            if key in self._busy:
                raise Refused(503, "a request with this idempotency key is under way", {"Retry-After": "1"})
            known = key in self._done
            self._busy.add(key)
        try:
            yield not known
            with self._lock:
                self._done[key] = None
                while len(self._done) > limits.PUSH_KEYS:
                    del self._done[next(iter(self._done))]
        finally:
            with self._lock:
                self._busy.discard(key)


def _hashes(frame: pl.DataFrame) -> list[int]:
    """Return a number of 128 bits for each row; columns that hold nothing do not matter."""
    fields = [column for column in frame.columns if column not in (*_ENTRY, *_APART)]
    halves = []
    for seed in SEEDS:
        parts = [pl.struct(_ENTRY).hash(seed)]
        parts += [
            pl.when(pl.col(name).is_null()).then(0).otherwise(pl.struct(pl.lit(name), name).hash(seed))
            for name in fields
        ]
        halves.append(reduce(operator.xor, parts))
    high, low = frame.select(halves[0].alias("high"), halves[1].alias("low"))
    return [(a << 64) | b for a, b in zip(high.to_list(), low.to_list(), strict=True)]
