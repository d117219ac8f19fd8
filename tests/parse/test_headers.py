"""Headers of CSV and W3C files: known over turns, rotation and restarts."""

from __future__ import annotations

from tailrace import limits
from tailrace.contracts import Block, Origin, Reading
from tailrace.parse.chain import Chain
from tailrace.parse.headers import Headers

NOW = 1_772_704_800 * 10**9


def block(key: str, offset: int, text: str, form: str = "csv") -> Block:
    return Block(Origin(key, {"filename": "x.csv"}, Reading(format=form, timezone="UTC")), offset, text.encode(), NOW)


def values(chain: Chain, *blocks: Block, column: str = "b") -> list[object]:
    frame = chain.parse(blocks).frame
    return frame[column].to_list() if column in frame.columns else [None] * len(frame)


def test_later_turns_know_the_header() -> None:
    chain = Chain()
    assert values(chain, block("one", 0, "a,b\n1,2\n")) == [None, "2"]
    assert values(chain, block("one", 8, "3,4\n")) == ["4"]
    assert chain.mark() == {"header:one": "a,b"}
    assert chain.mark() == {}


def test_a_rotated_file_has_its_own() -> None:
    chain = Chain()
    values(chain, block("one", 0, "a,b\n1,2\n"))
    assert values(chain, block("one", 8, "3,4\n"), block("two", 0, "b,a\n5,6\n")) == ["4", None, "5"]


def test_after_a_restart_rows_have_the_header_of_their_file() -> None:
    before = Chain()
    values(before, block("one", 0, "a,b\n1,2\n"))
    after = Chain()
    after.restore(before.mark())
    assert values(after, block("one", 8, "3,4\n")) == ["4"]
    lost = Chain().parse([block("one", 8, "3,4\n")]).frame
    assert lost["_error"].to_list() == ["CsvHeaderErr"]
    assert lost["_line"].to_list() == ["3,4"]


def test_fields_of_w3c_may_change_within_a_turn_and_count_in_the_next() -> None:
    chain = Chain()
    text = "1 2\n#Fields: a b\n3 4\n#Fields: b a\n5 6\n"
    assert values(chain, block("one", 0, text, "w3c")) == [None, None, "4", None, "5"]
    assert values(chain, block("one", 40, "7 8\n", "w3c")) == ["7"]


def test_other_formats_have_no_header() -> None:
    chain = Chain()
    frame = chain.parse([block("one", 0, "a,b\n"), block("two", 0, "x y\n", "plain")]).frame
    assert "_header" not in frame.columns
    assert frame["_format"].to_list() == ["csv", "plain"]


def test_the_oldest_headers_are_forgotten() -> None:
    headers = Headers()
    headers.restore({f"header:{number}": "a" for number in range(limits.HEADERS)})
    headers._learn("new", "b")
    assert headers.mark() == {"header:new": "b", "header:0": None}
    assert headers.restore({"part:x": 1}) == {"part:x": 1}
