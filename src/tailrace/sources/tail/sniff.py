"""Tell text from other files, once per file, by its name and first bytes; what is not text is not followed."""

from __future__ import annotations

import os
from typing import Final

_MAGIC: Final = (
    (b"\x04\x22\x4d\x18", "compressed (lz4)"),
    (b"PK\x03\x04", "compressed (zip)"),
    (b"LPKSHHRH", "a systemd journal, which is read by its own source"),
    (b"SQLite format 3\x00", "an SQLite database"),
    (b"\x7fELF", "a program"),
    (b"PAR1", "a Parquet file"),
    (b"\xff\xfe", "text in UTF-16"),
    (b"\xfe\xff", "text in UTF-16"),
)
_CONTROL_SHARE: Final = 0.05
"""Programs that log now and then a NUL are text; records of fixed size, UTF-16 and the like have far more."""
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


def refuse_head(start: bytes) -> str:
    """Return why a file that begins with `start` is not followed, or an empty text."""
    for magic, why in _MAGIC:
        if start.startswith(magic):
            return why
    if start.count(b"\x00") > len(start) * _CONTROL_SHARE:
        return "binary (NUL bytes)"
    control = len(start) - len(start.translate(None, _CONTROLS))
    if control > len(start) * _CONTROL_SHARE and not _is_utf8(start):
        return "binary (control bytes, not UTF-8)"
    return ""


def _is_utf8(start: bytes) -> bool:
    try:
        start.decode()
    except UnicodeDecodeError as error:
        return error.start >= len(start) - 3 and error.reason == "unexpected end of data"
    return True
