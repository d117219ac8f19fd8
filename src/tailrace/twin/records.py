"""Records: what one event says of one path, as the table `files` holds it; pure.

Comes in: rows of `logs` with the columns of `ecs` and the host. Goes out: one record per event and path, two for an
event that moved an object: it is gone from the old path (`moved_to` tells where it went) and is at the new one.

The order of records is (`at`, `order`): the event's sequence number, else its time and the order in which it came.
`placed_at` and `placed_order` are those of the move that brought a record to its path, if one did. `cut` says that
records below the path that came before are about another directory, which is gone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.ecs import GONE
from tailrace.twin import tree

if TYPE_CHECKING:
    from collections.abc import Mapping

FILE: Final[Mapping[str, pl.DataType]] = {
    "type": pl.String(),
    "target_path": pl.String(),
    "size": pl.Int64(),
    "allocated": pl.Int64(),
    "links": pl.Int64(),
    "inode": pl.String(),
    "device": pl.String(),
    "mode": pl.String(),
    "uid": pl.String(),
    "gid": pl.String(),
    "owner": pl.String(),
    "group": pl.String(),
    "mtime_ns": pl.Int64(),
    "ctime_ns": pl.Int64(),
    "hash_xxh3": pl.String(),
    "hash_sha256": pl.String(),
    "hash_blake3": pl.String(),
    "hash_sha1": pl.String(),
    "hash_md5": pl.String(),
}
"""What is known of a file: the `file_*` columns of events without that prefix, times as numbers."""

SCHEMA: Final[Mapping[str, pl.DataType]] = {
    "host": pl.String(),
    "path": pl.String(),
    "at": pl.Int64(),
    "order": pl.Int64(),
    "placed_at": pl.Int64(),
    "placed_order": pl.Int64(),
    "time_ns": pl.Int64(),
    "action": pl.String(),
    "alive": pl.Boolean(),
    "cut": pl.Boolean(),
    "moved_to": pl.String(),
    **FILE,
}
"""The columns of a record."""

KEY: Final = ("host", "path")
"""The columns that name a path of the fleet; `host:/path` for people."""

EVENT: Final[Mapping[str, pl.DataType]] = {
    "host": pl.String(),
    "_time_ns": pl.Int64(),
    "order": pl.Int64(),
    "event_action": pl.String(),
    "event_kind": pl.String(),
    "event_sequence": pl.Int64(),
    "file_path": pl.String(),
    "file_old_path": pl.String(),
    **{
        f"file_{name.removesuffix('_ns')}": pl.String() if name.endswith("_ns") else dtype
        for name, dtype in FILE.items()
    },
}
"""The columns of an event that records are made of."""

_TELLING: Final = ("type", "size", "inode", "mtime_ns")
_SILENT: Final = ("none", "config_change", "gap")


def known() -> pl.Expr:
    """Tell which records say something of the file: metadata is there exactly when the path was."""
    return pl.any_horizontal(pl.col(name).is_not_null() for name in _TELLING)


def empty() -> pl.DataFrame:
    """Return no records."""
    return pl.DataFrame(schema=dict(SCHEMA))


def of_events(events: pl.DataFrame) -> pl.DataFrame:
    """Return the records of events, which have the columns `EVENT`; what is about no path has none."""
    named = pl.col("file_path").is_not_null() & (pl.col("file_path") != "")
    rows = events.filter(named & (pl.col("event_kind") != "state").fill_null(value=True))
    renamed = rows.select(
        pl.col("host").fill_null(""),
        _clean("file_path").alias("path"),
        pl.coalesce("event_sequence", "_time_ns").alias("at"),
        pl.when(pl.col("event_sequence").is_null()).then("order").otherwise(0).alias("order"),
        pl.lit(None, pl.Int64).alias("placed_at"),
        pl.lit(None, pl.Int64).alias("placed_order"),
        pl.col("_time_ns").alias("time_ns"),
        pl.col("event_action").fill_null("").alias("action"),
        _clean("file_old_path").alias("old"),
        *(_file(name) for name in FILE),
    )
    return _judged(renamed)


def _file(name: str) -> pl.Expr:
    column = pl.col(f"file_{name.removesuffix('_ns')}")
    if not name.endswith("_ns"):
        return column.alias(name)
    moment = column.str.to_datetime("%+", time_unit="ns", time_zone="UTC", strict=False)
    return moment.dt.epoch("ns").alias(name)


def _clean(name: str) -> pl.Expr:
    """Return a path without a slash at its end, and as `tree` wants it."""
    path = tree.slashed(pl.col(name))
    ends = path.str.ends_with("/") & (path.str.len_bytes() > 1)
    return pl.when(ends).then(path.str.strip_chars_end("/")).otherwise(path)


def _judged(rows: pl.DataFrame) -> pl.DataFrame:
    """Decide by the actions and the metadata whether the path lives, and whether what was below it is gone."""
    actions = pl.col("action").str.split(",")
    last = actions.list.last()
    moved_here = (last == "moved") & pl.col("old").is_not_null()
    one = actions.list.len() == 1
    alive = (one & (~last.is_in(GONE) | moved_here)) | (~one & (known() | ~last.is_in(GONE) | moved_here))
    silent = actions.list.eval(pl.element().is_in(_SILENT)).list.all()
    rows = rows.with_columns(alive=alive, silent=silent, cut=actions.list.set_intersection(list(GONE)).list.len() > 0)
    rows = rows.filter(~pl.col("silent") | known()).drop("silent")
    here = rows.with_columns(moved_to=pl.lit(None, pl.String))
    there = rows.filter(pl.col("old").is_not_null() & (pl.col("old") != pl.col("path"))).with_columns(
        path=pl.col("old"),
        action=pl.lit("moved"),
        alive=pl.lit(value=False),
        cut=pl.lit(value=True),
        moved_to=pl.when("alive").then("path"),
        **{name: pl.lit(None, dtype) for name, dtype in FILE.items() if name not in ("type", "inode", "device")},
    )
    return pl.concat([here, there], how="diagonal").select(*SCHEMA)
