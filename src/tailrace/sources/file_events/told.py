"""Events as rows: what `Changes` say, in the columns of `ecs`, without number, time and process.

Comes in: columns of bits, paths and stats. Goes out: a frame, a row per event. An object that lives has its metadata; a
path that is gone has what the event itself said, and only if nothing else happened: with several actions metadata
means that the object lives. What is text about bits is looked up once per distinct value. About 2 µs a row.

Several actions of one object that the kernel merged are put in an order that fits what is there now: a file that lives
was deleted before it was created, one that is gone was created before it was deleted. Attributes come last.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.sources.file_events import backend as bits
from tailrace.sources.file_events.rows import SCHEMA, rows, texts

if TYPE_CHECKING:
    from tailrace.ecs import Provider
    from tailrace.sources.file_events.backend import Changes
    from tailrace.sources.file_events.devices import Devices

_LIVING: Final = (
    (bits.DELETED, "deleted"),
    (bits.CREATED, "created"),
    (bits.MOVED, "moved"),
    (bits.UPDATED, "updated"),
)
_GONE: Final = ((bits.CREATED, "created"), (bits.UPDATED, "updated"), (bits.MOVED, "moved"), (bits.DELETED, "deleted"))
_REASONS: Final = ((bits.MOVED_IN, "moved_in"), (bits.MOVED_OUT, "moved_out"), (bits.EXCHANGED, "exchanged"))
_ALIVE: Final = 1 << 16  # added to the bits of what has a stat


def told(changes: Changes, provider: Provider, devices: Devices) -> pl.DataFrame:
    """Return the rows of events; `pid` is the process, null where it is not known."""
    paths = [os.fsdecode(path) for path in changes.paths]
    living = [place for place, stat in enumerate(changes.stats) if stat is not None]
    all_live = len(living) == len(paths)
    kinds = pl.Series("bits", changes.bits, pl.UInt32)
    if all_live:
        kinds = kinds + _ALIVE
    else:
        kinds = kinds + pl.Series([_ALIVE if stat is not None else 0 for stat in changes.stats], dtype=pl.UInt32)
    events = pl.DataFrame(
        {
            "bits": kinds,
            "file_path": texts(paths),
            "file_old_path": texts([None if path is None else os.fsdecode(path) for path in changes.old_paths]),
            "pid": pl.Series(changes.pids, dtype=pl.Int64).replace(0, None),
            "inode": pl.Series(changes.inodes, dtype=pl.UInt64).replace(0, None).cast(pl.String),
        }
    ).with_columns(pl.lit(provider).alias("event_provider"))
    events = events.join(_words(kinds), on="bits", how="left", maintain_order="left")
    return _with_files(events, changes, paths, living, devices).drop("bits", "inode", "alone")


def _with_files(
    events: pl.DataFrame, changes: Changes, paths: list[str], living: list[int], devices: Devices
) -> pl.DataFrame:
    """Add the metadata of what lives, and what is known of what is gone."""
    stats = [stat for stat in changes.stats if stat is not None]
    if not stats:
        files = pl.DataFrame(schema={name: dtype for name, dtype in SCHEMA.items() if name != "file_path"})
        files = files.clear(len(events))
    else:
        place_of = {place: row for row, place in enumerate(living)} if changes.targets else {}
        targets = {place_of[place]: os.fsdecode(where) for place, where in changes.targets.items() if place in place_of}
        files = rows([paths[place] for place in living], stats, targets, devices).drop("file_path")
        if len(stats) != len(paths):
            spread = pl.Series([None] * len(paths), dtype=pl.UInt32).scatter(living, range(len(living)))
            files = files[spread]
    gone = pl.col("alone") & pl.col("file_type").is_null()
    return (
        pl.concat([events, files], how="horizontal")
        .with_columns(
            pl.when(gone).then("gone_type").otherwise("file_type").alias("file_type"),
            pl.when(gone).then("inode").otherwise("file_inode").alias("file_inode"),
        )
        .drop("gone_type")
    )


def _words(kinds: pl.Series) -> pl.DataFrame:
    """Return the texts about each distinct value of the bits."""
    distinct = kinds.unique()
    table = [_word(value) for value in distinct]
    names = ("event_action", "event_confidence", "event_reason", "gone_type", "alone")
    types = (pl.String, pl.String, pl.String, pl.String, pl.Boolean)
    columns = zip(*table, strict=True) if table else [()] * len(names)
    series = [pl.Series(name, column, dtype) for name, column, dtype in zip(names, columns, types, strict=True)]
    return pl.DataFrame([distinct, *series])


def _word(value: int) -> tuple[str, str, str | None, str | None, bool]:
    alive = bool(value & _ALIVE)
    actions = [name for bit, name in (_LIVING if alive else _GONE) if value & bit]
    if value & bits.ATTRIBUTES and (alive or not value & bits.DELETED):
        actions.append("attributes_modified")
    confidence = "exact" if len(actions) == 1 else "merged"
    if value & bits.SYNTHETIC:
        confidence = "synthetic"
    elif value & bits.INFERRED:
        confidence = "inferred"
    reason = next((name for bit, name in _REASONS if value & bit), None)
    alone = not alive and actions == ["deleted"]
    return ",".join(actions) or "none", confidence, reason, "dir" if alone and value & bits.FOLDER else None, alone
