from __future__ import annotations

import hypothesis.strategies as st
from hypothesis import given

from tailrace.sources.tail.lines import Span, cut


def test_whole_lines_go_out_as_one_span_and_the_rest_waits() -> None:
    found = cut(b"one\ntwo\nthr", parts=0, max_line=10, final=False)
    assert (found.spans, found.used, found.parts) == ((Span(0, 8),), 8, 0)


def test_a_finished_file_gives_its_last_line_without_a_newline() -> None:
    assert cut(b"one\ntwo", parts=0, max_line=10, final=True).spans == (Span(0, 4), Span(4, 7))


def test_a_line_of_exactly_the_limit_is_whole() -> None:
    assert cut(b"1234\n", parts=0, max_line=4, final=False).spans == (Span(0, 5),)


def test_a_longer_line_is_cut_into_parts_between_whole_lines() -> None:
    found = cut(b"ab\n123456789\ncd\n", parts=0, max_line=4, final=False)
    assert found.spans == (
        Span(0, 3),
        Span(3, 7, 1),
        Span(7, 11, 2),
        Span(11, 13, 3, last=True),
        Span(13, 16),
    )


def test_a_line_that_may_still_end_at_the_limit_is_held() -> None:
    assert cut(b"1234", parts=0, max_line=4, final=False).used == 0
    assert cut(b"12345", parts=0, max_line=4, final=False).spans == (Span(0, 4, 1),)


def test_parts_go_on_where_the_last_reading_ended() -> None:
    first = cut(b"12345", parts=0, max_line=4, final=False)
    assert (first.used, first.parts) == (4, 1)
    assert cut(b"5\n", parts=first.parts, max_line=4, final=False).spans == (Span(0, 2, 2, last=True),)


def test_a_finished_file_ends_its_long_line() -> None:
    assert cut(b"5", parts=1, max_line=4, final=True).spans == (Span(0, 1, 2, last=True),)


def test_a_character_is_never_cut() -> None:
    text = "aaé€𝄞b".encode()  # 2 + 2 + 3 + 4 + 1 bytes
    assert cut(text, parts=0, max_line=3, final=False).spans[0] == Span(0, 2, 1)
    assert cut(text[2:], parts=1, max_line=4, final=False).spans[0] == Span(0, 2, 2)
    assert cut(text[4:], parts=2, max_line=6, final=False).spans[0] == Span(0, 3, 3)


def test_bytes_that_are_not_utf8_are_cut_at_the_limit() -> None:
    assert cut(b"\x80" * 9, parts=0, max_line=4, final=False).spans == (Span(0, 4, 1), Span(4, 8, 2))


CONTENT = st.lists(
    st.one_of(st.binary(max_size=12), st.text(max_size=6).map(str.encode), st.just(b"\n"), st.just(b"x" * 40))
).map(b"".join)


def pieces(content: bytes, sizes: list[int], max_line: int) -> list[tuple[int, bytes, int | None, bool]]:
    """Read as the reader does: what was not used comes again with more behind it."""
    out: list[tuple[int, bytes, int | None, bool]] = []
    offset = parts = end = 0
    for size in [*sizes, len(content)]:
        end = min(len(content), end + size)
        data = content[offset:end]
        found = cut(data, parts=parts, max_line=max_line, final=end == len(content))
        out += [(offset + s.start, data[s.start : s.end], s.part, s.last) for s in found.spans]
        offset, parts = offset + found.used, found.parts
    return out


def lines_of(found: list[tuple[int, bytes, int | None, bool]]) -> list[tuple[int, bytes, int | None, bool]]:
    """Split runs of whole lines at newlines only, so that results are compared line by line."""
    out: list[tuple[int, bytes, int | None, bool]] = []
    for offset, data, part, last in found:
        if part is not None:
            out.append((offset, data, part, last))
            continue
        at = 0
        while at < len(data):
            end = data.find(b"\n", at) + 1 or len(data)
            out.append((offset + at, data[at:end], None, False))
            at = end
    return out


@given(CONTENT, st.lists(st.integers(0, 20)), st.integers(4, 16))
def test_any_chunking_gives_the_same_lines_and_every_byte(content: bytes, sizes: list[int], max_line: int) -> None:
    chunked, at_once = pieces(content, sizes, max_line), pieces(content, [], max_line)
    assert b"".join(data for _, data, _, _ in chunked) == content
    assert lines_of(chunked) == lines_of(at_once)
    for _, data, part, _ in lines_of(chunked):
        assert len(data.rstrip(b"\n")) <= max_line
        assert part is None or part >= 1
