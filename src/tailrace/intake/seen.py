"""Keys that senders give their records, to recognise one that comes again after its answer was lost.

Comes in: keys of records, as numbers of 128 bits. Goes out: which of them are new. At least the newest half of
`limits.PUSH_REPEATS` durable records are known; of those from before this process began the ones that `recall` finds,
which is called once, at the first key. What is forgotten is stored again, never dropped. While a record is on its way,
whoever sends it again is told to come back (`TransientError`): it is not durable yet, so it cannot be called a repeat.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace import limits
from tailrace.errors import TransientError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

SEEDS: Final = (1, 2)
"""Two hashes of 64 bits: that two different keys have both in common will not happen."""


class Taking:
    """The keys of one request; made by `Seen.taking`."""

    def __init__(self, seen: Seen) -> None:
        self._seen = seen
        self.busy: dict[int, None] = {}  # in their order
        self.also: list[int] = []

    def new(self, keys: Sequence[int | None]) -> list[bool]:
        """Tell of each record whether it is to be stored; None is no key. The second of two equal keys is not new."""
        return self._seen._new_ones(keys, self)  # noqa: SLF001  two halves of one thing

    def know(self, keys: Iterable[int]) -> None:
        """Remember further keys of what is stored."""
        self.also.extend(keys)


class Seen:
    """What came of late, by key. Any thread may ask."""

    def __init__(self, recall: Callable[[], Iterable[int]] = tuple, most: int = limits.PUSH_REPEATS) -> None:
        self._recall: Callable[[], Iterable[int]] | None = recall
        self._most = most
        self._recalling = threading.Lock()
        self._lock = threading.Lock()
        self._young: set[int] = set()
        self._old: set[int] = set()  # half of the memory is forgotten at a time
        self._busy: set[int] = set()

    @contextmanager
    def taking(self) -> Iterator[Taking]:
        """Lend what takes the keys of one request; they are known when the block ends well."""
        taking = Taking(self)
        try:
            yield taking
            self._remember([*taking.busy, *taking.also])
        finally:
            with self._lock:
                self._busy -= taking.busy.keys()

    def _new_ones(self, keys: Sequence[int | None], taking: Taking) -> list[bool]:
        if all(key is None for key in keys):
            return [True] * len(keys)
        self._recall_once()
        with self._lock:
            if not self._busy.isdisjoint(key for key in keys if key is not None):
                raise TransientError("a request with some of these records is under way; send it again")
            new: list[bool] = []
            for key in keys:
                known = key is not None and (key in self._young or key in self._old or key in taking.busy)
                new.append(not known)
                if key is not None and not known:
                    taking.busy[key] = None
            self._busy |= taking.busy.keys()
        return new

    def _recall_once(self) -> None:
        with self._recalling:
            if self._recall is not None:
                self._remember(list(self._recall()))
                self._recall = None

    def _remember(self, keys: list[int]) -> None:
        if not keys:
            return
        keys = keys[-self._most :]
        with self._lock:
            if len(self._young) + len(keys) > self._most // 2:
                self._young, self._old = set(), self._young
            self._young.update(keys)


def keys_of(parts: pl.DataFrame) -> list[int | None]:
    """Return the key of each row: of all its columns together, None where the last one is null.

    A loop over the keys of a request, about a microsecond each with their look-up: a join of some hundred rows with all
    that is remembered costs more.
    """
    hashed = parts.select(
        *(pl.struct(pl.all()).hash(seed).alias(str(seed)) for seed in SEEDS),
        given=pl.col(parts.columns[-1]).is_not_null(),
    )
    return [high << 64 | low if given else None for high, low, given in hashed.iter_rows()]
