r"""Make the `file_*` columns of paths and what `lstat` told of them.

Comes in: lists, gathered entry by entry. Goes out: one frame of them, computed by columns; about 0.3 µs a row. Bytes of
a name that are no UTF-8 become `\xff`, so the frame's paths are for people and tables: to open a file take the list's.
"""

from __future__ import annotations

import grp
import pwd
import stat
from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.ecs import COLUMNS

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping, Sequence

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

_INT64: Final = (-(1 << 63), (1 << 63) - 1)
_NAMES: Final = 65_536  # names of users and groups that are remembered


class Names:
    """The names of users and groups by their numbers, asked once each; a number without a name has None."""

    def __init__(
        self,
        user: Callable[[int], str] = lambda number: pwd.getpwuid(number).pw_name,
        group: Callable[[int], str] = lambda number: grp.getgrgid(number).gr_name,
    ) -> None:
        self._ask = (user, group)
        self._known: tuple[dict[int, str | None], dict[int, str | None]] = ({}, {})

    def users(self, numbers: pl.Series) -> pl.Series:
        """Return the names of users."""
        return self._names(numbers, 0)

    def groups(self, numbers: pl.Series) -> pl.Series:
        """Return the names of groups."""
        return self._names(numbers, 1)

    def forget(self) -> None:
        """Ask again: somebody was added or renamed."""
        for known in self._known:
            known.clear()

    def _names(self, numbers: pl.Series, kind: int) -> pl.Series:
        known, distinct = self._known[kind], numbers.unique().to_list()
        if len(known) > _NAMES:
            known.clear()
        for number in distinct:
            if number not in known:
                try:
                    known[number] = self._ask[kind](number)
                except (KeyError, OSError):  # an unknown number, a directory service that does not answer
                    known[number] = None
        names = pl.Series([known[number] for number in distinct], dtype=pl.String)
        return numbers.replace_strict(pl.Series(distinct, dtype=numbers.dtype), names, return_dtype=pl.String)


def text(path: str) -> str:
    r"""Return a path as a column has it: bytes that are no UTF-8 (surrogates, here) as `\xff`.

    >>> text("/srv/a"), text("/srv/\udcff")
    ('/srv/a', '/srv/\\xff')
    """
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def texts(paths: Sequence[str | None]) -> pl.Series:
    """Return paths as a column."""
    try:
        return pl.Series("file_path", paths, dtype=pl.String)
    except UnicodeEncodeError:
        return pl.Series("file_path", [path and text(path) for path in paths], dtype=pl.String)


def rows(
    paths: Sequence[str],
    stats: Sequence[os.stat_result],
    targets: Mapping[int, str],
    devices: Mapping[int, str],
    names: Names,
) -> pl.DataFrame:
    """Return the frame of paths and their `lstat`; `targets` has those of symlinks by row, `devices` all names."""
    numbers = pl.DataFrame(
        {
            "mode": pl.Series([found.st_mode for found in stats], dtype=pl.UInt32),
            "file_size": pl.Series([found.st_size for found in stats], dtype=pl.Int64),
            "file_allocated": pl.Series([found.st_blocks for found in stats], dtype=pl.Int64) * 512,
            "file_links": pl.Series([found.st_nlink for found in stats], dtype=pl.Int64),
            "inode": pl.Series([found.st_ino for found in stats], dtype=pl.UInt64),
            "device": pl.Series([found.st_dev for found in stats], dtype=pl.UInt64),
            "uid": pl.Series([found.st_uid for found in stats], dtype=pl.UInt32),
            "gid": pl.Series([found.st_gid for found in stats], dtype=pl.UInt32),
            "mtime": _times([found.st_mtime_ns for found in stats]),
            "ctime": _times([found.st_ctime_ns for found in stats]),
        }
    )
    frame = numbers.with_columns(
        texts(paths),
        _targets(len(paths), targets),
        names.users(numbers["uid"]).alias("file_owner"),
        names.groups(numbers["gid"]).alias("file_group"),
        file_type=_labels(pl.col("mode") & stat.S_IFMT(0xFFFF), TYPES),
        file_inode=pl.col("inode").cast(pl.String),
        file_device=_labels(pl.col("device"), devices),
        file_mode=_octal(pl.col("mode")),
        file_uid=pl.col("uid").cast(pl.String),
        file_gid=pl.col("gid").cast(pl.String),
        file_mtime=rfc3339(pl.col("mtime")),
        file_ctime=rfc3339(pl.col("ctime")),
    )
    return frame.select(STATE)


def rfc3339(ns: pl.Expr) -> pl.Expr:
    """Write Unix times in nanoseconds as RFC 3339 in UTC."""
    return pl.from_epoch(ns, time_unit="ns").dt.strftime("%Y-%m-%dT%H:%M:%S%.9fZ")


def _labels(numbers: pl.Expr, labels: Mapping[int, str]) -> pl.Expr:
    keys, values = pl.Series(list(labels), dtype=pl.UInt64), pl.Series(list(labels.values()), dtype=pl.String)
    return numbers.cast(pl.UInt64).replace_strict(keys, values, default=None, return_dtype=pl.String)


def _octal(mode: pl.Expr) -> pl.Expr:
    digits = [(mode // 8**place % 8).cast(pl.String) for place in (3, 2, 1, 0)]
    return pl.concat_str(digits)


def _times(values: list[int]) -> pl.Series:
    try:
        return pl.Series(values, dtype=pl.Int64)
    except OverflowError:  # a time after the year 2262, as only a broken or playful program sets it
        least, most = _INT64
        return pl.Series([min(max(value, least), most) for value in values], dtype=pl.Int64)


def _targets(height: int, targets: Mapping[int, str]) -> pl.Series:
    if not targets:
        return pl.Series("file_target_path", [None], dtype=pl.String).new_from_index(0, height)
    return texts([targets.get(row) for row in range(height)]).alias("file_target_path")
