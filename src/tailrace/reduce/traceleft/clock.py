"""The time of events: nanoseconds that rise, from whatever clock the trace has.

An event's `timestamp` is in nanoseconds, since the epoch or since the machine was started; without one it has the time
of its row. A step back of a few minutes is another processor's clock: the newest time so far counts. A longer one is
another recording, or the machine was started again: time begins anew there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.syscalls.events import common

if TYPE_CHECKING:
    from collections.abc import Iterator

ANEW_NS: Final = 600_000_000_000
"""A step back by more than this begins anew."""

_EPOCH_NS: Final = 946_684_800_000_000_000
"""The year 2000: no machine has been running for that long."""


def moment(row: pl.DataFrame) -> int:
    """Return when an event was, since the epoch: when it was read, if its clock began with the machine."""
    if "timestamp" not in row.columns or row["timestamp"][0] is None:
        return int(row["_time_ns"][0])
    time_ns = int(common(row, "timestamp")[0])
    return time_ns if _EPOCH_NS <= time_ns < 1 << 63 else int(row["_observed_ns"][0])


class EventClock:
    """The newest time so far."""

    def __init__(self) -> None:
        self.newest_ns: int | None = None

    def rising(self, frame: pl.DataFrame) -> pl.Series:
        """Return the time of each event."""
        times = common(frame, "timestamp").cast(pl.Int64, strict=False).fill_null(0)
        if not len(times):
            return times
        rising = times.cum_max()
        if self.newest_ns is not None:
            rising = rising.clip(lower_bound=self.newest_ns)
        if (rising - times > ANEW_NS).any():
            rising = pl.Series(list(self._one_by_one(times)), dtype=pl.Int64)
        self.newest_ns = int(rising[-1])
        return rising.alias("time")

    def _one_by_one(self, times: pl.Series) -> Iterator[int]:
        newest_ns = self.newest_ns
        for time_ns in times:
            if newest_ns is None or time_ns > newest_ns or newest_ns - time_ns > ANEW_NS:
                newest_ns = time_ns
            yield newest_ns
