r"""Events as text: `{<common members>} <arguments> `.

Strings are quoted with backslash escapes, descriptors have their path behind them, buffers are cut to what the call
returned.

>>> quoted('a "b"\n\x01é')
'"a \\"b\\"\\n\\x01é"'
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tailrace.syscalls.events import EVENTS, argument, common, path_of, whole
from tailrace.syscalls.hashing import event_hash

if TYPE_CHECKING:
    import polars as pl

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
    return f"{head} {arguments_text(row, name, number['ret'])}"


def arguments_text(row: pl.DataFrame, event: str, ret: int) -> str:
    """Return the arguments of one event as `Name value ` pairs."""
    parts: list[str] = []
    for number, wanted in enumerate(EVENTS[event], 1):
        value = argument(row, event, number)[0]
        match wanted.kind:
            case "string":
                shown = quoted(str(value if value is not None else ""))
            case "buffer":
                text = str(value or "").encode("utf-8", "surrogateescape")[: max(0, min(ret, _BUFFER_BYTES))]
                shown = quoted(text.decode("utf-8", "surrogateescape"))
            case "fd":
                path = path_of(row, event, number)[0]
                shown = f"{_number(value)}<{'unknown' if path is None else path}>"
            case _:
                shown = _number(value)
        parts.append(f"{wanted.name.capitalize()} {shown} ")
    return "".join(parts)


def _number(value: object) -> str:
    """Return a number in decimals; what is written in words stays."""
    return value if isinstance(value, str) else str(whole(value))


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
