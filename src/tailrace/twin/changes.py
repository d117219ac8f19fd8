"""What changed: between two moments by the sizes of folders, and of one path by its events.

`diff` compares two states by directory and says who wrote there meanwhile, from the events; `history` is the
list of events of a path, of what it was called before, and of the directories whose removal or move took it along.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import narwhals as nw
import polars as pl

from tailrace.twin import events, tree
from tailrace.twin.listing import rfc3339
from tailrace.twin.sizes import SUMS, split

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tailrace.twin.reading import Twin

WHO: Final[Mapping[str, pl.DataType]] = {
    "process_name": pl.String(),
    "process_pid": pl.Int64(),
    "process_executable": pl.String(),
    "user_name": pl.String(),
    "user_id": pl.String(),
    "container_id": pl.String(),
}
_EVENT: Final[Mapping[str, pl.DataType]] = {
    "_time_ns": pl.Int64(),
    "event_action": pl.String(),
    "event_sequence": pl.Int64(),
    "event_provider": pl.String(),
    "event_confidence": pl.String(),
    "event_reason": pl.String(),
    "file_path": pl.String(),
    "file_old_path": pl.String(),
    "file_type": pl.String(),
    "file_size": pl.Int64(),
    **WHO,
}
_WRITERS: Final = 3  # programs that are named for one directory
_RENAMES: Final = 16  # former names of a path that its history goes back through


def diff(
    twin: Twin,
    start_ns: int,
    end_ns: int,
    top: str = "/",
    *,
    hosts: Sequence[str] | None = None,
    depth: int = 1,
) -> pl.DataFrame:
    """Return the directories whose sums differ, those that grew most first: `path`, sums, and `who` wrote there."""
    before = split(twin.at(start_ns), "dir", top, hosts=hosts, depth=depth)
    after = split(twin.at(end_ns), "dir", top, hosts=hosts, depth=depth)
    both = after.join(before, on="key", how="full", coalesce=True, suffix=" before").with_columns(
        pl.col(SUMS).fill_null(0)
    )
    grown = both.with_columns(pl.col(name) - pl.col(f"{name} before").fill_null(0) for name in SUMS)
    changed = grown.filter(pl.any_horizontal(pl.col(SUMS) != 0)).select(pl.col("key").alias("path"), *SUMS)
    found = events.between(twin.logs.snapshot(), start_ns, end_ns, twin.engine, columns=_EVENT, hosts=hosts)
    writers = _writers(found, top, depth)
    order = ["bytes", "path"]
    named = changed.join(writers, on="path", how="left").sort(order, descending=[True, False])
    return named.with_columns(tree.native(pl.col("path")))


def _writers(found: pl.DataFrame, top: str, depth: int) -> pl.DataFrame:
    """Return who wrote below each directory: names of programs and users, those with the most events first."""
    level = 0 if top == "/" else top.rstrip("/").count("/")
    rows = found.with_columns(tree.slashed(pl.col("file_path"))).filter(tree.below(pl.col("file_path"), top))
    who = rows.select(
        home=tree.parent(pl.col("file_path")),
        who=pl.concat_str(
            pl.coalesce("process_name", "process_executable"), "user_name", separator=" ", ignore_nulls=True
        ),
    ).filter(pl.col("who") != "")
    deepest = tree.deepest(who["home"])
    parts = [
        who.filter(pl.col("home").str.count_matches("/", literal=True) >= names).with_columns(
            path=tree.ancestor(pl.col("home"), names)
        )
        for names in range(level, min(level + depth, deepest) + 1)
    ]
    counts = (
        pl.concat([who.clear().with_columns(path=pl.lit("")), *parts])
        .group_by("path", "who")
        .len()
        .sort(["len", "who"], descending=[True, False])
    )
    named = counts.group_by("path", maintain_order=True).agg(pl.col("who").head(_WRITERS))
    return named.with_columns(pl.when(pl.col("path") == "").then(pl.lit("/")).otherwise("path").alias("path"))


def history(
    twin: Twin,
    path: str,
    *,
    hosts: Sequence[str] | None = None,
    start_ns: int = -events.EVER,
    end_ns: int = events.EVER,
) -> pl.DataFrame:
    """Return the events of a path, newest first, with who; also those from before it was renamed."""
    snapshot = twin.logs.snapshot()
    names, parts = [path], list[pl.DataFrame]()
    while len(parts) < len(names) <= _RENAMES:
        about = _about(names[-1])
        found = events.between(snapshot, start_ns, end_ns, twin.engine, columns=_EVENT, hosts=hosts, condition=about)
        found = found.with_columns(tree.slashed(pl.col("file_path", "file_old_path")))
        found = found.sort("_time_ns", "event_sequence", "order")
        came, former = _arrival(found, names[-1])
        parts.append(found.slice(came))
        if former is not None and former not in names:
            names.append(former)
            end_ns = int(found["_time_ns"][came]) + 1
    found = pl.concat(parts).unique(["host", *_EVENT], maintain_order=True)
    found = found.sort("_time_ns", "event_sequence", "order", descending=True, nulls_last=True)
    return found.select(
        rfc3339(pl.col("_time_ns")).alias("time"),
        "host",
        pl.col("event_action").alias("action"),
        tree.native(pl.col("file_path")).alias("path"),
        tree.native(pl.col("file_old_path")).alias("old_path"),
        pl.col("file_type").alias("type"),
        pl.col("file_size").alias("size"),
        *WHO,
        pl.col("event_provider").alias("provider"),
        pl.col("event_confidence").alias("confidence"),
        pl.col("event_reason").alias("reason"),
    )


def _arrival(found: pl.DataFrame, path: str) -> tuple[int, str | None]:
    """Return the place of the event that brought a path to where it is, and what it was called before."""
    moves = found.with_row_index("place").filter(pl.col("file_old_path").is_not_null()).reverse()
    for place, new, old in moves.select("place", "file_path", "file_old_path").iter_rows():
        if path == new or path.startswith(new + "/"):
            return place, str(old) + path[len(new) :]
    return 0, None


def _about(path: str) -> nw.Expr:
    """Tell which events are about a path: its own, moves from it, and removals and moves of what it stands in."""
    names = path.rstrip("/").split("/")
    above = [tree.native_text("/".join(names[:count])) for count in range(2, len(names))]
    path = tree.native_text(path)
    own = (nw.col("file_path") == path) | (nw.col("file_old_path") == path)
    gone = nw.col("event_action").str.contains("deleted|moved")
    return own | (gone & (nw.col("file_path").is_in(above) | nw.col("file_old_path").is_in(above)))
