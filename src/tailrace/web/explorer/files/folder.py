"""What stands in a directory: one row per entry, with the sums of all that is below it.

Comes in: a view of the twin, a host and a directory. Goes out: a frame with the columns of `SCHEMA`. One pass over the
paths below the directory, 0.2 s for a million of them; what was asked last is kept for as long as the state stays the
same, so that sorting and paging cost nothing. An inode with several names counts once in each entry.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar, cast

import polars as pl

from tailrace.twin import tree

if TYPE_CHECKING:
    from collections.abc import Callable

    from tailrace.twin.reading import View
    from tailrace.twin.state import State

T = TypeVar("T")

SCHEMA: Final = {
    "name": pl.String(),
    "path": pl.String(),  # as in the twin: slashes, also on Windows
    "kind": pl.String(),  # `dir` also for what only its content tells of
    "bytes": pl.Int64(),
    "allocated": pl.Int64(),
    "files": pl.Int64(),
    "dirs": pl.Int64(),
    "newest_ns": pl.Int64(),
    "owner": pl.String(),
    "group": pl.String(),
    "mode": pl.String(),
    "target_path": pl.String(),
}
KEPT_MOST: Final = 16
"""Answers that are kept."""

_SUMS: Final = ("bytes", "allocated", "files", "dirs")
_VOLUME: Final = r"^(?:[A-Za-z]:$|\\\\)"
_DIR: Final = (pl.col("type") == "dir").fill_null(value=False)
_SEVERAL: Final = ((pl.col("links") > 1) & ~_DIR).fill_null(value=False)
_NEWEST: Final = pl.col("mtime_ns").max().alias("newest_ns")
_INODE: Final = ("device", "inode")
_OWN: Final = ("owner", "group", "mode", "target_path")


@dataclass(frozen=True, slots=True)
class Folder:
    """The entries of a directory, largest first, and the sums of all of it."""

    path: str
    rows: pl.DataFrame
    sums: dict[str, int]

    @property
    def newest_ns(self) -> int | None:
        """When something in it was written last."""
        found = self.rows["newest_ns"].max()
        return found if isinstance(found, int) else None


class Folders:
    """Answers about the present state that were asked for lately; any thread may ask."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._state: State | None = None
        self._kept: dict[tuple[object, ...], object] = {}

    def hosts(self, view: View) -> list[str]:
        """Return the hosts that have a living path."""
        return self._once(view, ("hosts",), view.state.hosts)

    def of(self, view: View, host: str, top: str) -> Folder:
        """Return a directory."""
        return self._once(view, ("folder", host, top), lambda: folder(view, host, top))

    def inside(self, view: View, host: str, top: str) -> pl.DataFrame:
        """Return what stands in the directories of a directory."""
        return self._once(view, ("inside", host, top), lambda: inside(view, host, top))

    def _once(self, view: View, question: tuple[object, ...], ask: Callable[[], T]) -> T:
        """Return what is kept, if the state is that of the last question; else ask, and keep the answer."""
        with self._lock:
            if self._state is not view.state:
                self._state, self._kept = view.state, {}
            kept = self._kept
            if question in kept:
                return cast("T", kept[question])  # a question has answers of one kind
        found = ask()
        with self._lock:
            while len(kept) >= KEPT_MOST:
                kept.pop(next(iter(kept)))
            kept[question] = found
        return found


def folder(view: View, host: str, top: str) -> Folder:
    """Return a directory of a host; without rows if nothing is known below it."""
    name = child(top).alias("name")
    sums, whole = _sums_by(name, view, host, top)
    direct = [rows.filter(_stands_in(top)).select(name, "type", *_OWN) for rows in view.state.scan([host], top)]
    own = pl.concat(direct).collect(engine="streaming")
    rows = sums.join(own, on="name", how="left").filter(pl.col("name") != "")
    there = pl.any_horizontal(pl.col(_SUMS) != 0) | pl.col("type").is_not_null()
    only_below = ~pl.col("name").is_in(own["name"].implode())
    kind = pl.coalesce("type", pl.when(only_below).then(pl.lit("dir")).otherwise(pl.lit("")))
    rows = rows.filter(there).with_columns(path=_joined(top), kind=kind)
    ordered = rows.select(pl.col(column).cast(dtype) for column, dtype in SCHEMA.items())
    return Folder(top, ordered.sort(["bytes", "name"], descending=[True, False]), whole)


def inside(view: View, host: str, top: str) -> pl.DataFrame:
    """Return what stands in the directories of a directory: `name` of the one, `inner` of the other, and its sums."""
    two = _rest(top).str.splitn("/", 3)
    first, second = two.struct.field("field_0"), two.struct.field("field_1")
    sums, _ = _sums_by(pl.struct(name=first, inner=second).alias("name"), view, host, top)
    return sums.unnest("name").filter(pl.col("inner").is_not_null() & pl.any_horizontal(pl.col(_SUMS) != 0))


def _sums_by(name: pl.Expr, view: View, host: str, top: str) -> tuple[pl.DataFrame, dict[str, int]]:
    """Return sums and `newest_ns` by a key that is called `name`, and the sums of all below a directory."""
    scans = view.state.scan([host], top)
    single = [
        rows.with_columns(name).filter(~_SEVERAL).group_by("name").agg(*_summed(sign), _NEWEST, sign=pl.lit(sign))
        for sign, rows in view.state.terms([host], top)
    ]
    several = [rows.filter(_SEVERAL).select(name, *_INODE, "size", "allocated", "type", "mtime_ns") for rows in scans]
    parts, linked = pl.collect_all([pl.concat(single), pl.concat(several)], engine="streaming")
    once = linked.unique(["name", *_INODE]).group_by("name").agg(*_summed(), _NEWEST)
    latest = pl.concat([_newest(parts, scans, name), once.select("name", "newest_ns")])
    latest = latest.group_by("name").agg(pl.col("newest_ns").max())
    sums = pl.concat([part.select("name", *_SUMS) for part in (parts, once)]).group_by("name").agg(pl.col(_SUMS).sum())
    whole = pl.concat([parts.select(_SUMS), linked.unique(_INODE).select(*_summed())]).sum()
    return sums.join(latest, on="name", how="left"), whole.to_dicts()[0]


def _newest(parts: pl.DataFrame, scans: list[pl.LazyFrame], name: pl.Expr) -> pl.DataFrame:
    """Return when something of each entry was written last; what counts no more makes another look necessary."""
    gone = parts.filter(pl.col("sign") < 0).select("name", "newest_ns")
    here = parts.filter(pl.col("sign") > 0).group_by("name").agg(pl.col("newest_ns").max())
    if here.join(gone, on="name", suffix=" gone").filter(pl.col("newest_ns gone") >= pl.col("newest_ns")).height == 0:
        return here
    found = pl.concat(scans).filter(~_SEVERAL).group_by(name).agg(_NEWEST)
    return found.collect(engine="streaming").select("name", "newest_ns")


def child(top: str, path: str = "path") -> pl.Expr:
    """Return the name of the entry of a directory that a path below it belongs to; empty for the directory itself."""
    return _rest(top, path).str.splitn("/", 2).struct.field("field_0")


def _rest(top: str, path: str = "path") -> pl.Expr:
    at = pl.col(path).str
    return at.strip_prefix("/") if top == "/" else at.slice(len(top) + 1)


def sorted_rows(rows: pl.DataFrame, sort: str) -> pl.DataFrame:
    """Return entries in an order: names rise, the rest falls."""
    if sort == "name":
        return rows.sort("name")
    column = {"size": "bytes", "files": "files", "newest": "newest_ns"}[sort]
    return rows.sort([column, "name"], descending=[True, False], nulls_last=True)


def _stands_in(top: str) -> pl.Expr:
    level = 0 if top == "/" else top.count("/")
    path = pl.col("path")
    deeper = level + path.str.starts_with("/").cast(pl.Int32) if top == "/" else pl.lit(level + 1)
    return (path.str.count_matches("/", literal=True) == deeper) & (path != top)


def _summed(sign: int = 1) -> tuple[pl.Expr, ...]:
    each = {"bytes": pl.col("size"), "allocated": pl.col("allocated"), "files": ~_DIR, "dirs": _DIR}
    return tuple((value.sum().cast(pl.Int64) * sign).alias(name) for name, value in each.items())


def _joined(top: str) -> pl.Expr:
    if top != "/":
        return pl.lit(top + "/") + pl.col("name")
    return pl.when(pl.col("name").str.contains(_VOLUME)).then("name").otherwise(pl.lit("/") + pl.col("name"))


def parents(path: str) -> list[tuple[str, str]]:
    """Return a path's directories from the root down, itself last: their names and their paths.

    >>> parents("/srv/a")
    [('/', '/'), ('srv', '/srv'), ('a', '/srv/a')]
    >>> parents("C:/Temp")
    [('/', '/'), ('C:', 'C:'), ('Temp', 'C:/Temp')]
    """
    names = [name for name in path.split("/") if name]
    lead = "/" if path.startswith("/") else ""
    return [("/", "/"), *((name, lead + "/".join(names[: count + 1])) for count, name in enumerate(names))]


def shown_path(path: str) -> str:
    """Return a path as its own system writes it."""
    return path if path.startswith("/") else tree.native_text(path)
