from tailrace.web.explorer.search.box.ranges import moves
from tailrace.web.explorer.search.spans import Span
from tailrace.web.explorer.search.state import State
from tailrace.web.times import iso
from web.conftest import NOW_NS, S

HOUR = 3_600 * S
STATE = State(q='{a="b"}', tab="chart")


def url(start: str, end: str = "") -> str:
    return STATE.change(start=start, end=end).url()


def test_a_range_that_ends_now_grows_relative_and_moves_to_fixed_times() -> None:
    found = moves(STATE, Span(NOW_NS - HOUR, NOW_NS, "now-1h", "now"), NOW_NS + 5)
    assert found.earlier == url("2025-12-31T22:00:00Z", "2025-12-31T23:00:00Z")
    assert found.later == ""
    assert found.out == url("now-2h")


def test_a_fixed_range_moves_by_its_length_and_grows_around_its_middle() -> None:
    start, end = NOW_NS - 10 * HOUR, NOW_NS - 8 * HOUR
    found = moves(STATE, Span(start, end, iso(start), iso(end)), NOW_NS)
    assert found.earlier == url("2025-12-31T12:00:00Z", "2025-12-31T14:00:00Z")
    assert found.later == url("2025-12-31T16:00:00Z", "2025-12-31T18:00:00Z")
    assert found.out == url("2025-12-31T13:00:00Z", "2025-12-31T17:00:00Z")


def test_a_range_grows_back_from_now_rather_than_into_the_future() -> None:
    start = NOW_NS - 2 * HOUR
    found = moves(STATE, Span(start, NOW_NS - S, iso(start), iso(NOW_NS - S)), NOW_NS)
    assert found.out == url(iso(NOW_NS - 2 * (2 * HOUR - S)), iso(NOW_NS))


def test_there_is_nothing_before_the_beginning_of_time() -> None:
    found = moves(STATE, Span(-(2**61), 2**62, "", ""), NOW_NS)
    assert (found.earlier, found.later, found.out) == ("", "", "")
