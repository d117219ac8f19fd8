"""Event time that only rises: when a window may be closed, and which row comes too late for it.

The *watermark* is the newest event time seen so far. A window closes when the watermark has passed its end by the
allowed lateness, at exactly that row, whatever frames the rows come in. A time that is far ahead of the moment of
reading counts as that moment: one wrong clock must not close every window. When nothing comes any more, windows are
closed after a while by the time of day.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.batch import stack

if TYPE_CHECKING:
    from collections.abc import Sequence

AT: Final = "_\0at"
"""Column with the number of a row in its frame, while rows that a step made are put between them; no field."""

_AHEAD_NS: Final = 60_000_000_000
_CUTS: Final = 64


@dataclass(frozen=True, slots=True)
class Rise:
    """What the rows of one frame do to the watermark."""

    times: pl.Series  # event time of each row, not ahead of its reading
    before: pl.Series  # the watermark before each row; null before the first of all
    after: pl.Series  # the watermark with each row

    def passed(self, moments_ns: Sequence[int]) -> list[tuple[int, int]]:
        """Return those of the rising moments that the watermark reaches, each with the number of its row."""
        rows = self.after.search_sorted(pl.Series(moments_ns, dtype=pl.Int64), "left")
        return [(moment, row) for moment, row in zip(moments_ns, rows, strict=True) if row < len(self.after)]


class Watermark:
    """The newest event time, and when the last row came."""

    def __init__(self) -> None:
        self.newest_ns: int | None = None
        self._arrived_ns = 0
        self._changed = False

    def rise(self, frame: pl.DataFrame, now_ns: int) -> Rise:
        """Take the rows of a frame."""
        clipped = pl.min_horizontal("_time_ns", pl.col("_observed_ns") + _AHEAD_NS)
        table = frame.select(time=clipped).with_columns(after=pl.max_horizontal(pl.col("time"), pl.lit(self.newest_ns)))
        table = table.with_columns(after=pl.col("after").cum_max())
        before = table["after"].shift(1, fill_value=self.newest_ns)
        if len(frame):
            self.newest_ns, self._arrived_ns, self._changed = table["after"][-1], now_ns, True
        return Rise(table["time"], before, table["after"])

    def idle(self, now_ns: int, after_ns: int) -> bool:
        """Tell whether nothing came for that long."""
        return self.newest_ns is not None and now_ns - self._arrived_ns >= after_ns

    def reach(self, moment_ns: int) -> None:
        """Raise the watermark to a moment, if it is below."""
        if self.newest_ns is None or moment_ns > self.newest_ns:
            self.newest_ns, self._changed = moment_ns, True

    def restore(self, state: object) -> None:
        """Go on from a mark."""
        if isinstance(state, list):
            self.newest_ns, self._arrived_ns = state

    def mark(self) -> list[int | None] | None:
        """Return the state if it changed since the last call, else None."""
        changed, self._changed = self._changed, False
        return [self.newest_ns, self._arrived_ns] if changed else None


def woven(frame: pl.DataFrame, made: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Return the rows of a frame with made ones between them; each has in `AT` the row that it comes after."""
    parts = [part for part in made if len(part)]
    if not parts:
        return frame.drop(AT)
    new = stack(parts)
    places = new[AT].unique().sort()
    if len(places) > _CUTS:
        return stack([frame, new]).sort(AT, maintain_order=True).drop(AT)
    pieces: list[pl.DataFrame] = []
    start = 0
    for place in places:  # cutting a wide frame costs nothing, sorting it does
        end = int(frame[AT].search_sorted(place, "right"))
        pieces += [frame[start:end], new.filter(pl.col(AT) == place)]
        start = end
    return stack([piece for piece in [*pieces, frame[start:]] if len(piece)]).drop(AT)
