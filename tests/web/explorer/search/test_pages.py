import polars as pl
import pytest

from tailrace.store.compact import compact
from tailrace.web.explorer.search.arrived import arrived
from tailrace.web.explorer.search.pages import LinePage, Listing, above, below, listed
from tailrace.web.explorer.search.rows import Row
from web.conftest import NOW_NS, House, S

EVERYTHING = '{service_name=~".+"}'
START_NS, END_NS = NOW_NS - 3_600 * S, NOW_NS + 1


def listing(house: House, size: int = 7) -> Listing:
    return Listing(house.services, EVERYTHING, START_NS, END_NS, size)


def everything(house: House) -> list[str]:
    return [row.line for row in listed(listing(house, 10_000), None).rows]


def down(house: House, page: LinePage, size: int = 7) -> list[Row]:
    rows = list(page.rows)
    while page.older:
        page = listed(listing(house, size), page.older, exact=True)
        rows += page.rows
    return rows


def up(house: House, row: Row, version: int, size: int = 7) -> list[Row]:
    """Return all rows over one, page by page as the script asks for them."""
    rows: list[Row] = []
    cursor = above(row, version)
    while True:
        page = listed(listing(house, size), cursor, exact=True)
        rows = [*page.rows, *rows]
        if not (page.newer and page.rows):
            return rows
        cursor = above(page.rows[0], version)


@pytest.fixture
def filled(house: House) -> House:
    """Five times with many lines each, of two streams, one of them pushed."""
    house.store(*[(-S * (number // 9), f"file {number}") for number in range(40)], host="a")
    house.store(*[(-S * (number // 9), f"other {number}") for number in range(40)], host="b")
    return house


@pytest.mark.parametrize("size", [1, 7, 18, 100])
def test_pages_are_the_whole_in_both_directions(filled: House, size: int) -> None:
    whole = everything(filled)
    first = listed(listing(filled, size), None)
    rows = down(filled, first, size)
    assert [row.line for row in rows] == whole
    assert [row.line for row in up(filled, rows[-1], first.version, size)] == whole[:-1]
    for at in (1, 8, 9, 30, 79):
        assert [row.line for row in up(filled, rows[at], first.version, size)] == whole[:at]


def test_the_page_of_a_cursor_near_the_head_is_the_head_unless_it_is_to_be_exact(filled: House) -> None:
    page = listed(listing(filled), None)
    cursor = above(page.rows[3], page.version)
    assert [row.line for row in listed(listing(filled), cursor).rows] == [row.line for row in page.rows]
    assert [row.line for row in listed(listing(filled), cursor, exact=True).rows] == [r.line for r in page.rows[:3]]


def test_late_lines_of_the_same_time_shift_nothing(filled: House) -> None:
    before = everything(filled)
    page = listed(listing(filled), None)
    cursor = below(page.rows[3], page.version)
    assert cursor.skip == 4  # amid lines of one time
    filled.store(*[(0, f"late {number}") for number in range(5)], host="c")  # sorts above the others of its time
    filled.store(*[(-S, f"late {number}") for number in range(5, 8)], host="0")
    rows = [row.line for row in down(filled, listed(listing(filled), cursor, exact=True))]
    assert [line for line in rows if not line.startswith("late")] == before[4:]
    assert [line for line in rows if line.startswith("late")] == ["late 7", "late 6", "late 5"]
    newer = up(filled, page.rows[3], page.version)
    assert [row.line for row in newer if not row.line.startswith("late")] == before[:3]
    assert sum(row.line.startswith("late") for row in newer) == 5


def test_merging_segments_shifts_nothing(filled: House) -> None:
    whole = everything(filled)
    page = listed(listing(filled), None)
    assert compact(filled.table, everything=True).merges == 2  # one for each day
    rows = down(filled, listed(listing(filled), below(page.rows[-1], page.version), exact=True))
    assert [row.line for row in [*page.rows, *rows]] == whole


def test_what_came_in_since_is_counted_and_the_late_of_it(filled: House) -> None:
    version = filled.table.snapshot().version
    assert arrived(filled.services, EVERYTHING, START_NS, END_NS, version) is None
    filled.store((-10 * S, "late"), (-4_000 * S, "before the range"), host="a")
    found = arrived(filled.services, EVERYTHING, START_NS, END_NS, version)
    assert found is not None
    assert (found.lines, found.late, found.exact) == (1, 1, True)
    assert arrived(filled.services, '{host="b"}', START_NS, END_NS, version) is None
    assert arrived(filled.services, EVERYTHING, START_NS, END_NS, 0) is None  # no version of a list


def test_newer_lines_are_not_late(house: House) -> None:
    house.store((-10 * S, "first"))
    version = house.table.snapshot().version
    house.store((-5 * S, "newer"), (-20 * S, "late"))
    found = arrived(house.services, EVERYTHING, START_NS, END_NS, version)
    assert found is not None
    assert (found.lines, found.late) == (2, 1)


def test_what_is_late_is_judged_by_the_lines_of_the_query_whatever_was_joined_meanwhile(house: House) -> None:
    house.store((-60 * S, "first"), host="a")
    house.store((-S, "newer, but of no matter here"), host="b")
    version = house.table.snapshot().version
    house.store((-60 * S, "of the same time, which is under it"), (-30 * S, "newer"), (-70 * S, "late"), host="a")
    for _ in range(2):
        found = arrived(house.services, '{host="a"}', START_NS, END_NS, version)
        assert found is not None
        assert (found.lines, found.late, found.exact) == (3, 2, True)
        compact(house.table, everything=True)


def test_more_than_can_be_counted_is_said_to_be_more(house: House) -> None:
    house.store((-10 * S, "first"))
    version = house.table.snapshot().version
    house.store(*[(-S, f"line {number}") for number in range(1_200)])
    found = arrived(house.services, EVERYTHING, START_NS, END_NS, version)
    assert found is not None
    assert (found.lines, found.exact) == (1_000, False)


def test_lines_of_no_file_keep_their_place_too(house: House) -> None:
    frame = [(-S, f"pushed {number}") for number in range(20)]
    house.store(*frame)
    rows = down(house, listed(listing(house, 3), None), 3)
    assert sorted(row.line for row in rows) == sorted(line for _, line in frame)
    assert pl.Series([row.skip for row in rows]).to_list() == list(range(20))
