"""Compare files by their content: copies, and rests of what was cut short.

Each call opens what it compares, reads a few bytes and closes it. A file that cannot be read is equal to nothing.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tailrace import limits
from tailrace.sources.tail import sniff
from tailrace.sources.tail.identity import HEAD_BYTES, Head, head_of, marker_span

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tailrace.encoding import Encoding
    from tailrace.sources.tail.tracked import Tracked

_FLAGS: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_SAMPLES: Final = 64
_SAMPLE_BYTES: Final = 16 * limits.KIB


@dataclass(frozen=True, slots=True)
class Landmarks:
    """The head of a file and the bytes before an offset in it."""

    offset: int
    head: Head
    before: bytes


def start_of(path: str) -> bytes:
    """Return the first bytes of a file, none if it cannot be read."""
    return _span(path, 0, HEAD_BYTES)


def readable(path: str) -> bool:
    """Tell whether a file can be read, or is not there at all: then there is nothing in it to compare."""
    try:
        handle = os.open(path, _FLAGS)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    try:
        os.pread(handle, 1, 0)
    except OSError:
        return False
    finally:
        os.close(handle)
    return True


def span_of(file: Tracked, at: int, length: int) -> bytes:
    """Return bytes of a plain file that is followed, none if it cannot be read."""
    if file.handle < 0:
        return _span(file.path, at, length)
    try:
        return os.pread(file.handle, length, at)
    except OSError:
        return b""


def holds_rest(path: str, file: Tracked) -> int:
    """Return how many bytes prove that a path has what `file` had up to its offset; 0 if it has not."""
    at, length = marker_span(file.offset)
    start = start_of(path)
    if not file.head.fits(start) or not file.marker_fits(_span(path, at, length)):
        return 0
    hole = bool(start) and not head_of(start).length  # both begin with nothing but NULs: the bytes before prove it
    return length if hole else file.head.length


def landmarks(path: str, offset: int) -> Landmarks:
    """Return what must be known of a file to go on at `offset`; raises `OSError`."""
    at, length = marker_span(offset)
    return Landmarks(offset, head_of(start_of(path)), _span(path, at, length))


def jump(file: Tracked, offset: int) -> None:
    """Go on at an offset as if everything before it had been read."""
    marks = landmarks(file.path, offset)
    file.offset, file.head, file.before = marks.offset, marks.head, marks.before
    file.size = max(file.size, offset)


def last_line_end(path: str, size: int, max_line: int, declared: Encoding) -> int:
    """Return the offset behind the last line; an unfinished one is not jumped over, it will be read whole."""
    encoding = sniff.encoding_at(start_of(path), declared)
    at = max(0, size - max_line)
    at -= at % encoding.unit
    data = _span(path, at, size - at)
    return at + max(0, encoding.last_end(data, 0, len(data), at))


def same_content(path: str, other: str, size: int) -> bool:
    """Tell whether two files agree in their first `size` bytes: all of them if few, else in samples all over."""
    spans = _spread(size)
    return all(
        (data := _span(path, at, length)) == _span(other, at, length) and len(data) == length for at, length in spans
    )


def _spread(size: int) -> Iterator[tuple[int, int]]:
    if size <= _SAMPLES * _SAMPLE_BYTES:
        yield 0, size
        return
    for number in range(_SAMPLES):
        yield (size - _SAMPLE_BYTES) * number // (_SAMPLES - 1), _SAMPLE_BYTES


def _span(path: str, at: int, length: int) -> bytes:
    try:
        handle = os.open(path, _FLAGS)
    except OSError:
        return b""
    try:
        return os.pread(handle, length, at)
    except OSError:
        return b""
    finally:
        os.close(handle)
