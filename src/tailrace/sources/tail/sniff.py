"""Tell text from other files, and its encoding, once per file, by its name and first bytes.

What is not text is not followed.
"""

from __future__ import annotations

import os
from typing import Final

from tailrace.encoding import UTF8, Encoding, encoding_of, marked

_MAGIC: Final = (
    (b"\x04\x22\x4d\x18", "compressed (lz4)"),
    (b"PK\x03\x04", "compressed (zip)"),
    (b"LPKSHHRH", "a systemd journal, which is read by its own source"),
    (b"SQLite format 3\x00", "an SQLite database"),
    (b"\x7fELF", "a program"),
    (b"PAR1", "a Parquet file"),
)
_CONTROL_SHARE: Final = 0.05
"""Programs that log now and then a NUL are text; records of fixed size and the like have far more."""
_HALF: Final = 0.7  # of the bytes at even or at odd places are NULs: that is UTF-16
_CONTROLS: Final = bytes(set(range(32)) - set(b"\t\n\v\f\r\b\x1b"))
_LOGINS: Final = "login records, not text"
_LOGIN_FILES: Final = frozenset({"wtmp", "btmp", "utmp", "lastlog", "faillog", "tallylog"})
_ENDS: Final = {
    ".lz4": "compressed (lz4)",
    ".zip": "compressed (zip)",
    ".journal": "a systemd journal, which is read by its own source",
    ".swp": "an editor's swap file",
}


def refuse_name(path: str) -> str:
    """Return why a file of that name is not followed, or an empty text."""
    name = os.path.basename(path)
    stem = name.rstrip("0123456789.-")  # wtmp.1, btmp-20260101
    return _LOGINS if stem in _LOGIN_FILES else _ENDS.get(os.path.splitext(name)[1], "")


def encoding_at(start: bytes, declared: Encoding) -> Encoding:
    """Return the encoding of a file that begins with `start`: what its byte-order mark tells, else what is declared."""
    found = marked(start, declared.codec)
    try:
        return encoding_of(found[0], declared.delimiter) if found else declared
    except ValueError:  # the declared delimiter cannot be in it, so it is no mark
        return declared


def refuse_head(start: bytes, encoding: Encoding = UTF8) -> str:
    """Return why a file that begins with `start` is not followed, or an empty text.

    NULs and control characters tell something about UTF-8 only; of another encoding or delimiter they may be part.
    """
    for magic, why in _MAGIC:
        if start.startswith(magic):
            return why
    if not encoding.plain:
        return ""
    if start.count(b"\x00") > len(start) * _CONTROL_SHARE:
        order = _utf16_order(start)
        return (
            f"UTF-16 without a byte-order mark: declare `encoding: utf-16-{order}`" if order else "binary (NUL bytes)"
        )
    control = len(start) - len(start.translate(None, _CONTROLS))
    if control > len(start) * _CONTROL_SHARE and not _is_utf8(start):
        return "binary (control bytes, not UTF-8)"
    return ""


def _utf16_order(start: bytes) -> str:
    """Return the byte order of Latin text in UTF-16, or an empty text: each second byte of it is a NUL."""
    even, odd = (half.count(b"\x00") / max(1, len(half)) for half in (start[0::2], start[1::2]))
    if max(even, odd) < _HALF or min(even, odd) > _CONTROL_SHARE:
        return ""
    return "le" if odd > even else "be"


def _is_utf8(start: bytes) -> bool:
    try:
        start.decode()
    except UnicodeDecodeError as error:
        return error.start >= len(start) - 3 and error.reason == "unexpected end of data"
    return True
