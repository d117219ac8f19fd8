"""Bytes to lines: which bytes end a line, where each line stood, and what is not UTF-8."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailrace.contracts import Block, Origin, Reading
from tailrace.parse.frame import lines_of, origins_of

READING = Reading()
A, B = Origin("a", {"filename": "a"}, READING), Origin("b", {"filename": "b"}, READING)


def rows(blocks):
    return lines_of(blocks, origins_of(blocks)).frame


def test_offsets_are_bytes_from_the_start_of_each_file():
    frame = rows([Block(A, 100, "é\nxy\n".encode(), 1), Block(B, 0, b"\nb\n", 2), Block(A, 106, b"last\n", 3)])
    assert frame["_line"].to_list() == ["é", "xy", "", "b", "last"]
    assert frame["_offset"].to_list() == [100, 103, 0, 1, 106]
    assert frame["_observed_ns"].to_list() == [1, 1, 2, 2, 3]
    assert frame["_stream"].to_list() == ['{filename="a"}'] * 2 + ['{filename="b"}'] * 2 + ['{filename="a"}']
    assert frame["_origin"].to_list() == [0, 0, 1, 1, 0]


def test_offsets_count_carriage_returns_that_the_line_loses():
    frame = rows([Block(A, 0, b"one\r\ntwo\r\r\n\r\nthree\n", 1)])
    assert frame["_line"].to_list() == ["one", "two\r", "", "three"]
    assert frame["_offset"].to_list() == [0, 5, 11, 13]


def test_a_bad_line_keeps_its_bytes_and_only_it():
    frame = rows([Block(A, 7, b"ok\n\xff\xfe!\n\xef\xbf\xbd\ncut \xe2\x82\n", 1)])
    assert frame["_line"].to_list() == ["ok", "\ufffd\ufffd!", "\ufffd", "cut \ufffd"]
    assert frame["_raw"].to_list() == [None, b"\xff\xfe!", None, b"cut \xe2\x82"]
    assert frame["_offset"].to_list() == [7, 10, 14, 18]


def test_parts_of_an_over_long_line_are_one_row_each():
    blocks = [
        Block(A, 0, b"x\n", 1),
        Block(A, 2, b"aa", 1, part=1),
        Block(A, 4, b"bb", 1, part=2),
        Block(A, 6, b"c\n", 1, part=3, part_last=True),
        Block(B, 0, b"y\nz", 1),
    ]
    frame = rows(blocks)
    assert frame["_line"].to_list() == ["x", "aa", "bb", "c", "y", "z"]
    assert frame["_part"].to_list() == [None, 1, 2, 3, None, None]
    assert frame["_part_last"].to_list() == [None, False, False, True, None, None]
    assert frame["_offset"].to_list() == [0, 2, 4, 6, 0, 2]


def test_a_character_cut_between_parts_keeps_both_halves():
    frame = rows([Block(A, 0, b"a\xe2", 1, part=1), Block(A, 2, b"\x82\xac\n", 1, part=2, part_last=True)])
    assert b"".join(frame["_raw"].to_list()) == "a€".encode()


pieces = st.one_of(
    st.binary(max_size=8).map(lambda data: data.replace(b"\n", b"")),
    st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"]), max_size=8).map(str.encode),
    st.sampled_from([b"", b"\r", b"a\r", b"\0", "\u2028".encode(), b"\xef\xbf\xbd", b"\xff", b"{}", b" "]),
)


@given(st.lists(st.lists(pieces, min_size=1, max_size=6), min_size=1, max_size=5))
def test_every_byte_is_accounted_for(files):
    blocks = [
        Block(Origin(str(n), {"filename": str(n)}, READING), 10 * n, b"".join(line + b"\n" for line in lines), n)
        for n, lines in enumerate(files)
    ]
    result = rows(blocks).to_dicts()
    expected = [(n, line) for n, lines in enumerate(files) for line in lines]
    assert len(result) == len(expected)
    for row, (number, line) in zip(result, expected, strict=True):
        block = blocks[number]
        start = row["_offset"] - block.offset
        assert block.data[start : start + len(line) + 1] == line + b"\n"
        try:
            text = line.decode()
        except UnicodeDecodeError:
            assert row["_raw"] == line
        else:
            assert row["_line"] == text.removesuffix("\r")
            assert row.get("_raw") is None


@pytest.mark.parametrize("start", [b"x^", b"x\x01", b"x\x9c", b"x\xda", b"(\xb5/\xfd", b"\x1f\x8b"])
def test_a_line_that_begins_like_compressed_data_is_a_line(start):
    data = start + b"foo\nbar\n"
    frame = rows([Block(A, 0, data, 1)])
    assert frame["_line"].to_list() == [data.split(b"\n")[0].decode(errors="replace"), "bar"]
    assert frame["_offset"].to_list() == [0, len(start) + 4]
