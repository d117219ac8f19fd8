"""Times that senders say: kept in a number of days that a commit bears.

Each day of a commit is a file of its own, so a sender of odd times could make thousands of them.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from tailrace import limits

FAR: Final = "TimeFarOff"
"""`_error` of rows that got the time of their arrival, since their own is of one day too many."""

_DAY_NS: Final = 86_400_000_000_000


def in_time(frame: pl.DataFrame) -> pl.DataFrame:
    """Give a time to rows without one; of more than `limits.PUSH_DAYS` days the newest are kept."""
    frame = frame.with_columns(_time_ns=pl.coalesce("_time_ns", "_observed_ns"))
    days = frame["_time_ns"] // _DAY_NS
    if days.n_unique() <= limits.PUSH_DAYS:
        return frame
    far = ~days.is_in(days.unique().sort().tail(limits.PUSH_DAYS - 1).implode())
    return frame.with_columns(
        _time_ns=pl.when(pl.lit(far)).then("_observed_ns").otherwise("_time_ns"),
        _error=pl.when(pl.lit(far)).then(pl.lit(FAR)).otherwise("_error"),
    )
