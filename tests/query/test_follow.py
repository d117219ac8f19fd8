import pytest

from query.reference_table import ReferenceTable
from query.test_cases import S, frame
from tailrace.engines.polars import PolarsEngine
from tailrace.errors import QueryError
from tailrace.query import follow
from tailrace.query.follow import Follower


def follower(table, query='{app="a"}', **options):
    return Follower(query, table, PolarsEngine(), **options)


def texts(answer):
    return answer.frame["_line"].to_list()


@pytest.fixture
def table(tmp_path):
    table = ReferenceTable(tmp_path)
    table.add(frame([{"t": 1, "line": "old 1"}, {"t": 2, "line": "old 2"}]))
    return table


def test_the_first_poll_brings_nothing_of_the_past(table):
    assert texts(follower(table).poll()) == []


def test_what_was_committed_between_making_it_and_the_first_poll_is_new(table):
    one = follower(table)
    table.add(frame([{"t": 3, "line": "new"}]))
    assert texts(one.poll()) == ["new"]
    assert texts(one.poll()) == []


def test_commits_of_several_polls_come_in_arrival_order_whatever_their_times(table):
    one = follower(table)
    table.add(frame([{"t": 50, "line": "late"}]))
    first = texts(one.poll())
    table.add(frame([{"t": 5, "line": "early"}, {"t": 4, "line": "earlier"}]))
    assert (first, texts(one.poll())) == (["late"], ["earlier", "early"])


def test_only_lines_that_pass_are_shown(table):
    one = follower(table, '{app="a"} | status >= 500 | line_format "{{.status}}"')
    table.add(frame([{"t": 3, "line": "x", "status": 500}, {"t": 4, "line": "y", "status": 200}]))
    table.add(frame([{"t": 5, "line": "z", "status": 503, "stream": '{app="b"}'}]))
    assert texts(one.poll()) == ["500"]


def test_a_parser_runs_on_followed_lines(table):
    one = follower(table, '{app="a"} | json | user="ann"')
    table.add(frame([{"t": 3, "line": '{"user": "ann"}'}, {"t": 4, "line": '{"user": "bob"}'}]))
    assert texts(one.poll()) == ['{"user": "ann"}']


def test_history_comes_first_oldest_first(table):
    one = follower(table, history=10)
    assert texts(one.poll()) == ["old 1", "old 2"]
    table.add(frame([{"t": 3, "line": "new"}]))
    assert texts(one.poll()) == ["new"]


def test_history_is_the_newest(table):
    assert texts(follower(table, history=1).poll()) == ["old 2"]


def test_more_than_the_limit_says_so_and_shows_the_newest(table):
    one = follower(table, limit=2)
    table.add(frame([{"t": 3 + n, "line": str(n)} for n in range(3)]))
    answer = one.poll()
    assert texts(answer) == ["1", "2"]
    assert not answer.complete
    assert "more than 2 lines" in answer.warnings[0]


def test_just_the_limit_is_complete(table):
    one = follower(table, limit=3)
    table.add(frame([{"t": 3 + n, "line": str(n)} for n in range(3)]))
    assert one.poll().complete


def test_a_metric_query_cannot_be_followed(table):
    with pytest.raises(QueryError, match="only a log query"):
        follower(table, 'rate({app="a"}[1m])')


def test_segments_that_vanish_before_they_are_shown_are_said(table, tmp_path):
    one = follower(table)
    table.add(frame([{"t": 3, "line": "gone"}]))
    for path in tmp_path.glob("0002-*.parquet"):
        path.unlink()
    answer = one.poll()
    assert (texts(answer), answer.complete) == ([], False)
    table.add(frame([{"t": 4, "line": "next"}]))
    assert texts(one.poll()) == ["next"]


def test_another_follower_goes_on_where_one_had_come_to(table):
    one = follower(table)
    table.add(frame([{"t": 3, "line": "seen"}]))
    assert texts(one.poll()) == ["seen"]
    table.add(frame([{"t": 1, "line": "between"}]))
    other = follower(table, after=one.version)
    assert texts(other.poll()) == ["between"]
    assert texts(other.poll()) == []


def test_a_place_that_the_table_has_not_reached_is_now(table):
    one = follower(table, after=99)
    assert texts(one.poll()) == []
    table.add(frame([{"t": 3, "line": "new"}]))
    assert texts(one.poll()) == ["new"]


def test_what_arrived_is_counted_also_where_it_is_not_shown(table):
    one = follower(table, '{app="a"} | status >= 500', limit=2)
    rows = [{"t": n, "line": str(n), "status": 500 if n % 2 else 200, "_offset": n} for n in range(20)]
    table.add(frame(rows))
    found = one.arrived(late_before_ns=6 * S)
    assert texts(found.lines) == ["17", "19"]
    assert (found.total, found.late, found.exact) == (10, 3, True)  # odd numbers below 20, of them 1, 3 and 5
    assert (one.arrived(0).total, found.version) == (0, one.version)


def test_a_line_that_was_pushed_twice_is_counted_once(table):
    one = follower(table, limit=1)
    table.add(frame([{"t": 3, "line": "x"}, {"t": 4, "line": "y"}]))
    table.add(frame([{"t": 3, "line": "x"}, {"t": 5, "line": "z"}]))
    found = one.arrived(late_before_ns=4 * S)
    assert (found.total, found.late, found.exact) == (3, 1, True)


def test_more_than_can_be_counted_is_said_to_be_more(table, monkeypatch):
    monkeypatch.setattr(follow, "COUNTED_ROWS", 3)
    one = follower(table, limit=1)
    table.add(frame([{"t": n, "line": str(n)} for n in range(4)]))
    found = one.arrived(late_before_ns=0)
    assert (texts(found.lines), found.total, found.exact) == (["3"], 2, False)
