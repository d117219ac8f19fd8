"""Files in other encodings, with other line ends, and lines that wait for their end: from the disk to blocks."""

from __future__ import annotations

import codecs
import gzip
import os
from collections.abc import Callable

import pytest

from sources.tail.tailing import Tailing
from tailrace import limits
from tailrace.parse.frame import lines_of, origins_of

Make = Callable[..., Tailing]
CODECS = ["utf-8", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be", "shift_jis", "gbk", "gb18030", "big5", "cp1252",
          "latin-1", "koi8-r", "cp037", "euc_kr"]  # fmt: skip
LETTERS = {"cp1252": "äö€", "latin-1": "äöü", "koi8-r": "при", "cp037": "äöü", "euc_kr": "한글", "big5": "功能"}


def rows(t: Tailing) -> list[tuple[str, int]]:
    """Read what is new: lines and offsets."""
    blocks = t.blocks()
    if not blocks:
        return []
    frame = lines_of(blocks, origins_of(blocks)).frame
    return list(zip(frame["_line"].to_list(), frame["_offset"].to_list(), strict=True))


@pytest.mark.parametrize("codec", CODECS)
def test_every_byte_may_come_alone(tail: Make, codec: str) -> None:
    t = tail(encoding=codec)
    text = f"one {LETTERS.get(codec, '表十')}\n\ntwo\n"
    first, second, third = (line.encode(codec) for line in text.splitlines(keepends=True))
    found: list[tuple[str, int]] = []
    for byte in text.encode(codec):
        t.write("app.log", bytes([byte]))
        found += rows(t)
    assert found == [(text.split("\n", maxsplit=1)[0], 0), ("", len(first)), ("two", len(first + second))]
    assert t.state
    assert len(first + second + third) == (t.folder / "app.log").stat().st_size


@pytest.mark.parametrize(
    ("mark", "codec"),
    [
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
        (codecs.BOM_UTF32_LE, "utf-32-le"),
        (codecs.BOM_UTF32_BE, "utf-32-be"),
    ],
)
def test_a_mark_is_no_text_and_remembered(tail: Make, mark: bytes, codec: str) -> None:
    t = tail()
    found: list[tuple[str, int]] = []
    for byte in mark + "é\n".encode(codec):
        t.write("app.log", bytes([byte]))
        found += rows(t)
    assert found == [("é", len(mark))]
    t.restart()
    t.write("app.log", "zwei\n".encode(codec))
    assert rows(t) == [("zwei", len(mark + "é\n".encode(codec)))]


def test_a_mark_is_remembered_over_a_cut(tail: Make) -> None:
    """A writer that only appends writes no second mark."""
    t = tail()
    path = t.write("app.log", "one\n".encode("utf-16"))
    assert rows(t) == [("one", 2)]
    os.truncate(path, 0)
    t.write("app.log", "two\n".encode("utf-16-le"))
    assert rows(t) == [("two", 0)]


def test_a_mark_alone_is_nothing_yet(tail: Make) -> None:
    t = tail(follow=False)
    t.write("app.log", codecs.BOM_UTF16_LE)
    assert rows(t) == []
    assert t.source.done


def test_a_hole_before_utf16_ends_where_its_first_character_begins(tail: Make) -> None:
    t = tail(encoding="utf-16-be")
    path = t.write("app.log", "one\n".encode("utf-16-be"))
    rows(t)
    os.truncate(path, 0)
    os.truncate(path, 100)
    t.write("app.log", "two\n".encode("utf-16-be"))
    assert rows(t) == [("two", 100)]
    assert t.source.counters["nul_bytes_skipped"] == 100


def test_a_mark_within_a_compressed_file(tail: Make) -> None:
    t = tail(follow=False)
    t.write("app.log.gz", gzip.compress("é\nzwei\n".encode("utf-16")))
    assert rows(t) == [("é", 2), ("zwei", 6)]


def test_reading_from_the_end_begins_at_a_line(tail: Make) -> None:
    t = tail(read_from="end")
    path = t.write("app.log", "eins\nzwei\ndr".encode("utf-16"))
    t.clock.advance(3600)
    assert rows(t) == []
    with path.open("ab") as file:
        file.write("ei\n".encode("utf-16-le"))
    assert rows(t) == [("drei", 2 + 2 * 10)]


@pytest.mark.parametrize("delimiter", ["\r\n", "\0", "---\n", "\r", "\n\n"])
@pytest.mark.parametrize("codec", ["utf-8", "utf-16-le", "shift_jis"])
def test_a_delimiter_may_be_split_anywhere(tail: Make, delimiter: str, codec: str) -> None:
    t = tail(encoding=codec, delimiter=delimiter)
    lines = ["a", "", "b-c", "表"]
    found: list[tuple[str, int]] = []
    for byte in "".join(line + delimiter for line in lines).encode(codec):
        t.write("app.log", bytes([byte]))
        found += rows(t)
    starts = [len((delimiter.join(lines[:number]) + delimiter * bool(number)).encode(codec)) for number in range(4)]
    assert found == list(zip(lines, starts, strict=True))


def test_a_large_file_of_utf16_is_cut_at_lines(tail: Make) -> None:
    """Reads of more than a block end at a line, on a code unit."""
    t = tail()
    lines = [f"{number} ਊĀਊ" for number in range(200_000)]
    t.write("app.log", "".join(f"{line}\n" for line in lines).encode("utf-16"))
    found = rows(t)
    assert [line for line, _ in found] == lines
    assert found[1][1] == 2 + 2 * 6


# --- lines that wait for their end -------------------------------------------------------------------


def parts(t: Tailing) -> list[tuple[bytes, int, int | None, bool]]:
    return [(block.data, block.offset, block.part, block.part_last) for block in t.blocks()]


def test_an_unfinished_line_is_held_for_ever_by_default(tail: Make) -> None:
    t = tail()
    t.write("app.log", "Password: ")
    assert parts(t) == []
    t.clock.advance(1e6)
    assert parts(t) == []


def test_an_unfinished_line_is_given_out_after_a_while_and_its_rest_is_linked(tail: Make) -> None:
    t = tail(partial_after_s=5)
    t.write("app.log", "one\nPassword: ")
    assert parts(t) == [(b"one\n", 0, None, False)]
    t.clock.advance(4.9)
    assert parts(t) == []
    t.clock.advance(0.2)
    assert parts(t) == [(b"Password: ", 4, 1, False)]
    t.clock.advance(60)
    assert parts(t) == []
    t.restart()
    t.write("app.log", "secret\ntwo\n")
    assert parts(t) == [(b"secret\n", 14, 2, True), (b"two\n", 21, None, False)]


def test_growth_starts_the_wait_again(tail: Make) -> None:
    t = tail(partial_after_s=5)
    t.write("app.log", "a")
    parts(t)
    t.clock.advance(4)
    t.write("app.log", "b")
    assert parts(t) == []
    t.clock.advance(4)
    assert parts(t) == []
    t.clock.advance(1)
    assert parts(t) == [(b"ab", 0, 1, False)]


@pytest.mark.parametrize(
    ("settings", "data", "certain"),
    [
        ({}, "a€".encode()[:-1], b"a"),
        ({}, b"a\r", b"a"),
        ({"delimiter": "---\n"}, b"a--", b"a"),
        ({"encoding": "utf-16-le"}, "a𝄞".encode("utf-16-le")[:-1], b"a\0"),
        ({"encoding": "shift_jis"}, "aポ".encode("shift_jis")[:-1], b"a"),
    ],
)
def test_what_may_be_half_of_something_waits_on(
    tail: Make, settings: dict[str, str], data: bytes, certain: bytes
) -> None:
    t = tail(partial_after_s=5, **settings)
    t.write("app.log", data)
    assert parts(t) == []
    t.clock.advance(5)
    assert parts(t) == [(certain, 0, 1, False)]
    t.clock.advance(5)
    assert parts(t) == []


def test_a_line_that_waited_is_finished_with_its_file(tail: Make) -> None:
    t = tail(partial_after_s=5)
    path = t.write("app.log", "abc")
    parts(t)
    t.clock.advance(5)
    assert parts(t) == [(b"abc", 0, 1, False)]
    path.rename(t.folder / "app.log.1")
    with (t.folder / "app.log.1").open("ab") as file:
        file.write(b"def")
    t.write("app.log", "new\n")
    parts_ = parts(t)
    t.clock.advance(10)
    parts_ += parts(t)
    assert parts_ == [(b"def", 3, 2, True), (b"new\n", 0, None, False)]


# --- long lines --------------------------------------------------------------------------------------


@pytest.mark.parametrize("codec", ["utf-8", "utf-16-le", "shift_jis", "gb18030"])
def test_a_huge_line_comes_in_turns_of_bounded_size_and_cuts_no_character(tail: Make, codec: str) -> None:
    t = tail(encoding=codec)
    text = "表a" * 8_000_000
    t.write("app.log", f"{text}\nnext\n".encode(codec))
    found: list[str] = []
    while blocks := t.source.read(1 << 25, 0):
        assert sum(len(block.data) for block in blocks) <= limits.READ_TURN_BYTES + limits.READ_BLOCK_BYTES
        assert all(len(block.data) <= limits.LINE_BYTES for block in blocks if block.part)
        frame = lines_of(blocks, origins_of(blocks)).frame
        assert "_raw" not in frame.columns
        found += frame["_line"].to_list()
    assert found.pop() == "next"
    assert "".join(found) == text


@pytest.mark.parametrize("size", [64 << 10, 256 << 10, 1 << 20, (1 << 20) + 512])
@pytest.mark.parametrize("codec", ["utf-8", "utf-16-le"])
def test_lines_about_as_long_as_a_buffer(tail: Make, size: int, codec: str) -> None:
    """One byte more or less than what is read, probed or held at once; around each a short line."""
    t = tail(encoding=codec)
    lines: list[str] = []
    for more in range(-2, 3):
        lines += ["x" * (size // len("x".encode(codec)) + more), "short"]
    t.write("app.log", "".join(f"{line}\n" for line in lines).encode(codec))
    joined = [""]
    blocks = t.blocks()
    for row in lines_of(blocks, origins_of(blocks)).frame.to_dicts():
        joined[-1] += row["_line"]
        if row.get("_part") is None or row["_part_last"]:
            joined.append("")
    assert joined == [*lines, ""]
    longest = limits.LINE_BYTES // len("x".encode(codec))
    assert any(block.part for block in blocks) == any(len(line) > longest for line in lines)
