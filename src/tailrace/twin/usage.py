"""The history of sizes: one row per host, directory and day, in the Delta table `files_usage`.

Taken at 13:15 local time and 60 minutes after the start, as the tool that this replaces did; the last one of a day
counts. A directory that had something yesterday and is empty or gone keeps a row of zeros, so that a sum over time
falls when something was removed.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final

import polars as pl
from deltalake import write_deltalake

from tailrace.clock import NS_PER_S
from tailrace.store.failures import translated
from tailrace.store.side_table import Shape, SideTable
from tailrace.twin import tree

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tailrace.clock import Clock
    from tailrace.store.place import Place
    from tailrace.twin.reading import Twin, View

DAILY: Final = dt.time(13, 15)
AFTER_START_S: Final = 3_600.0

SCHEMA: Final = {
    "day": pl.Date(),
    "host": pl.String(),
    "path": pl.String(),
    "files": pl.Int64(),
    "bytes": pl.Int64(),
    "allocated": pl.Int64(),
    "files_tree": pl.Int64(),
    "bytes_tree": pl.Int64(),
    "allocated_tree": pl.Int64(),
    "newest_ns": pl.Int64(),
    "taken_ns": pl.Int64(),
}
_SHAPE: Final = Shape(
    "files_usage", {name: dtype for name, dtype in SCHEMA.items() if name != "day"}, "day", {}, pl.Date()
)
_OWN: Final = ("files", "bytes", "allocated")
_TREE: Final = tuple(f"{name}_tree" for name in _OWN)


def measure(view: View) -> pl.DataFrame:
    """Return the sizes of every directory: what is in it, and in all that is below it.

    An inode with several names counts once in each directory.
    """
    path = pl.col("path")
    folder = (pl.col("type") == "dir").fill_null(value=False)
    several = ((pl.col("links") > 1) & ~folder).fill_null(value=False)
    rows = view.rows().select(
        "host",
        dir=pl.when(folder).then(tree.directory(path)).otherwise(tree.parent(path)),
        files=(~folder).cast(pl.Int64),
        bytes="size",
        allocated="allocated",
        newest_ns="mtime_ns",
        once=pl.when(several).then(pl.concat_str("device", "inode", separator="\0", ignore_nulls=True)),
    )
    sums = (*(pl.col(name).sum().cast(pl.Int64) for name in _OWN), pl.col("newest_ns").max())
    single, names = pl.collect_all(
        [
            rows.filter(pl.col("once").is_null()).group_by(tree.PLACE).agg(*sums),
            rows.filter(pl.col("once").is_not_null()),
        ],
        engine="streaming",
    )
    own = pl.concat([single, names.unique([*tree.PLACE, "once"]).group_by(tree.PLACE).agg(*sums)])
    own = own.group_by(tree.PLACE).agg(pl.col(_OWN).sum(), pl.col("newest_ns").max())
    below = _below(single, names)
    found = below.join(own, on=tree.PLACE, how="left").with_columns(pl.col(_OWN).fill_null(0))
    return found.select(
        "host",
        pl.when(pl.col("dir") == "").then(pl.lit("/")).otherwise("dir").alias("path"),
        *_OWN,
        *_TREE,
        "newest_ns",
    )


def _below(single: pl.DataFrame, names: pl.DataFrame) -> pl.DataFrame:
    """Return the sums of whole trees, going up from the deepest directories."""
    linked = names.select(*tree.PLACE, "once", *_OWN)
    folders = tree.lineage(pl.concat([single.select(tree.PLACE), names.select(tree.PLACE)]))
    sums = folders.join(single.select(*tree.PLACE, *_OWN), on=tree.PLACE, how="left").with_columns(
        pl.col(_OWN).fill_null(0)
    )
    levels = {int(key[0]): part for key, part in sums.partition_by("depth", as_dict=True).items()}
    held = linked.join(folders, on=tree.PLACE)
    done: list[pl.DataFrame] = []
    up = sums.head(0)
    inodes = held.head(0)
    for depth in sorted(levels, reverse=True):
        here = levels[depth]
        carried = up.group_by("host", dir="parent").agg(pl.col(_OWN).sum())
        level = here.join(carried, on=tree.PLACE, how="left", suffix=" up")
        level = level.select(*here.drop(_OWN).columns, *(pl.col(n) + pl.col(f"{n} up").fill_null(0) for n in _OWN))
        risen = (
            inodes.with_columns(dir="parent")
            .drop("parent", "depth")
            .join(here.select(*tree.PLACE, "parent", "depth"), on=tree.PLACE)
        )
        inodes = pl.concat([risen.select(held.columns), held.filter(depth=depth)]).unique([*tree.PLACE, "once"])
        extra = inodes.group_by(tree.PLACE).agg(pl.col(_OWN).sum())
        whole = level.join(extra, on=tree.PLACE, how="left", suffix=" once")
        done.append(
            whole.select(
                *tree.PLACE, *((pl.col(n) + pl.col(f"{n} once").fill_null(0)).alias(f"{n}_tree") for n in _OWN)
            )
        )
        up = level
    return pl.concat(done) if done else sums.select(*tree.PLACE, *(pl.col(n).alias(f"{n}_tree") for n in _OWN))


class UsageTable:
    """The table `files_usage`, beside `logs`."""

    def __init__(self, where: Path | Place) -> None:
        self._table = SideTable(where, _SHAPE)

    def exists(self) -> bool:
        """Tell whether there is a table."""
        return self._table.newest() is not None

    def put(self, day: dt.date, measured: pl.DataFrame, taken_ns: int) -> int:
        """Put the sizes of a day in the place of those that the day has; return how many rows it has."""
        with self._table.lock, translated(self._table.where, "writing down sizes"):
            before = self.read(day - dt.timedelta(days=1), day).filter(pl.any_horizontal(pl.col(_TREE) != 0))
            gone = before.select("host", "path").join(measured, on=["host", "path"], how="anti")
            zeros = gone.with_columns(*(pl.lit(0, pl.Int64).alias(name) for name in (*_OWN, *_TREE)))
            rows = pl.concat([measured, zeros], how="diagonal")
            rows = (
                rows.with_columns(day=pl.lit(day), taken_ns=pl.lit(taken_ns, pl.Int64))
                .select(*SCHEMA)
                .cast(pl.Schema(SCHEMA))
            )
            rows = rows.sort("host", "path")
            there = self.read(day, day + dt.timedelta(days=1)).height > 0
            table = self._table.writable()
            if there:
                write_deltalake(table, rows, mode="overwrite", predicate=f"day = '{day.isoformat()}'")
            else:
                write_deltalake(table, rows, mode="append")
            return rows.height

    def read(self, start: dt.date, end: dt.date) -> pl.DataFrame:
        """Return the rows of the days from `start` on, before `end`."""
        with translated(self._table.where, "reading sizes"):
            newest = self._table.newest()
            if newest is None:
                return pl.DataFrame(schema=dict(SCHEMA))
            _, files = self._table.at(newest)
            if files.is_empty():
                return pl.DataFrame(schema=dict(SCHEMA))
            days = files.select("path", bytes="size_bytes", day=pl.col("partition.day").cast(pl.Date))
            wanted = self._table.near(days.filter((pl.col("day") >= start) & (pl.col("day") < end)))
            parts = [
                pl.read_parquet(path, hive_partitioning=False).with_columns(day=pl.lit(day)).select(*SCHEMA)
                for path, day in wanted.select("path", "day").iter_rows()
            ]
            return pl.concat(parts) if parts else pl.DataFrame(schema=dict(SCHEMA))


def usage(
    table: UsageTable,
    start: dt.date,
    end: dt.date,
    top: str = "/",
    *,
    hosts: Sequence[str] | None = None,
    depth: int = 0,
) -> pl.DataFrame:
    """Return the sizes of directories at most `depth` names below a path, by day, and how each has grown."""
    rows = table.read(start, end).filter(tree.below(pl.col("path"), top))
    if hosts is not None:
        rows = rows.filter(pl.col("host").is_in(list(hosts)))
    level = 0 if top == "/" else top.rstrip("/").count("/")
    rows = rows.filter(tree.depth(pl.col("path")) <= level + depth).sort("host", "path", "day")
    grown = (pl.col("bytes_tree") - pl.col("bytes_tree").shift(1).over("host", "path")).alias("grown")
    return rows.with_columns(grown).sort("day", "host", "path")


class Schedule:
    """When sizes are due: at `DAILY` each day, and once `AFTER_START_S` after the start."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._start_s = clock.monotonic_s()
        self._started = False
        self._last_day = _local(clock.now_ns()).date() if _local(clock.now_ns()).time() >= DAILY else None

    def due(self) -> bool:
        """Tell whether it is time, once for each time."""
        now = _local(self._clock.now_ns())
        if not self._started and self._clock.monotonic_s() - self._start_s >= AFTER_START_S:
            self._started = True
            return True
        if now.time() >= DAILY and self._last_day != now.date():
            self._last_day = now.date()
            return True
        return False


def write_down(twin: Twin) -> int:
    """Write down the sizes as of now; return how many directories."""
    now_ns = twin.clock.now_ns()
    return twin.usage.put(_local(now_ns).date(), measure(twin.now()), now_ns)


def _local(now_ns: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(now_ns / NS_PER_S).astimezone()
