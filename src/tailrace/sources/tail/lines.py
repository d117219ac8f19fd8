"""Cut bytes at the ends of lines, without touching the lines one by one.

Comes in: the bytes from an offset on. Goes out: which spans of them can be handed out: runs of
whole lines, and parts of lines that are longer than allowed. What is left is the beginning of a line
that is not finished; its bytes come again, with more behind them. So the result does not
depend on how the bytes were chunked. The cost is one search per `max_line` bytes.
"""

from __future__ import annotations

from dataclasses import dataclass

from tailrace.encoding import UTF8, Encoding


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


def cut(
    data: bytes,
    *,
    parts: int,
    max_line: int,
    final: bool,
    flush: bool = False,
    offset: int = 0,
    encoding: Encoding = UTF8,
) -> Cut:
    """Cut `data`, which begins in a line that already has `parts` parts out (0: at its start).

    A line whose content is longer than `max_line` bytes goes out in parts of that size, never cut inside a
    character. With `final` the rest is handed out too, as a line without a delimiter; with `flush` as a part
    that others may follow, up to where no character and no delimiter is cut. The file has `data` at `offset`.
    """
    spans: list[Span] = []
    whole = at = 0  # whole lines from `whole` to `at` wait to go out as one span
    size, longest = len(data), max_line + len(encoding.end)
    while at < size:
        behind = encoding.last_end(data, at, at + longest, offset) if not parts else -1
        if behind >= 0:
            at = behind
            continue
        found = encoding.find(data, at, at + longest, offset) if parts else -1
        last = found >= 0 or (final and size - at <= max_line)
        if not last and not final and size - at < longest:
            break
        if whole < at:
            spans.append(Span(whole, at))
        if last:
            end = found + len(encoding.end) if found >= 0 else size
        else:
            end = encoding.boundary(data, at, at + max_line, offset)
            end = end if end > at else at + max_line  # not one character in that many bytes: it is no text
        spans.append(Span(at, end, parts + 1, last) if parts or not last else Span(at, end))
        parts = 0 if last else parts + 1
        whole = at = end
    if whole < at:
        spans.append(Span(whole, at))
    if flush and at < size:
        end = _certain(data, at, offset, encoding)
        if at < end:
            spans.append(Span(at, end, parts + 1))
            at, parts = end, parts + 1
    return Cut(tuple(spans), at, parts)


def _certain(data: bytes, start: int, offset: int, encoding: Encoding) -> int:
    """Return how far an unfinished line is certain: not the beginning of a character, of a delimiter, or of a CRLF."""
    end = encoding.boundary(data, start, len(data) - encoding.begun(data, start), offset)
    if encoding.delimiter == "\n" and data[start:end].endswith(encoding.carriage_return):
        end -= len(encoding.carriage_return)
    return end
