r"""Events as text: `{<common members>} <arguments> `.

Strings are quoted with backslash escapes, descriptors have their path behind them, buffers are cut to what the call
returned.

>>> quoted('a "b"\n\x01é')
'"a \\"b\\"\\n\\x01é"'
"""

from __future__ import annotations

from typing import Final

import polars as pl

from tailrace.syscalls.events import EVENTS, argument, common, numbers, path_of
from tailrace.syscalls.hashing import event_hash, event_hashes

_ESCAPES: Final = {
    "\a": r"\a",
    "\b": r"\b",
    "\f": r"\f",
    "\n": r"\n",
    "\r": r"\r",
    "\t": r"\t",
    "\v": r"\v",
    "\\": r"\\",
    '"': r"\"",
}
_SPECIAL: Final = r"[^ !#-\[\]-~]"
"""What has to be escaped, or may have to be."""

_BUFFER_BYTES: Final = 256
_ASCII_END: Final = 0x80
_PLANE_END: Final = 0x10000


def event_text(row: pl.DataFrame) -> str:
    """Return the text of one known event (a frame of one row), its arguments behind its common members."""
    name: str = row["name"][0]
    number = {member: common(row, member)[0] for member in ("timestamp", "program_id", "pid", "ret", "flags")}
    head = (
        f"{{Timestamp:{number['timestamp']} ProgramID:{number['program_id']} Pid:{number['pid']} Ret:{number['ret']} "
        f"Name:{name} Hash:{event_hash(row)} Flags:{number['flags']}}}"
    )
    return f"{head} {arguments_text(row, name)[0]}"


def line_texts(frame: pl.DataFrame, event: str) -> pl.Series:
    """Return rows, all of one event, as the lines of a terminal, with what is to be known of each behind it."""
    columns = {name: common(frame, name).cast(pl.String) for name in ("pid", "program_id", "ret")}
    tags = [
        pl.when(pl.col(flag)).then(pl.lit(f"[{tag}]")).otherwise(pl.lit(""))
        for flag, tag in (("in_container", "container"), ("incomplete", "incomplete"))
        if flag in frame.columns
    ]
    return frame.select(
        line=pl.concat_str(
            pl.lit(f"name {event} pid "),
            pl.lit(columns["pid"]),
            pl.lit(" program id "),
            pl.lit(columns["program_id"]),
            pl.lit(" return value "),
            pl.lit(columns["ret"]),
            pl.lit(" hash "),
            pl.lit(event_hashes(frame, event).cast(pl.String)),
            pl.lit(" "),
            pl.lit(arguments_text(frame, event)),
            *tags,
        ).str.strip_chars_end(" ")
    ).to_series()


def arguments_text(frame: pl.DataFrame, event: str) -> pl.Series:
    """Return the arguments of rows, all of one event, as `Name value ` pairs."""
    parts: list[pl.Expr] = []
    for number, wanted in enumerate(EVENTS[event], 1):
        value = argument(frame, event, number)
        match wanted.kind:
            case "string":
                shown = _quoted(value.cast(pl.String).fill_null(""))
            case "buffer":
                shown = _quoted(_cut(value.cast(pl.String).fill_null(""), common(frame, "ret")))
            case "fd":
                path = path_of(frame, event, number).fill_null("unknown")
                shown = _numbers(value) + "<" + path + ">"
            case _:
                shown = _numbers(value)
        parts += [pl.lit(f"{wanted.name.capitalize()} "), pl.lit(shown), pl.lit(" ")]
    return frame.select(text=pl.concat_str(parts)).to_series()


def _numbers(values: pl.Series) -> pl.Series:
    """Return numbers in decimals; what is written in words stays."""
    return values.fill_null("0") if values.dtype == pl.String else numbers(values).cast(pl.String)


def _cut(texts: pl.Series, ret: pl.Series) -> pl.Series:
    """Return the beginnings of buffers, as many bytes as the call returned."""
    data = texts.cast(pl.Binary)
    most = ret.cast(pl.Int64, strict=False).fill_null(0).clip(0, _BUFFER_BYTES)
    if (data.bin.size() <= most).all():
        return texts
    cut = data.to_frame("data").select(pl.col("data").bin.head(pl.lit(most))).to_series()
    return pl.Series([value.decode("utf-8", "surrogateescape") for value in cut.to_list()], dtype=pl.Object)


def _quoted(texts: pl.Series) -> pl.Series:
    """Return texts in double quotes; only those that hold something special are looked at one by one."""
    if texts.dtype == pl.String and not texts.str.contains(_SPECIAL).any():
        return '"' + texts + '"'
    return pl.Series([quoted(value) for value in texts.to_list()], dtype=pl.String)


def quoted(text: str) -> str:
    """Return a text in double quotes with what cannot be printed escaped."""
    return '"' + "".join(_escaped(letter) for letter in text) + '"'


def _escaped(letter: str) -> str:
    if letter in _ESCAPES:
        return _ESCAPES[letter]
    code = ord(letter)
    if 0xDC80 <= code <= 0xDCFF:  # a byte that is no UTF-8  # noqa: PLR2004
        return f"\\x{code - 0xDC00:02x}"
    if letter.isprintable():
        return letter
    return f"\\x{code:02x}" if code < _ASCII_END else f"\\u{code:04x}" if code < _PLANE_END else f"\\U{code:08x}"
