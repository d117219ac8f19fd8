"""Totals that are kept: what a question counted in a segment, which never changes.

Comes in: totals by key. Goes out: those that are still held; the ones that were not asked for the longest are forgotten
when there are too many rows. One is made for each kind of totals, and lives as long as the process.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

    import polars as pl

K = TypeVar("K", bound="Hashable")


class Totals(Generic[K]):
    """Totals by key, `most` rows at most; None stands for more groups than are kept. Any thread may call."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: OrderedDict[K, pl.DataFrame | None] = OrderedDict()
        self._lock = threading.Lock()
        self.rows = 0  # held, and one more for each key

    def known(self, keys: Iterable[K]) -> dict[K, pl.DataFrame | None]:
        """Return what is held of some keys."""
        with self._lock:
            found = {key: self._known[key] for key in keys if key in self._known}
            for key in found:
                self._known.move_to_end(key)
        return found

    def keep(self, key: K, totals: pl.DataFrame | None) -> None:
        """Hold totals; the newest ones stay, however many they are."""
        with self._lock:
            self._forget(key)
            self._known[key] = totals
            self.rows += _rows(totals)
            while self.rows > self._most and len(self._known) > 1:
                self._forget(next(iter(self._known)))

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._known.clear()
            self.rows = 0

    def _forget(self, key: K) -> None:
        if key in self._known:
            self.rows -= _rows(self._known.pop(key))


def _rows(totals: pl.DataFrame | None) -> int:
    return 1 + (0 if totals is None else totals.height)
