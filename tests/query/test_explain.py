import pytest

from query.reference_table import ReferenceTable
from query.test_cases import S, frame
from tailrace.engines.polars import PolarsEngine
from tailrace.query.explain import explain
from tailrace.query.run import Request


@pytest.fixture
def table(tmp_path):
    table = ReferenceTable(tmp_path)
    table.add(frame([{"t": 1, "line": "x", "status": 200}, {"t": 2, "line": "y", "status": 500}]))
    table.add(frame([{"t": 50, "line": "z", "stream": '{app="b"}'}]))
    table.add(frame([{"t": 60, "line": "z", "status": 300}]))
    return table


def plan(table, query, start=0, end=100, step=None):
    request = Request(query, start * S, end * S, step_ns=None if step is None else step * S)
    return explain(request, table, PolarsEngine())


def test_a_pushed_filter_and_a_stage_on_rows(table):
    text = plan(table, '{app="a"} | status >= 400 | line_format "{{.status}}"')
    assert "pushed into the scan: status >= 400" in text
    assert 'on rows: | line_format "{{.status}}"' in text
    assert "on rows: | status" not in text


def test_skipped_segments_and_why(table):
    text = plan(table, '{app="a"} | status >= 400', end=55)
    assert "skipped: 1 segment, outside the range of time" in text
    assert "skipped: 1 segment, without a stream that matches" in text
    assert "read: 1 segment, 2 rows" in text


def test_a_segment_skipped_by_a_fields_statistics(table):
    assert "skipped: 1 segment, by the statistics of their fields" in plan(table, '{app="a"} | status >= 400')


def test_a_count_of_whole_segments_reads_nothing(table):
    text = plan(table, 'sum(count_over_time({app="a"}[100s]))')
    assert "from statistics: 3 lines of 2 whole segments, unread" in text
    assert "read:" not in text


def test_a_segment_that_is_cut_by_the_window_is_read(table):
    text = plan(table, 'sum(count_over_time({app="a"}[99s]))')
    assert "from statistics: 1 lines of 1 whole segment" in text
    assert "read: 1 segment, 2 rows" in text


def test_groups_in_the_scan_and_on_rows(table):
    assert "grouped in the scan" in plan(table, 'sum by (status) (count_over_time({app="a"}[100s]))')
    assert "grouped on rows" in plan(table, 'count_over_time({app="a"}[100s])')


def test_a_parser_of_lines_that_were_not_taken_apart_stays(table):
    assert "on rows: | json" in plan(table, '{app="a"} | json')


def test_a_test_of_errors_costs_nothing_where_there_are_none(table):
    text = plan(table, 'sum(count_over_time({app="a"} | status >= 400 | __error__="" | drop __error__ [100s]))')
    assert "on rows" not in text


def test_nothing_matches(table):
    assert "read: nothing" in plan(table, '{app="none"}')


def test_columns_are_only_those_that_are_needed(table):
    text = plan(table, 'sum(count_over_time({app="a"} | status >= 400 [100s]))')
    assert "columns: status\n" in text


def test_operators_and_numbers(table):
    text = plan(table, 'sum(rate({app="a"}[10s])) / 2', step=10)
    assert "operator /, on frames" in text
    assert "2, from no storage" in text
    assert "evaluated at 11 points" in text
