"""The hash of an event: which ones are the same call, by the same program, with the same result.

Comes in: a frame of one row. Goes out: 64 bits, FNV-1a over program_id, pid and ret (eight bytes each), the name in 64
bytes, then the arguments in order: texts up to their NUL, which is counted; buffers not at all; numbers in as many
bytes as the call has for them, little-endian. A text that is an address is counted as a text. All bytes are unsigned.

>>> f"{fnv1a(b'a'):x}"
'af63dc4c8601ec8c'
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tailrace.syscalls.events import EVENTS, argument, common, whole

if TYPE_CHECKING:
    import polars as pl

_START: Final = 0xCBF29CE484222325
_PRIME: Final = 0x100000001B3
_BITS: Final = (1 << 64) - 1
_NAME_BYTES: Final = 64
_WIDTHS: Final = {"user": 4, "group": 4, "sport": 2, "dport": 2, "netns": 4}
_WIDTH: Final = 8


def fnv1a(data: bytes) -> int:
    """Return the 64-bit FNV-1a of bytes."""
    value = _START
    for byte in data:
        value = (value ^ byte) * _PRIME & _BITS
    return value


def event_hash(row: pl.DataFrame) -> int:
    """Return the hash of one known event: its own, if it has one."""
    own = int(common(row, "hash")[0])
    if own:
        return own & _BITS
    name: str = row["name"][0]
    parts = [_bytes(common(row, member)[0], _WIDTH) for member in ("program_id", "pid", "ret")]
    parts.append(name.encode()[:_NAME_BYTES].ljust(_NAME_BYTES, b"\0"))
    for number, wanted in enumerate(EVENTS[name], 1):
        value = argument(row, name, number)[0]
        if wanted.kind == "string":
            text = "" if value is None else str(value)
            parts.append(text.encode("utf-8", "surrogateescape").split(b"\0")[0] + b"\0")
        elif wanted.kind != "buffer":
            parts.append(_bytes(whole(value), _WIDTHS.get(wanted.name, _WIDTH)))
    return fnv1a(b"".join(parts))


def _bytes(number: int, width: int) -> bytes:
    """Return a number in so many bytes."""
    return (number % (1 << (8 * width))).to_bytes(width, "little")
