"""The arguments of an event from those of one of its calls: by name, since the order differs.

Comes in: an argument's name in the event, and the call. Goes out: an expression over the rows that `columns` makes of
records (`a1` … `a6`, `text1`, `text2`, `base1`, `path`, `buffer`, …), of one type for each name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.sources.trace.battery import FILES, FOLDERS, TEXTS
from tailrace.syscalls.events import AT_FDCWD

if TYPE_CHECKING:
    from tailrace.sources.trace.battery import Call

NETWORK: Final = ("saddr", "daddr", "sport", "dport", "netns")
_CREAT: Final = 0o1101  # what `creat` means: O_CREAT | O_WRONLY | O_TRUNC
_SHORT: Final = frozenset({"flags", "flag", "at_flags", "mode", "user", "group", "dev", "prot", "max_fd", "vlen"})
_HANDLES: Final = FILES | FOLDERS | {"newfd"}
_HOW: Final = {"flags": 0, "mode": 8, "resolve": 16}
_BITS: Final = 1 << 32
_NAMES: Final = ("filename", "pathname")


def argument(name: str, call: Call) -> pl.Expr:
    """Return an argument; null, of the right type, where the call has none of the kind."""
    if name in NETWORK:
        return pl.when(pl.col("family") != 0).then(pl.col(name))
    if name in TEXTS or name == "buf":
        return _text(name, call)
    if "how" in call.arguments and name in _HOW:
        return pl.col("how").bin.slice(_HOW[name], 8).bin.reinterpret(dtype=pl.Int64, endianness="little")
    if call.name == "creat" and name == "flags":
        return pl.lit(_CREAT, pl.Int64)
    if name in _HANDLES and name not in call.arguments:  # a new one: what is returned
        returns = call.opens or call.name == "dup"
        return pl.col("ret") if returns else pl.lit(None, pl.Int64)
    place = call.place(name)
    return _whole(pl.col(f"a{place}"), name) if place else pl.lit(None, pl.Int64)


def handle_path(name: str, call: Call) -> pl.Expr:
    """Return the path behind a descriptor argument."""
    if name in FOLDERS:
        place = call.place(name)
        if not place or place + 1 > len(call.arguments) or place + 1 not in call.texts:
            return pl.lit(None, pl.String)
        which = call.texts.index(place + 1) + 1
        base = pl.col(f"base{which}")
        here = _whole(pl.col(f"a{place}"), "fd") == AT_FDCWD
        return pl.when(~here & relative(which)).then(pl.when(base == "").then(pl.lit("/")).otherwise(base))
    files = [call.arguments[number - 1] for number in call.files]
    if name in files:
        return pl.col("path" if files.index(name) == 0 else "path2")
    return pl.col("path") if call.opens and not call.texts else pl.lit(None, pl.String)


def relative(which: int) -> pl.Expr:
    """Tell whether a text is relative to a folder."""
    return ~pl.col(f"text{which}").str.starts_with("/").fill_null(value=False)


def at_working_directory(which: int, call: Call) -> pl.Expr:
    """Tell whether the folder of a text is the working directory."""
    place = call.folder(call.texts[which - 1])
    return _whole(pl.col(f"a{place}"), "fd") == AT_FDCWD if place else pl.lit(value=True)


def _text(name: str, call: Call) -> pl.Expr:
    if name == "buf":
        return pl.col("buffer") if call.place("buf") else pl.lit(None, pl.String)
    same = next((one for one in (name, *(_NAMES if name in _NAMES else ())) if one in call.arguments), "")
    if same:
        return pl.col(f"text{call.texts.index(call.place(same)) + 1}")
    return pl.col("path") if name in _NAMES else pl.lit(None, pl.String)  # of a descriptor


def _whole(value: pl.Expr, name: str) -> pl.Expr:
    """Return a register as a number: 32 bits of it, with or without a sign, or all."""
    if name in _SHORT:
        return (value % _BITS).cast(pl.Int64)
    if name in _HANDLES:
        return (value % _BITS).cast(pl.UInt32).reinterpret(signed=True).cast(pl.Int64)
    return value.reinterpret(signed=True)
