r"""Records of the tracing programs as columns: one frame of rows for each event that was asked for.

Comes in: records as bytes, and what they can mean (`Tables`). Goes out: frames with the columns `COMMON`, and the
arguments in the order of the event, by number (`arg1`) and by name (`args_filename`), with the path behind a
descriptor (`args_fd_path`). No Python per record but one list of bytes: places are cut out by Polars. Paths are put
together from the names that the kernel gave: of the opened file where there is one, else of the folder that a name is
relative to, and the name; links in that are not followed.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.ebpf.proc_files import boot_ns
from tailrace.ebpf.walk import CUT, DETACHED
from tailrace.sources.trace import layout as at
from tailrace.sources.trace.arguments import argument, at_working_directory, handle_path, relative
from tailrace.sources.trace.layout import RECORD
from tailrace.sources.trace.texts import addresses, as_text, joined, walked
from tailrace.syscalls.events import EVENTS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tailrace.sources.trace.battery import Call
    from tailrace.sources.trace.request import Wanted
    from tailrace.sources.trace.tables import Tables

COMMON: Final = (
    "time_ns", "name", "call", "program_id", "pid", "tid", "ppid", "uid", "gid", "auid", "comm", "cgroup", "ret",
    "flags", "path", "path2", "ino", "dev", "size", "compat", "in_container", "incomplete", "cwd",
)  # fmt: skip
"""Columns of every event, in front of its arguments."""

ORDER: Final = "_order"
"""Where a row stood among all rows of its reading."""

CUT_OFF: Final = "…"
"""In front of a path whose first names are not known."""

_ENDIAN: Final = "little" if sys.byteorder == "little" else "big"
_UNSET: Final = 0xFFFF_FFFF
_PIPE, _SOCKET, _TYPE_BITS = 0x1000, 0xC000, 0xF000
_INET6: Final = 10
_PARTS: Final = ("text1", "text2", "base1", "base2", "buffer")
_BYTES: Final[Mapping[type[pl.DataType], int]] = {pl.UInt16: 2, pl.UInt32: 4, pl.UInt64: 8, pl.Int64: 8}
_MINOR: Final = 1 << 20  # of the kernel's device numbers


@dataclass(frozen=True, slots=True)
class Host:
    """What is needed to understand records: when the kernel's clock began, and which mounts are the host's own."""

    boot_ns: int
    mounts: int

    @classmethod
    def now(cls) -> Host:
        """Return this host; its clock may be set, so this is to be asked for each reading."""
        try:
            mounts = Path("/proc/1/ns/mnt").stat().st_ino
        except OSError:
            mounts = Path("/proc/self/ns/mnt").stat().st_ino
        return cls(boot_ns(), mounts)


def decode(records: Sequence[bytes], tables: Tables, host: Host) -> list[pl.DataFrame]:
    """Return a frame for each wanted event that there are records of."""
    if not records:
        return []
    rows = _rows(records, host)
    frames = []
    for bit, wanted in enumerate(tables.wanted):
        mine = rows.filter(pl.col("handlers") // pl.lit(1 << bit, pl.UInt64) % 2 == 1)
        groups = mine.partition_by("index", as_dict=True, maintain_order=True)
        parts = [_event(part, wanted, tables.calls[int(index[0])]) for index, part in groups.items()]
        if parts:
            frame = parts[0] if len(parts) == 1 else pl.concat(parts, how="diagonal_relaxed").sort(ORDER)
            frames.append(_inside(frame, wanted.places))
    return [frame for frame in frames if len(frame)]


def _rows(records: Sequence[bytes], host: Host) -> pl.DataFrame:
    """Return what stands at fixed places, and the parts of the data; texts are null where there are none."""
    frame = pl.DataFrame({"r": pl.Series(records, dtype=pl.Binary)}).with_row_index(ORDER)
    ends = [_number(at.ENDS + 4 * part, pl.UInt32).cast(pl.Int64) for part in range(len(_PARTS))]
    thread, user, flags = _number(at.THREAD, pl.UInt64), _number(at.USER, pl.UInt64), _number(4, pl.UInt32)
    login, port = _number(at.LOGIN, pl.UInt32), _number(at.TARGET_PORT, pl.UInt16).cast(pl.Int64)
    rows = frame.select(
        ORDER,
        time_ns=_number(at.TIME, pl.Int64) + host.boot_ns,
        pid=_high(thread),
        tid=_low(thread),
        uid=_low(user),
        gid=_high(user),
        ppid=_number(at.PARENT, pl.UInt32).cast(pl.Int64),
        auid=pl.when(login != _UNSET).then(login.cast(pl.Int64)),
        cgroup=_number(at.CGROUP, pl.Int64),
        ret=_number(at.RESULT, pl.Int64),
        index=_number(at.INDEX, pl.UInt32),
        handlers=_number(at.HANDLERS, pl.UInt64),
        comm=pl.col("r").bin.slice(at.COMM, 16),
        in_container=~_number(at.MOUNTS, pl.UInt32).is_in([host.mounts, at.OWN_MOUNTS]),
        incomplete=flags % (2 * CUT) > 0,  # FAULT or CUT
        cut=flags // CUT % 2 == 1,
        folders=flags // at.NO_FOLDERS % 2 == 0,
        detached=flags // DETACHED % 2 == 1,
        compat=flags // at.COMPAT_CALL % 2 == 1,
        ino=_number(at.INODE, pl.Int64),
        size=_number(at.SIZE, pl.Int64),
        device=_number(at.DEVICE, pl.UInt32).cast(pl.Int64),
        mode=_number(at.MODE, pl.UInt32),
        family=_number(at.FAMILY, pl.UInt16),
        sport=_number(at.SOURCE_PORT, pl.UInt16).cast(pl.Int64),
        dport=port % 256 * 256 + port // 256 if _ENDIAN == "little" else port,  # it stands in the network's order
        netns=_number(at.NETWORK, pl.UInt32).cast(pl.Int64),
        saddr=pl.col("r").bin.slice(at.SOURCE, 16),
        daddr=pl.col("r").bin.slice(at.TARGET, 16),
        **{f"a{number + 1}": _number(at.ARGUMENTS + 8 * number, pl.UInt64) for number in range(6)},
        **{
            name: pl.col("r").bin.slice(start + RECORD.head, end - start)
            for name, start, end in zip(_PARTS, [pl.lit(0, pl.Int64), *ends[:-1]], ends, strict=True)
        },
    )
    cut = rows["cut"]
    is_v6, linked = rows["family"] == _INET6, (rows["family"] != 0).any()
    none = pl.Series([None], dtype=pl.String).new_from_index(0, len(rows))
    return rows.with_columns(
        *(as_text(rows[name]) for name in ("comm", "text1", "text2")),
        *(_shortened(walked(rows[name]), cut) for name in ("base1", "base2")),
        *(addresses(rows[name], is_v6) if linked else none.alias(name) for name in ("saddr", "daddr")),
        pl.col("buffer").alias("how"),
        as_text(rows["buffer"]),
    )


def _shortened(paths: pl.Series, cut: pl.Series) -> pl.Series:
    """Mark paths whose beginning is not known: they had more names than fit."""
    return (CUT_OFF + paths).zip_with(cut & (paths != ""), paths).alias(paths.name) if cut.any() else paths


def _number(place: int, dtype: type[pl.DataType]) -> pl.Expr:
    return pl.col("r").bin.slice(place, _BYTES[dtype]).bin.reinterpret(dtype=dtype, endianness=_ENDIAN)


def _high(value: pl.Expr) -> pl.Expr:
    return (value // (1 << 32)).cast(pl.Int64)


def _low(value: pl.Expr) -> pl.Expr:
    return (value % (1 << 32)).cast(pl.Int64)


# --- rows of one call as an event -------------------------------------------------------------------


def _event(rows: pl.DataFrame, wanted: Wanted, call: Call) -> pl.DataFrame:
    """Return the rows of one call as those of an event."""
    rows = _with_paths(rows, call)
    there = pl.col("mode") != 0
    device = pl.format("{}:{}", pl.col("device") // _MINOR, pl.col("device") % _MINOR)
    columns: dict[str, pl.Expr] = {}
    for number, one in enumerate(EVENTS[wanted.event], 1):
        value = argument(one.name, call)
        columns |= {f"arg{number}": value, f"args_{one.name}": value}
        if one.kind == "fd":
            columns[f"args_{one.name}_path"] = handle_path(one.name, call)
    return rows.select(
        ORDER,
        "time_ns",
        pl.lit(wanted.event).alias("name"),
        pl.lit(call.name).alias("call"),
        pl.lit(wanted.program_id, pl.Int64).alias("program_id"),
        *("pid", "tid", "ppid", "uid", "gid", "auid", "comm", "cgroup", "ret"),
        pl.col("incomplete").cast(pl.Int64).alias("flags"),
        *("path", "path2"),
        pl.when(there).then(pl.col("ino")).alias("ino"),
        pl.when(there).then(device).alias("dev"),
        pl.when(there).then(pl.col("size")).alias("size"),
        *("compat", "in_container", "incomplete", "cwd"),
        *(expression.alias(name) for name, expression in columns.items()),
    )


def _with_paths(rows: pl.DataFrame, call: Call) -> pl.DataFrame:
    """Add `path`, `path2`, and `cwd` where a name is relative to it."""
    nothing = pl.Series([None], dtype=pl.String).new_from_index(0, len(rows))
    named = [
        _named(rows, number) if call.is_path(text) else None for number, text in enumerate(call.texts, 1)
    ]  # None: a text that is no path
    paths = [path for path in named if path is not None]
    opened = rows.select(_file("base1")).to_series()
    if call.opens:
        done = (rows["ret"] >= 0) & rows["folders"]
        paths = [opened.zip_with(done, paths[0] if paths else nothing), *paths[1:]]
    elif call.files:
        paths = [opened, *(rows.select(_file("base2")).to_series() for _ in call.files[1:])]
    first, second, *_ = [*paths, nothing, nothing]
    cwd = pl.lit(None, pl.String)
    if named and rows["folders"].all() and named[0] is not None:
        here = relative(1) & at_working_directory(1, call)
        if call.opens:
            here &= pl.col("ret") < 0  # else the kernel was asked for the file itself
        cwd = pl.when(here).then(pl.when(pl.col("base1") == "").then(pl.lit("/")).otherwise(pl.col("base1")))
    return rows.with_columns(first.alias("path"), second.alias("path2"), cwd.alias("cwd"))


def _named(rows: pl.DataFrame, number: int) -> pl.Series:
    """Return the paths that a text means; without one, the folder or file that a descriptor stands for."""
    base, text = rows[f"base{number}"], rows[f"text{number}"]
    path = joined(base, text)
    alone = text.fill_null("") == ""
    nothing = pl.Series([None], dtype=pl.String).new_from_index(0, len(rows))
    given = base.zip_with(base != "", nothing)
    if not rows["folders"].all():
        path = path.zip_with(rows["folders"] | text.str.starts_with("/").fill_null(value=False), nothing)
    return given.zip_with(alone & ~(rows["incomplete"] & ~rows["cut"]), path)


def _file(base: str) -> pl.Expr:
    """Return the path of an open file; what has no place in the file system is named as `/proc` does."""
    kind = pl.col("mode") // (_TYPE_BITS & -_TYPE_BITS) * (_TYPE_BITS & -_TYPE_BITS)
    return (
        pl.when(pl.col(base) != "")
        .then(pl.col(base))
        .when(pl.col("mode") == 0)
        .then(None)
        .when(kind == _PIPE)
        .then(pl.format("pipe:[{}]", "ino"))
        .when(kind == _SOCKET)
        .then(pl.format("socket:[{}]", "ino"))
        .when(~pl.col("detached"))
        .then(pl.lit("/"))
        .otherwise(None)
    )


def _inside(frame: pl.DataFrame, places: Sequence[str]) -> pl.DataFrame:
    """Return the rows with a path in one of the places, or the place itself."""
    if not places:
        return frame
    hits = [
        (pl.col(path) == place) | pl.col(path).str.starts_with(place.rstrip("/") + "/")
        for place in places
        for path in ("path", "path2")
    ]
    hits += [pl.col(path).str.starts_with(CUT_OFF) for path in ("path", "path2")]  # the kernel says that it is inside
    return frame.filter(pl.any_horizontal(hit.fill_null(value=False) for hit in hits))
