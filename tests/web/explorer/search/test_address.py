import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import QueryParams

from tailrace.errors import QueryError
from tailrace.web.explorer.search.address import Address, key_of, place_of, read_address
from tailrace.web.explorer.search.state import Cursor, read_state


def frame(*rows: tuple[str, int | None, str]) -> pl.DataFrame:
    return pl.DataFrame(
        rows, schema={"_stream": pl.String, "_offset": pl.Int64, "_line": pl.String}, orient="row", strict=False
    )


@given(st.integers(-(2**62), 2**62), st.text(), st.none() | st.integers(0, 2**62), st.text())
def test_an_address_is_read_back(time_ns: int, stream: str, offset: int | None, line: str) -> None:
    address = Address(time_ns, key_of(stream, offset, line))
    assert read_address(str(address)) == address


@given(st.integers(-(2**62), 2**62), st.integers(0, 999_999), st.none() | st.integers(0, 2**62), st.integers(1, 10**9))
def test_a_cursor_with_its_line_is_read_back(at_ns: int, skip: int, offset: int | None, version: int) -> None:
    cursor = Cursor("before", at_ns, skip, version, key_of("{}", offset, "x"))
    assert read_state(QueryParams({"cur": str(cursor)})).cursor == cursor


@pytest.mark.parametrize("text", ["", "1", "1-2", "x-000000000000-1", "1-00000000000g-1", "1-000000000000-", "1-0-x1"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(QueryError, match="is not the address of a line"):
        read_address(text)


def test_lines_of_a_file_are_told_apart_by_their_offset_and_pushed_ones_by_their_text() -> None:
    rows = frame(("{a}", 5, "same"), ("{a}", 7, "same"), ("{b}", 5, "same"), ("{a}", None, "one"), ("{a}", None, "two"))
    for place, (stream, offset, line) in enumerate(rows.iter_rows()):
        assert place_of(rows, key_of(stream, offset, line)) == place
    assert place_of(rows, key_of("{a}", 6, "same")) is None
    assert place_of(rows, key_of("{a}", None, "three")) is None


def test_a_text_that_a_query_rewrote_is_found_where_there_is_no_doubt() -> None:
    key = key_of("{a}", None, "rewritten")
    alone = frame(("{a}", 1, "of a file"), ("{a}", None, "as pushed"), ("{b}", None, "of others"))
    assert place_of(alone, key) is None
    assert place_of(alone, key, rewritten=True) == 1
    assert place_of(frame(("{a}", None, "one"), ("{a}", None, "two")), key, rewritten=True) is None


def test_of_parts_with_one_offset_the_nearest_is_meant() -> None:
    rows = frame(("{a}", 5, "part 3"), ("{a}", 5, "part 2"), ("{a}", 5, "part 1"))
    key = key_of("{a}", 5, "")
    assert [place_of(rows, key, near) for near in (0, 1, 2, 9)] == [0, 1, 2, 2]
