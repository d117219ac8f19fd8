"""Tell the holes of a file from NULs that somebody wrote.

A writer that does not append goes on at its old place after the file was cut short; the kernel fills what is before
with NULs. A power cut leaves such a run too. Isolated NULs are data. The end of a run that reaches the end of the file
is not known: a writer may have reserved the room, and fill it later.
"""

from __future__ import annotations

import errno
import os
from typing import Final

NUL: Final = b"\x00"
RUN_BYTES: Final = 64
"""A longer run of NULs in a file that was cut short is a hole."""

_BLOCK_BYTES: Final = 4096
_RUN: Final = NUL * RUN_BYTES


def find(handle: int, data: bytes, offset: int, *, cut_short: bool) -> int:
    """Return where the first hole begins in `data`, which the file has at `offset`; -1 if there is none.

    In a file that was never cut short only what the file system tells to be a hole is one, and a run before its first
    text: it was cut short before it was seen.
    """
    at = data.find(_RUN)
    cut_short = cut_short or (at == offset == 0 and len(data.lstrip(NUL)) > 0)
    while at >= 0 and not cut_short and not _is_hole(handle, offset + at, offset + len(data)):
        at = data.find(_RUN, at + _BLOCK_BYTES)
    return at


def end(handle: int, at: int, size: int) -> int:
    """Return where the next data is from `at` on, in a file of `size` bytes."""
    try:
        return min(size, os.lseek(handle, at, os.SEEK_DATA))
    except OSError as error:
        return size if error.errno == errno.ENXIO else at


def _is_hole(handle: int, start: int, stop: int) -> bool:
    block = -(-start // _BLOCK_BYTES) * _BLOCK_BYTES
    return block < stop and end(handle, block, stop) > block
