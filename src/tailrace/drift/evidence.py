"""What `lstat` does not tell of a file: a hash of its content, its extended attributes, its flags.

Comes in: a frame with `file_path`, `file_type`, `file_size` and which of this is wanted. Goes out: the frame with the
columns. What cannot be read is null, and named with the reason. Reads at most so many bytes a second, if that is asked
for. Of a log that grows only what was there before is hashed (`limit`).

No file is opened but a regular one, and none through a symlink: `O_NOFOLLOW`, and what was opened is looked at.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import stat
import struct
from typing import TYPE_CHECKING, Final

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Callable

BLOCK: Final = 1024 * 1024
_FLAGS: Final = 0x80086601  # FS_IOC_GETFLAGS
_KEPT_FLAGS: Final = 0x0008_007B  # those a person sets: append only, immutable, no dump …; not e.g. "uses extents"
_OPEN: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

XATTRS: Final = {
    "file_acl": ("system.posix_acl_access", "system.posix_acl_default"),
    "file_selinux": ("security.selinux",),
    "file_capabilities": ("security.capability",),
}
"""Columns that show one extended attribute or two; all others are in `file_xattr`."""

_APART: Final = tuple(name for names in XATTRS.values() for name in names)
COLUMNS: Final = ("file_hash_sha256", "file_acl", "file_xattr", "file_selinux", "file_capabilities", "file_flags")


class Reader:
    """Reads evidence; `refused` names what could not be read."""

    def __init__(self, pause: Callable[[int], None] = lambda _bytes: None) -> None:
        self.refused: list[tuple[str, str]] = []
        self.bytes = 0
        self._pause = pause

    def add(self, files: pl.DataFrame) -> pl.DataFrame:
        """Return the frame with `COLUMNS`; `_hash`, `_xattr`, `_flags` (bool) say what is wanted, `_limit` how much."""
        rows = files.select("file_path", "file_type", "_hash", "_xattr", "_flags", "_limit").iter_rows()
        found = [self._one(*row) for row in rows]
        table = pl.DataFrame(found, schema=dict.fromkeys(COLUMNS, pl.String), orient="row")
        return files.drop("_hash", "_xattr", "_flags", "_limit").hstack(table)

    def _one(
        self, path: str, kind: str, want_hash: bool, want_xattr: bool, want_flags: bool, limit: int | None
    ) -> tuple[str | None, ...]:
        name = unescaped(path)
        content: str | None = None
        flags: str | None = None
        regular = kind == "file"
        try:
            if (want_hash and regular) or (want_flags and kind in ("file", "dir")):
                content, flags = self._opened(name, want_hash=want_hash and regular, want_flags=want_flags, limit=limit)
            attributes = _attributes(name) if want_xattr else {}
        except OSError as error:
            self.refused.append((path, error.strerror or str(error)))
            return (content, None, None, None, None, flags)
        shown = {column: _digest({one: attributes.get(one) for one in names}) for column, names in XATTRS.items()}
        rest = _digest({one: value for one, value in attributes.items() if one not in _APART})
        return (content, shown["file_acl"], rest, shown["file_selinux"], shown["file_capabilities"], flags)

    def _opened(
        self, name: bytes, *, want_hash: bool, want_flags: bool, limit: int | None
    ) -> tuple[str | None, str | None]:
        handle = os.open(name, _OPEN)
        try:
            flags = _flags(handle) if want_flags else None
            if not want_hash or not stat.S_ISREG(os.fstat(handle).st_mode):
                return None, flags
            digest, left = hashlib.sha256(), limit
            while data := os.read(handle, BLOCK if left is None else min(BLOCK, left)):
                digest.update(data)
                self.bytes += len(data)
                self._pause(len(data))
                if left is not None:
                    left -= len(data)
            return digest.hexdigest(), flags
        finally:
            os.close(handle)


def unescaped(path: str) -> bytes:
    r"""Return the bytes of a path whose bytes that are no UTF-8 stand as `\xff`, if there is such a file.

    >>> unescaped("/srv/a")
    b'/srv/a'
    """
    plain = path.encode("utf-8", "surrogateescape")
    if "\\x" not in path or os.path.lexists(plain):
        return plain
    return _unescape(plain)


def _unescape(path: bytes) -> bytes:
    parts = path.split(b"\\x")
    whole = parts[0]
    for part in parts[1:]:
        try:
            whole += bytes([int(part[:2], 16)]) + part[2:]
        except ValueError:
            whole += b"\\x" + part
    return whole


def _attributes(name: bytes) -> dict[str, bytes]:
    try:
        names = os.listxattr(name, follow_symlinks=False)
        return {one: os.getxattr(name, one, follow_symlinks=False) for one in names}
    except OSError as error:
        if error.errno in (95, 93):  # not supported there, or gone between the two
            return {}
        raise


def _digest(values: dict[str, bytes | None]) -> str:
    """Return a digest of what is there; an empty text if nothing is."""
    held = sorted((name, value) for name, value in values.items() if value is not None)
    if not held:
        return ""
    return hashlib.sha256(b"\0".join(name.encode() + b"=" + value for name, value in held)).hexdigest()[:32]


def _flags(handle: int) -> str | None:
    try:
        answer = fcntl.ioctl(handle, _FLAGS, b"\0" * 8)
    except OSError:
        return None  # a file system without flags
    return f"{struct.unpack('<Q', answer)[0] & _KEPT_FLAGS:x}"
