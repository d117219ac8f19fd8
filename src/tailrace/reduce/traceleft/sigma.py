"""The processing function `sigma`: of the events of a key, each N-th passes.

Comes in: rows of one filter in order, with a key and a second. Goes out: which of them pass. `frequency` N: the N-th,
2N-th, 3N-th event of a key passes; N <= 1 passes all. `threshold` T > 0: a key is silent until it was seen more than T
times in the current window of `window` seconds. The table of keys is bounded: a key that was not seen for `expiry`
seconds begins anew, and when there are too many, the one that was not seen for longest is forgotten, and counted.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, cast

import polars as pl

from tailrace.limits import STEP_KEYS

if TYPE_CHECKING:
    from collections.abc import Mapping

EXPIRY_S: Final = 3_600
"""Seconds after which a key that was not seen begins anew."""

_Known = tuple[int, int, int, int]  # events counted, second of the last, how many in its window, place among all events


@dataclass(slots=True)
class Sigma:
    """The counts of one filter's keys."""

    frequency: int = 1
    threshold: int = 0
    window_s: int = 1
    max_keys: int = STEP_KEYS
    expiry_s: int = EXPIRY_S
    evicted: int = 0
    _keys: OrderedDict[str, _Known] = field(default_factory=OrderedDict)  # the one seen longest ago first
    _changed: set[str] = field(default_factory=set)
    _place: int = 0

    def passing(self, keys: pl.Series, seconds: pl.Series) -> pl.Series:
        """Return for each row whether it passes; there is at least one."""
        rows = pl.DataFrame({"key": keys, "second": seconds}).with_row_index("row")
        distinct = rows["key"].unique(maintain_order=True)
        if len(self._keys) + sum(key not in self._keys for key in distinct) > self.max_keys:
            counted = self._one_by_one(rows)  # which key has to go depends on each single row
        else:
            counted = self._in_columns(rows, distinct)
        self._place += len(rows)
        self._expire(rows)
        often = pl.col("total") % max(1, self.frequency) == 0
        loud = pl.col("seen") > self.threshold if self.threshold > 0 else pl.lit(value=True)
        return counted.select((often & loud).alias("pass")).to_series()

    def _in_columns(self, rows: pl.DataFrame, distinct: pl.Series) -> pl.DataFrame:
        """Return `total` and `seen` of each row, and remember the last of each key."""
        known = pl.DataFrame(
            [(key, *self._keys.get(key, (0, None, 0, 0))[:3]) for key in distinct],
            schema={"key": pl.String, "before": pl.Int64, "last": pl.Int64, "had": pl.Int64},
            orient="row",
        )
        rows = rows.join(known, on="key", how="left", maintain_order="left")
        rows = rows.with_columns(last=pl.coalesce(pl.col("second").shift(1).over("key"), "last"))
        anew = ((pl.col("second") - pl.col("last")).abs() > self.expiry_s).fill_null(value=True)
        turn = anew | (pl.col("second") // self.window_s != pl.col("last") // self.window_s)
        rows = rows.with_columns(life=anew.cum_sum().over("key"), run=turn.cum_sum().over("key"))
        of_life, of_run = (
            pl.int_range(1, pl.len() + 1).over("key", "life"),
            pl.int_range(1, pl.len() + 1).over("key", "run"),
        )
        rows = rows.with_columns(
            total=of_life + pl.when(pl.col("life") == 0).then("before").otherwise(0),
            seen=of_run + pl.when(pl.col("run") == 0).then("had").otherwise(0),
        )
        last = rows.group_by("key").agg(pl.col("row", "second", "total", "seen").last()).sort("row")
        for key, row, second, total, seen in last.iter_rows():
            self._remember(key, (total, second, seen, self._place + row))
        return rows

    def _one_by_one(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Do the same row by row, forgetting keys when there are too many."""
        counted: list[tuple[int, int]] = []
        for row, key, second in rows.iter_rows():
            total, last, seen, _ = self._keys.get(key, (0, None, 0, 0))
            if last is None or abs(second - last) > self.expiry_s:
                total = seen = 0
            elif second // self.window_s != last // self.window_s:
                seen = 0
            if key not in self._keys and len(self._keys) >= self.max_keys:
                self._forget(second)
            self._remember(key, (total + 1, second, seen + 1, self._place + row))
            counted.append((total + 1, seen + 1))
        return pl.DataFrame(counted, schema={"total": pl.Int64, "seen": pl.Int64}, orient="row")

    def _remember(self, key: str, known: _Known) -> None:
        self._keys[key] = known
        self._keys.move_to_end(key)
        self._changed.add(key)

    def _forget(self, second: int) -> None:
        """Forget the key that was not seen for longest."""
        key, (_, last, _, _) = self._keys.popitem(last=False)
        self._changed.add(key)
        self.evicted += abs(second - last) <= self.expiry_s

    def _expire(self, rows: pl.DataFrame) -> None:
        """Forget the keys that would begin anew."""
        newest = rows["second"][-1]
        while self._keys and abs(newest - next(iter(self._keys.values()))[1]) > self.expiry_s:
            self._changed.add(self._keys.popitem(last=False)[0])

    def restore(self, state: Mapping[str, object]) -> None:
        """Go on from a state."""
        known = {key: cast("_Known", tuple(cast("list[int]", value))) for key, value in state.items()}  # JSON of `mark`
        self._keys = OrderedDict(sorted(known.items(), key=lambda item: item[1][3]))
        self._place = max((place + 1 for *_, place in known.values()), default=0)

    def mark(self) -> dict[str, object]:
        """Return the keys that changed since the last mark."""
        changed, self._changed = self._changed, set()
        return {key: list(self._keys[key]) if key in self._keys else None for key in changed}
