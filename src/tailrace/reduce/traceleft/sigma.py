"""The processing function `sigma`: of the events of a key, each N-th passes.

Comes in: rows of one filter in order, with a key and a second. Goes out: which of them pass. `frequency` N: the N-th,
2N-th, 3N-th event of a key passes; N <= 1 passes all. `threshold` T > 0: a key is silent until it was seen more than T
times in the current window of `window` seconds. The table of keys is bounded: the one that was not seen for longest is
forgotten, and counted.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, cast

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Mapping

KEYS: Final = 10_000
"""Keys that one filter remembers."""


@dataclass(slots=True)
class Sigma:
    """The counts of one filter's keys: all seen, the window seen last, and how many in it."""

    frequency: int = 1
    threshold: int = 0
    window_s: int = 1
    max_keys: int = KEYS
    evicted: int = 0
    _keys: OrderedDict[str, tuple[int, int, int]] = field(default_factory=OrderedDict)
    _changed: set[str] = field(default_factory=set)

    def passing(self, keys: pl.Series, seconds: pl.Series) -> pl.Series:
        """Return for each row whether it passes."""
        rows = pl.DataFrame({"key": keys, "window": seconds // self.window_s})
        distinct = rows["key"].unique(maintain_order=True)
        known = pl.DataFrame(
            [(key, *self._keys.get(key, (0, 0, 0))) for key in distinct],
            schema={"key": pl.String, "total": pl.Int64, "last": pl.Int64, "seen": pl.Int64},
            orient="row",
        )
        rows = rows.join(known, on="key", how="left", maintain_order="left")
        # A clock that steps back does not open a window again.
        rows = rows.with_columns(window=pl.max_horizontal("last", pl.col("window").cum_max().over("key")))
        rows = rows.with_columns(
            total=pl.col("total") + pl.int_range(pl.len()).over("key") + 1,
            seen=pl.when(pl.col("window") == pl.col("last")).then("seen").otherwise(0)
            + pl.int_range(pl.len()).over("key", "window")
            + 1,
        )
        self._remember(rows)
        often = pl.col("total") % max(1, self.frequency) == 0
        loud = pl.col("seen") > self.threshold if self.threshold > 0 else pl.lit(value=True)
        return rows.select((often & loud).alias("pass")).to_series()

    def _remember(self, rows: pl.DataFrame) -> None:
        last = rows.with_row_index("row").group_by("key").agg(pl.all().last()).sort("row")
        for key, total, window, seen in last.select("key", "total", "window", "seen").iter_rows():
            self._keys[key] = (total, window, seen)
            self._keys.move_to_end(key)
            self._changed.add(key)
        while len(self._keys) > self.max_keys:
            self._changed.add(self._keys.popitem(last=False)[0])
            self.evicted += 1

    def restore(self, state: Mapping[str, object]) -> None:
        """Go on from a state; the keys seen longest ago first, as far as that is known."""
        for key, value in state.items():
            total, window, seen = cast("list[int]", value)  # JSON of `mark`
            self._keys[key] = (int(total), int(window), int(seen))
        self._keys = OrderedDict(sorted(self._keys.items(), key=lambda item: item[1][1]))

    def mark(self) -> dict[str, object]:
        """Return the keys that changed since the last mark."""
        changed, self._changed = self._changed, set()
        return {key: list(self._keys[key]) if key in self._keys else None for key in changed}
