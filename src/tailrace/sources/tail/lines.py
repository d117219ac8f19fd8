"""Cut bytes at newlines, without touching the lines one by one.

Comes in: the bytes from an offset on. Goes out: which spans of them can be handed out: runs of
whole lines, and parts of lines that are longer than allowed. What is left is the beginning of a line
that is not finished; its bytes come again, with more behind them. So the result does not
depend on how the bytes were chunked. The cost is one search per `max_line` bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_UTF8_BYTES: Final = 4  # a character has at most this many bytes
_NEWLINE: Final = b"\n"


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes `start:end` that go out as one block; `part` is None for whole lines, else numbered from 1."""

    start: int
    end: int
    part: int | None = None
    last: bool = False


@dataclass(frozen=True, slots=True)
class Cut:
    """Spans in order, the bytes that they use up, and the parts that the line open at the end already has."""

    spans: tuple[Span, ...]
    used: int
    parts: int


def cut(data: bytes, *, parts: int, max_line: int, final: bool) -> Cut:
    """Cut `data`, which begins in a line that already has `parts` parts out (0: at its start).

    A line whose content is longer than `max_line` bytes goes out in parts of that size, never cut inside a
    UTF-8 character. With `final` the rest is handed out too, as a line without a newline.
    """
    spans: list[Span] = []
    whole = at = 0  # whole lines from `whole` to `at` wait to go out as one span
    size = len(data)
    while at < size:
        newline = data.rfind(_NEWLINE, at, at + max_line + 1) if not parts else -1
        if newline >= 0:
            at = newline + 1
            continue
        newline = data.find(_NEWLINE, at, at + max_line + 1) if parts else -1
        last = newline >= 0 or (final and size - at <= max_line)
        if not last and size - at <= max_line:
            break
        if whole < at:
            spans.append(Span(whole, at))
        end = newline + 1 or (size if last else _boundary(data, at, at + max_line))
        spans.append(Span(at, end, parts + 1, last) if parts or not last else Span(at, end))
        parts = 0 if last else parts + 1
        whole = at = end
    if whole < at:
        spans.append(Span(whole, at))
    return Cut(tuple(spans), at, parts)


def _boundary(data: bytes, start: int, end: int) -> int:
    """Return `end`, or up to three bytes before it if a UTF-8 character would be cut."""
    for back in range(1, _UTF8_BYTES):
        at = end - back
        if at <= start:
            break
        byte = data[at]
        if byte < 0x80:  # noqa: PLR2004  ASCII: nothing is cut
            break
        if byte >= 0xC0:  # noqa: PLR2004  a lead byte: its character has 2, 3 or 4 bytes
            return at if 2 + (byte >= 0xE0) + (byte >= 0xF0) > back else end  # noqa: PLR2004
    return end
