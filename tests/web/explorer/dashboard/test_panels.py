"""Each kind of panel over a real table; values worked out by hand."""

from __future__ import annotations

import pytest

from tailrace.errors import QueryError
from tailrace.web.explorer.dashboard.model import Panel
from tailrace.web.explorer.dashboard.panels import LINES_MOST, ROWS_MOST, Drawn, drawn
from tailrace.web.explorer.search.spans import Span
from web.conftest import NOW_NS, House, S

MINUTE = 60 * S
SPAN = Span(NOW_NS - 10 * MINUTE, NOW_NS, "now-10m", "now")
ALL = '{service_name="app"}'


def asked(house: House, query: str, kind: str, by: str = "detected_level") -> Drawn:
    return drawn(Panel("t", query, kind, by), house.services, SPAN, lambda: False)  # type: ignore[arg-type]


@pytest.fixture
def filled(house: House) -> House:
    house.store((-300 * S, "one"), (-200 * S, "two"), (-100 * S, "three"), level="info", host="a")
    house.store((-150 * S, "four"), level="error", host="b")
    house.store((-601 * S, "before"), level="error", host="b")
    return house


def test_bars_count_lines_by_a_label(filled: House) -> None:
    bars = asked(filled, ALL, "bars").bars
    assert bars is not None
    assert (bars.names, bars.sums) == (["error", "info"], [1.0, 3.0])
    by_host = asked(filled, ALL, "bars", "host").bars
    assert by_host is not None
    assert (by_host.names, by_host.sums) == (["a", "b"], [3.0, 1.0])
    together = asked(filled, ALL, "bars", "").bars
    assert together is not None
    assert (together.names, together.sums) == (["all"], [4.0])


def test_a_number_is_all_lines_of_the_range(filled: House) -> None:
    found = asked(filled, ALL, "number")
    assert (found.number, found.complete, found.left_out) == (4.0, True, 0)
    assert found.spark is not None
    assert found.spark.path


def test_a_number_of_a_metric_query_is_its_newest_value(filled: House) -> None:
    found = asked(filled, f"sum by (host) (count_over_time({ALL}[10m]))", "number")
    assert (found.number, found.left_out) == (3.0, 1)  # host a at the end; b is the other series


def test_a_table_counts_over_the_whole_range_largest_first(filled: House) -> None:
    found = asked(filled, ALL, "table", "host")
    assert found.table == [("a", 3.0), ("b", 1.0)]


def test_a_table_lists_no_more_than_fits(house: House) -> None:
    for number in range(ROWS_MOST + 2):
        house.store((-S, "x"), host=f"h{number}")
    found = asked(house, ALL, "table", "host")
    assert found.table is not None
    assert (len(found.table), found.left_out) == (ROWS_MOST, 2)


def test_curves_follow_the_step(filled: House) -> None:
    found = asked(filled, f"sum(count_over_time({ALL}[$__range]))", "curves").chart
    assert found is not None
    assert (found.curves[0].last, found.most) == (4.0, 5.0)  # until a second after 23:50 the line before counts, too


def test_lines_are_the_newest(house: House) -> None:
    house.store(*[(-at * S, f"line {at}") for at in range(1, LINES_MOST + 5)], level="warn")
    lines = asked(house, ALL, "lines").lines
    assert lines is not None
    assert (len(lines), lines[0]) == (LINES_MOST, (NOW_NS - S, "warn", "line 1"))


def test_nothing_gives_an_empty_drawing(house: House) -> None:
    bars, table, number = (asked(house, ALL, kind) for kind in ("bars", "table", "number"))
    assert bars.bars is not None
    assert (bars.bars.most, table.table, number.number) == (0.0, [], 0)


def test_the_search_shows_the_same(filled: House) -> None:
    assert asked(filled, ALL, "bars").url == "/?q=%7Bservice_name%3D%22app%22%7D&from=now-10m&to=now"


def test_a_query_that_is_wrong_says_so(house: House) -> None:
    with pytest.raises(QueryError):
        asked(house, "rate({a", "curves")
