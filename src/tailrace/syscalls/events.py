"""System-call events as rows: their names, their arguments in order, and where a row has them.

Comes in: rows with `name` (which call), maybe `timestamp`, `program_id`, `pid`, `ret`, `hash`, `flags`, and the
arguments as `arg1`, `arg2`, …, or by name as `args_<name>` (a member `args` of a JSON record), or as fields of their
own name. The path behind a descriptor is `args_<name>_path`, that of the working directory is `cwd`. Goes out: the
arguments in the order of the call.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Mapping

Kind = Literal["string", "number", "fd", "buffer"]

COMMON: Final = ("timestamp", "program_id", "pid", "ret", "name", "hash", "flags")
"""What every event has beside its arguments."""

AT_FDCWD: Final = -100
"""The descriptor that stands for the working directory."""


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument of a call; a buffer is not part of an event's key."""

    name: str
    kind: Kind = "number"


def _call(*arguments: str) -> tuple[Argument, ...]:
    return tuple(Argument(name, _KINDS.get(name, "number")) for name in arguments)


_KINDS: Final[Mapping[str, Kind]] = {
    "filename": "string",
    "pathname": "string",
    "oldname": "string",
    "newname": "string",
    "target": "string",
    "linkpath": "string",
    "saddr": "string",
    "daddr": "string",
    "xattr": "string",
    **dict.fromkeys(("fd", "dfd", "olddfd", "newdfd", "oldfd", "newfd", "in_fd", "out_fd"), "fd"),
    "buf": "buffer",
}
_NETWORK: Final = ("saddr", "daddr", "sport", "dport", "netns")

_CALLS: Final[Mapping[str, tuple[Argument, ...]]] = {
    "open": _call("filename", "flags", "mode"),
    "openat": _call("dfd", "filename", "flags", "mode"),
    "openat2": _call("dfd", "filename", "flags", "mode", "resolve"),
    "creat": _call("filename", "mode"),
    "close": _call("fd"),
    "read": _call("fd", "buf", "count"),
    "write": _call("fd", "buf", "count"),
    "chmod": _call("filename", "mode"),
    "fchmod": _call("fd", "mode"),
    "fchmodat": _call("dfd", "filename", "mode"),
    "chown": _call("filename", "user", "group"),
    "fchown": _call("fd", "user", "group"),
    "fchownat": _call("dfd", "filename", "user", "group", "flag"),
    "mkdir": _call("pathname", "mode"),
    "mkdirat": _call("dfd", "pathname", "mode"),
    "rmdir": _call("pathname"),
    "unlink": _call("pathname"),
    "unlinkat": _call("dfd", "pathname", "flag"),
    "rename": _call("oldname", "newname"),
    "renameat": _call("olddfd", "oldname", "newdfd", "newname"),
    "renameat2": _call("olddfd", "oldname", "newdfd", "newname", "flags"),
    "link": _call("oldname", "newname"),
    "linkat": _call("olddfd", "oldname", "newdfd", "newname", "flags"),
    "symlink": _call("target", "linkpath"),
    "symlinkat": _call("target", "newdfd", "linkpath"),
    "truncate": _call("pathname", "length"),
    "ftruncate": _call("fd", "length"),
    "setxattr": _call("pathname", "xattr", "buf", "size", "flags"),
    "removexattr": _call("pathname", "xattr"),
    "open_by_handle_at": _call("dfd", "handle", "flags"),
    "close_range": _call("fd", "max_fd", "flags"),
    "dup": _call("oldfd", "newfd"),
    "dup2": _call("oldfd", "newfd"),
    "dup3": _call("oldfd", "newfd", "flags"),
    "mknod": _call("filename", "mode", "dev"),
    "mknodat": _call("dfd", "filename", "mode", "dev"),
    "fchmodat2": _call("dfd", "filename", "mode", "flags"),
    "lchown": _call("filename", "user", "group"),
    "fallocate": _call("fd", "mode", "offset", "len"),
    "utime": _call("filename"),
    "utimes": _call("filename"),
    "futimesat": _call("dfd", "filename"),
    "utimensat": _call("dfd", "filename", "flags"),
    "lsetxattr": _call("pathname", "xattr", "buf", "size", "flags"),
    "fsetxattr": _call("fd", "xattr", "buf", "size", "flags"),
    "setxattrat": _call("dfd", "pathname", "at_flags", "xattr"),
    "lremovexattr": _call("pathname", "xattr"),
    "fremovexattr": _call("fd", "xattr"),
    "removexattrat": _call("dfd", "pathname", "at_flags", "xattr"),
    "pread64": _call("fd", "buf", "count", "pos"),
    "pwrite64": _call("fd", "buf", "count", "pos"),
    **{call: _call("fd", "vlen") for call in ("readv", "writev", "preadv", "pwritev", "preadv2", "pwritev2")},
    "sendfile": _call("out_fd", "in_fd", "count"),
    "splice": _call("in_fd", "out_fd", "len", "flags"),
    "copy_file_range": _call("in_fd", "out_fd", "len", "flags"),
    "mmap": _call("addr", "len", "prot", "flags", "fd", "off"),
    "msync": _call("addr", "len", "flags"),
    **{call: _call("fd", *_NETWORK) for call in ("connect", "accept", "accept4")},
}

EVENTS: Final[Mapping[str, tuple[Argument, ...]]] = {
    **_CALLS,
    **{f"sys_{name}": arguments for name, arguments in _CALLS.items()},
    "times": _call("filename"),
    "copy": _call("out_fd", "in_fd", "count"),
    **{f"{call}_{family}": _call(*_NETWORK) for call in ("connect", "accept", "close") for family in ("v4", "v6")},
}
"""The known events and their arguments in order. One with the name of a family (`open`) stands for all its calls
(`openat`, `creat`); with `sys_` in front of it, it is that call alone."""


def places(event: str, number: int, schema: Mapping[str, pl.DataType]) -> list[str]:
    """Return the columns that may hold an argument (numbered from 1), best first."""
    name = EVENTS[event][number - 1].name
    own = [] if name in COMMON else [name]
    return [column for column in (f"arg{number}", f"args_{name}", *own) if column in schema]


def argument(frame: pl.DataFrame, event: str, number: int) -> pl.Series:
    """Return an argument of the rows, which are all of one event; null where a row lacks it."""
    columns = places(event, number, frame.schema)
    if not columns:
        return pl.Series(f"arg{number}", [None], dtype=pl.String).new_from_index(0, len(frame))
    texts = {frame.schema[column] == pl.String for column in columns}
    casts = [pl.col(column).cast(pl.String) if len(texts) > 1 else pl.col(column) for column in columns]
    return frame.select(pl.coalesce(casts).alias(f"arg{number}")).to_series()


def path_of(frame: pl.DataFrame, event: str, number: int) -> pl.Series:
    """Return the paths behind a descriptor argument; null where they are not known.

    The descriptor that stands for the working directory is a row's `cwd`, if it has that.
    """
    name = EVENTS[event][number - 1].name
    paths = [
        pl.col(c).cast(pl.String) for c in (f"arg{number}_path", f"args_{name}_path", f"{name}_path") if c in frame
    ]
    if "cwd" in frame:
        here = pl.lit(argument(frame, event, number).cast(pl.Int64, strict=False)) == AT_FDCWD
        paths.append(pl.when(here).then(pl.col("cwd").cast(pl.String)))
    if not paths:
        return pl.Series("path", [None], dtype=pl.String).new_from_index(0, len(frame))
    return frame.select(pl.coalesce(paths).alias("path")).to_series()


def whole(value: object) -> int:
    """Return an argument as a whole number; what is none is 0.

    >>> whole(420.0), whole("420"), whole(True), whole("O_CREAT"), whole(None)
    (420, 420, 1, 0, 0)
    """
    try:
        return int(value) if isinstance(value, int | float | str) else 0
    except (ValueError, OverflowError):
        return 0


def numbers(values: pl.Series) -> pl.Series:
    """Return arguments as whole numbers, with room for those without a sign; what is none is 0."""
    return values.cast(pl.Int128, strict=False).fill_null(0)


def common(frame: pl.DataFrame, name: str) -> pl.Series:
    """Return a common member of the rows; `timestamp` is the row's time where it has none, others are 0 then.

    The type has room for hashes, which use all 64 bits without a sign.
    """
    fallback = pl.col("_time_ns") if name == "timestamp" and "_time_ns" in frame.columns else pl.lit(0)
    given = [pl.col(name).cast(pl.Int128, strict=False)] if name in frame.columns else []
    return frame.select(pl.coalesce(*given, fallback.cast(pl.Int128)).alias(name)).to_series()
