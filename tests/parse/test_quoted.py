"""Records of tables that go on over lines: the same however they are cut, and over restarts."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from tailrace.contracts import Block, Origin, Reading
from tailrace.limits import QUOTED_LINES
from tailrace.parse.chain import Chain

NOW = 1_772_704_800 * 10**9
WAIT = 10 * 10**9


def block(text: str, offset: int, form: str = "csv", key: str = "one") -> Block:
    return Block(Origin(key, {"filename": "x.csv"}, Reading(form, timezone="UTC")), offset, text.encode(), NOW)


def told(frames: list) -> list[tuple]:
    names = ("_offset", "_in_lines", "_in_bytes", "_line", "_error", "a", "b", "c")
    rows = [row for frame in frames for row in frame.to_dicts()]
    return [tuple(row.get(name) for name in names) for row in rows]


def read(lines: list[str], cuts: set[int], *, restart: bool = False, form: str = "csv") -> list[tuple]:
    """Return the rows of lines that are read in pieces, each piece by a chain of its own with `restart`."""
    chain, frames, offset, state = Chain(), [], 0, {}
    pieces: list[list[str]] = [[]]
    for place, line in enumerate(lines):
        if place in cuts:
            pieces.append([])
        pieces[-1].append(line)
    for piece in pieces:
        text = "".join(piece)
        frames.append(chain.parse([block(text, offset, form)]).frame)
        offset += len(text.encode())
        state |= json.loads(json.dumps(chain.mark()))
        if restart:
            chain = Chain()
            chain.restore({name: value for name, value in state.items() if value is not None})
    frames.append(chain.flush(NOW + WAIT, final=True).frame)
    return told(frames)


LINE = st.sampled_from(
    ["1,2,3", '1,"x', 'y",3', 'y",3,"z', '"a ""q"" b",2,3', '5" pipe,2,3', "", '"', '",', 'ü,"', '1;"x;y', '\t"']
)


@given(st.lists(LINE, max_size=12), st.sets(st.integers(1, 12)), st.booleans(), st.sampled_from(["\n", "\r\n"]))
def test_the_same_however_it_is_cut(lines: list[str], cuts: set[int], restart: bool, end: str) -> None:
    text = [line + end for line in ["a,b,c", *lines]]
    rows = read(text, cuts, restart=restart)
    assert rows == read(text, set())
    assert sum(row[1] for row in rows) == len(text)
    assert sum(row[2] for row in rows) == sum(len(line.encode()) for line in text)
    assert "\n".join(row[3] for row in rows) == "\n".join(line.removesuffix(end) for line in text)


def test_a_record_over_turns_and_a_restart_is_one() -> None:
    lines = ["a,b,c\n", '1,"two\n', "lines, and\n", 'three",4\n', "5,6,7\n"]
    record = (6, 3, 27, '1,"two\nlines, and\nthree",4', None, "1", "two\nlines, and\nthree", "4")
    for restart in (False, True):
        rows = read(lines, {1, 2, 3, 4}, restart=restart)
        assert rows[1:] == [record, (33, 1, 6, "5,6,7", None, "5", "6", "7")]


def test_a_quote_that_nobody_closes_costs_its_own_row_alone() -> None:
    lines = ["a,b,c\n", '1,"open,3\n', *["4,5,6\n"] * 300]
    rows = read(lines, {100, 150})
    assert rows[1] == (6, 1, 10, '1,"open,3', "CsvUnclosedErr", None, None, None)
    assert rows[2:] == [(16 + 6 * at, 1, 6, "4,5,6", None, "4", "5", "6") for at in range(300)]


def test_a_record_of_as_many_lines_as_are_waited_for() -> None:
    most = ['1,"x\n', *["y\n"] * (QUOTED_LINES - 2), 'z",3\n']
    assert [row[1] for row in read(["a,b,c\n", *most], {3})] == [1, QUOTED_LINES]
    assert [row[1] for row in read(["a,b,c\n", *most[:-1], *most[1:]], {3})] == [1] * (2 * QUOTED_LINES - 1)


def test_what_is_open_is_pending_and_goes_out_after_its_wait() -> None:
    chain = Chain()
    chain.parse([block('a,b\n1,"x\n', 0)])
    assert chain.pending() == (1, 5)
    assert chain.flush(NOW + 10**9, final=False).frame.height == 0
    rows = chain.flush(NOW + WAIT, final=False).frame.to_dicts()
    assert [(row["_line"], row["_error"], row["_format"]) for row in rows] == [('1,"x', "CsvUnclosedErr", None)]
    assert chain.pending() == (0, 0)


def test_a_new_file_of_the_same_name_begins_anew() -> None:
    chain = Chain()
    chain.parse([block('a,b\n1,"x\n', 0)])
    frame = chain.parse([block("a,b\n3,4\n", 0, key="two")]).frame
    assert frame["_line"].to_list() == ["a,b", "3,4"]


def test_a_table_that_was_found_is_known_after_a_restart() -> None:
    before = Chain()
    before.parse([block("time,level,msg\n2026-03-05 10:00:00,info,x\n", 0, "auto")])
    after = Chain()
    after.restore(before.mark())
    row = after.parse([block('2026-03-05 10:00:01,warn,"y\nz"\n', 42, "auto")]).frame.row(0, named=True)
    assert (row["_format"], row["_level"], row["msg"]) == ("csv", "warn", "y\nz")


def test_declared_columns() -> None:
    rows = read(['1,"x\n', 'y",3\n'], {1}, form="csv:a,b,c")
    assert [row[5:] for row in rows] == [("1", "x\ny", "3")]
