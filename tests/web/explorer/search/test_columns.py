import pytest

from tailrace.web.explorer.search import columns
from tailrace.web.explorer.search.rows import Row
from tailrace.web.explorer.search.state import COLUMNS_MOST, Cursor, State

AT = Cursor("before", 5, 0)


def test_a_column_is_added_at_the_end_and_removed_again_and_the_page_stays() -> None:
    state = columns.toggled(State(columns=("a",), cursor=AT), "b")
    assert (state.columns, state.cursor) == (("a", "b"), AT)
    assert columns.toggled(state, "a").columns == ("b",)


def test_the_oldest_column_leaves_when_there_are_too_many() -> None:
    names = tuple(f"c{number}" for number in range(COLUMNS_MOST))
    assert columns.toggled(State(columns=names), "new").columns == (*names[1:], "new")


@pytest.mark.parametrize(
    ("name", "by", "after"), [("b", -1, "bac"), ("b", 1, "acb"), ("a", -1, "abc"), ("c", 5, "abc")]
)
def test_a_column_is_moved_and_stays_in_the_row(name: str, by: int, after: str) -> None:
    assert columns.moved(State(columns=("a", "b", "c")), name, by).columns == tuple(after)


def test_lines_that_lack_a_column_have_an_empty_one() -> None:
    row = Row(0, "info", "x", None, None, "{}", {"service_name": "web"}, {"status": "7"}, {})
    assert columns.values(row, None) == [("service_name", "web")]
    assert columns.values(row, State(columns=("status", "none"))) == [("status", "7"), ("none", "")]
