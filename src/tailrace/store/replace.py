"""The commit that puts segments in the place of others, or of nothing: compaction, retention and deletion end here.

The library does not notice that a file which a commit removes was removed by another one in between (measured:
two compactions at once doubled every row). So each such commit carries the next number of one common transaction,
and of two at once the library refuses the second, as it does for two of one agent.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from deltalake.transaction import RemoveAction

from tailrace.store import commit, log

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

    from tailrace.store.segment import Segment
    from tailrace.store.table import LogTable


def replace(
    table: LogTable, old: pl.DataFrame, new: Sequence[Segment], *, data_change: bool = False, why: str = ""
) -> bool:
    """Commit new segments in place of old files, durably; False if somebody else changed one of them meanwhile.

    `data_change` says that rows go, and `why` for what reason (`log.WHY_KEY`). What is added is never new rows, so
    followers look past it. The new segments are removed if they are not committed.
    """
    now_ns = time.time_ns()
    removes = [
        RemoveAction(
            path.removeprefix(f"{table.root}/"),
            data_change,
            now_ns // 1_000_000,
            size,
            {"_date": date and date.isoformat()},
        )
        for path, size, date in old.select("path", "bytes", "date").iter_rows()
    ]
    with table.writing("replacing segments") as delta:
        try:
            delta.update_incremental()
            there = old.join(table.snapshot().files, on="path", how="semi").height == old.height
        except BaseException:
            commit.discard(new, table.files)
            raise
        last = delta.transaction_version(log.REPLACE)
        numbers = {log.REPLACE: 0 if last is None else last + 1}
        if not there or not commit.apply(table.place, delta, new, removes, numbers, data_change=False, why=why):
            commit.discard(new, table.files)
            return False
    table.sync()
    return True
