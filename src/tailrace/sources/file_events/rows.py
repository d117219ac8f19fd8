"""The `file_*` columns of many looks at once.

Comes in: lists of paths (as `os.fsdecode` gives them) and of what `lstat` told. Goes out: one frame, about
0.7 µs a row.
"""

from __future__ import annotations

import os
import re
import stat
from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.ecs import COLUMNS, MOMENT
from tailrace.sources.file_events.metadata import group, owner, text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tailrace.sources.file_events.devices import Devices

TYPES: Final[Mapping[int, str]] = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "dir",
    stat.S_IFLNK: "symlink",
    stat.S_IFIFO: "fifo",
    stat.S_IFSOCK: "socket",
    stat.S_IFCHR: "char_device",
    stat.S_IFBLK: "block_device",
}
"""`file_type` by the upper bits of a mode."""

STATE: Final = (
    "file_path",
    "file_type",
    "file_target_path",
    "file_size",
    "file_allocated",
    "file_links",
    "file_inode",
    "file_device",
    "file_mode",
    "file_uid",
    "file_gid",
    "file_owner",
    "file_group",
    "file_mtime",
    "file_ctime",
)
"""The columns that a look at a path gives."""

SCHEMA: Final[Mapping[str, pl.DataType]] = {name: COLUMNS[name] for name in STATE}

_BLOCK_BYTES: Final = 512
_ESCAPED: Final = re.compile(rb"\\x([0-9a-f]{2})")


def rows(
    paths: Sequence[str], stats: Sequence[os.stat_result], targets: Mapping[int, str], devices: Devices
) -> pl.DataFrame:
    """Return the frame of paths and their `lstat`; `targets` has those of symlinks by row."""
    if not paths:
        return pl.DataFrame(schema=SCHEMA)
    numbers = pl.DataFrame(
        {
            "mode": pl.Series([look.st_mode for look in stats], dtype=pl.UInt32),
            "size": pl.Series([look.st_size for look in stats], dtype=pl.Int64),
            "blocks": pl.Series([look.st_blocks for look in stats], dtype=pl.Int64),
            "links": pl.Series([look.st_nlink for look in stats], dtype=pl.Int64),
            "inode": pl.Series([look.st_ino for look in stats], dtype=pl.UInt64),
            "device": pl.Series([look.st_dev for look in stats], dtype=pl.UInt64),
            "uid": pl.Series([look.st_uid for look in stats], dtype=pl.UInt32),
            "gid": pl.Series([look.st_gid for look in stats], dtype=pl.UInt32),
            "mtime": _times([look.st_mtime_ns for look in stats]),
            "ctime": _times([look.st_ctime_ns for look in stats]),
        }
    )
    return numbers.select(
        texts(paths).alias("file_path"),
        _by_few(numbers["mode"] & stat.S_IFMT(0xFFFF), lambda kind, _: TYPES.get(kind)).alias("file_type"),
        _targets(len(paths), targets),
        file_size="size",
        file_allocated=pl.col("blocks") * _BLOCK_BYTES,
        file_links="links",
        file_inode=pl.col("inode").cast(pl.String),
        file_device=_by_few(numbers["device"], lambda device, row: devices.of(device, os.fsencode(paths[row]))),
        file_mode=_by_few(numbers["mode"], lambda mode, _: f"{stat.S_IMODE(mode):04o}"),
        file_uid=pl.col("uid").cast(pl.String),
        file_gid=pl.col("gid").cast(pl.String),
        file_owner=_by_few(numbers["uid"], lambda uid, _: owner(uid)),
        file_group=_by_few(numbers["gid"], lambda gid, _: group(gid)),
        file_mtime=pl.from_epoch("mtime", "ns").dt.strftime(MOMENT),
        file_ctime=pl.from_epoch("ctime", "ns").dt.strftime(MOMENT),
    ).select(STATE)


def texts(paths: Sequence[str | None]) -> pl.Series:
    r"""Return paths as a column; a byte that is no UTF-8 as `\xff`."""
    try:
        return pl.Series("file_path", paths, dtype=pl.String)
    except UnicodeEncodeError:
        named = [None if path is None else text(os.fsencode(path)) for path in paths]
        return pl.Series("file_path", named, dtype=pl.String)


def meanings(path: str) -> list[bytes]:
    r"""Return the paths that a text in the table may stand for, likeliest first: a `\xff` is a byte or itself.

    >>> meanings("/srv/a"), meanings(r"/srv/\xff")
    ([b'/srv/a'], [b'/srv/\\xff', b'/srv/\xff'])
    """
    literal = path.encode()
    return list(dict.fromkeys((literal, _ESCAPED.sub(lambda match: bytes([int(match[1], 16)]), literal))))


def _by_few(values: pl.Series, label: Callable[[int, int], str | None]) -> pl.Series:
    """Return a text for each value, asked once for each of the few that differ, with a row that has it."""
    few = pl.DataFrame({"value": values}).with_row_index("row").unique("value", keep="first")
    labels = [label(value, row) for row, value in few.iter_rows()]
    return values.replace_strict(few["value"], pl.Series(labels, dtype=pl.String), return_dtype=pl.String)


def _times(values: list[int]) -> pl.Series:
    try:
        return pl.Series(values, dtype=pl.Int64)
    except (OverflowError, TypeError):  # a time after the year 2262, as only a broken or playful program sets it
        return pl.Series([min(max(value, -(1 << 63)), (1 << 63) - 1) for value in values], dtype=pl.Int64)


def _targets(height: int, targets: Mapping[int, str]) -> pl.Series:
    if not targets:
        return pl.Series("file_target_path", [None], dtype=pl.String).new_from_index(0, height)
    return texts([targets.get(row) for row in range(height)]).alias("file_target_path")
