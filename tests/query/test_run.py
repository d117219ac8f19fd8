import threading

import polars as pl
import pytest

from query.reference_table import ReferenceTable
from query.test_cases import S, frame
from tailrace.batch import Batch
from tailrace.engines.polars import PolarsEngine
from tailrace.errors import QueryError, QueryTimeoutError, TransientError
from tailrace.limits import SERIES_LIMIT
from tailrace.query import lines
from tailrace.query.run import Request, pages, run
from tailrace.store.table import LogTable

ROWS = [{"t": n, "line": f"line {n}", "status": 200 + n, "user": f"u{n}"} for n in range(10)]


@pytest.fixture
def table(tmp_path):
    table = ReferenceTable(tmp_path)
    table.add(frame(ROWS))
    return table


def ask(table, query, **options):
    return run(Request(query, 0, 100 * S, **options), table, PolarsEngine())


def test_an_end_before_the_start_is_refused(table):
    with pytest.raises(QueryError, match="before its start"):
        run(Request('{app="a"}', 2, 1), table, PolarsEngine())


def test_time_that_is_over_is_an_error_not_an_empty_answer(table):
    with pytest.raises(QueryTimeoutError, match="longer than 0 s"):
        ask(table, '{app="a"}', timeout_s=0.0)
    with pytest.raises(QueryTimeoutError):
        ask(table, 'sum(count_over_time({app="a"} |= "line" [100s]))', timeout_s=0.0)


def test_a_segment_that_vanishes_under_a_query_is_looked_up_again(table, tmp_path):
    stale = table.snapshot()
    folder = tmp_path / "compacted"
    folder.mkdir()
    fresh = ReferenceTable(folder)
    fresh.add(frame(ROWS))
    for path in tmp_path.glob("*.parquet"):
        path.unlink()

    class Compacted:
        def __init__(self):
            self.snapshots = [stale, fresh.snapshot()]

        def snapshot(self):
            return self.snapshots.pop(0)

    assert ask(Compacted(), '{app="a"}').frame.height == 10


def test_segments_that_keep_vanishing_are_a_failure(table, tmp_path):
    table.snapshot()
    for path in tmp_path.glob("*.parquet"):
        path.unlink()
    with pytest.raises((TransientError, FileNotFoundError)):
        ask(table, '{app="a"}')


def test_more_series_than_allowed_is_an_error(tmp_path):
    table = ReferenceTable(tmp_path)
    table.add(frame([{"t": 1, "line": "x", "id": f"{n}"} for n in range(SERIES_LIMIT + 1)]))
    with pytest.raises(QueryError, match="501 series, 500 are allowed"):
        ask(table, 'count_over_time({app="a"}[100s])')
    assert len(ask(table, 'topk(3, count_over_time({app="a"}[100s]))').labels) == 3
    assert ask(table, 'count(count_over_time({app="a"}[100s]))').frame["value"].to_list() == [501.0]


@pytest.mark.parametrize("cut", [False, True])
def test_a_line_counts_for_its_windows_and_no_others_whether_series_may_be_cut_or_not(table, cut):
    request = Request('sum by (app) (count_over_time({app="a"}[4s]))', 3 * S, 12 * S, 1 * S, cut=cut)
    answer = run(request, table, PolarsEngine())
    # a line a second from 0 to 9; at T those of (T - 4, T]
    assert answer.frame["value"].to_list() == [4.0, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0, 3.0, 2.0, 1.0]


def test_stats_count_what_was_read_and_what_was_not(table):
    table.add(frame([{"t": 200, "line": "outside"}]))
    stats = ask(table, '{app="a"}').stats
    assert (stats.segments_read, stats.segments_skipped, stats.rows) == (1, 1, 10)
    assert stats.bytes > 0
    unread = ask(table, 'sum(count_over_time({app="a"}[101s]))').stats
    assert (unread.segments_read, unread.rows) == (0, 0)


def test_an_answer_of_nothing_has_the_columns_of_an_answer(table):
    found = ask(table, '{app="none"}').frame
    assert found.schema == pl.Schema(
        {
            "_time_ns": pl.Int64,
            "_line": pl.String,
            "_level": pl.String,
            "_offset": pl.Int64,
            "_observed_ns": pl.Int64,
            "_stream": pl.String,
        }
    )


def test_one_engine_serves_many_threads(table):
    answers = []
    threads = [
        threading.Thread(target=lambda: answers.append(ask(table, '{app="a"} | status >= 205').frame.height))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [5] * 8


def test_a_walk_goes_on_when_stages_drop_most_lines(tmp_path):
    table = ReferenceTable(tmp_path, splits=3)
    table.add(frame([{"t": n % 97, "line": f'{{"n": {n}}}'} for n in range(3000)]))
    found = ask(table, '{app="a"} | json | n=~"1[0-9]00"', limit=4, direction="backward").frame
    assert (
        found["parsed.n"].to_list()
        == sorted(
            ["1000", "1100", "1200", "1300", "1400", "1500", "1600", "1700", "1800", "1900"],
            key=lambda n: -(int(n) % 97),
        )[:4]
    )


@pytest.mark.parametrize("direction", ["forward", "backward"])
@pytest.mark.parametrize("limit", [0, 700])
def test_pages_under_each_other_are_the_answer(tmp_path, monkeypatch, direction, limit):
    monkeypatch.setattr(lines, "LARGEST_STRETCH", 100)  # a bound, not behaviour: 250,000 lines would be slow
    table = ReferenceTable(tmp_path, splits=4)
    rows = [{"t": n % 53, "line": f'{{"n": {n}}}', "_offset": n} for n in range(1000)]
    stored = [{"t": n % 59, "line": f"stored {n}", "_format": "json:msg", "_offset": n} for n in range(1000)]
    table.add(frame(rows + stored))  # two ways of reading: parsed by the query, and at ingest
    request = Request('{app="a"} | json', 0, 50 * S, limit=limit, direction=direction)
    found = list(pages(request, table, PolarsEngine()))
    assert len(found) > 3
    whole = pl.concat([page.frame.select("_time_ns", "_line", "_offset") for page in found])
    assert whole.equals(run(request, table, PolarsEngine()).frame.select("_time_ns", "_line", "_offset"))


def test_pages_are_of_lines(table):
    with pytest.raises(QueryError, match="only a log query"):
        list(pages(Request("vector(1)", 0, 1), table, PolarsEngine()))


def test_streams_that_statistics_count_in_one_segment_are_read_of_another(tmp_path):
    """At 120 s each segment holds one stream wholly, whose bytes are known, and one that the windows part."""
    second = 1_000_000_000
    table = LogTable.open(tmp_path, create=True)
    for rows in ([(0, "a"), (60, "a"), (60.5, "b"), (90, "a")], [(91, "a"), (119, "b"), (120, "a"), (121, "b")]):
        frame = pl.DataFrame(
            {
                "_time_ns": [round(at * second) for at, _ in rows],
                "_observed_ns": [0] * len(rows),
                "_stream": [f'{{host="{host}"}}' for _, host in rows],
                "_line": [f"line {host}" for _, host in rows],
            }
        )
        table.commit([Batch(frame, "test", len(rows), 0)])
    for function, size in (("count_over_time", 1), ("bytes_over_time", 6)):
        request = Request(f'sum({function}({{host=~".+"}}[2m]))', 0, 240 * second, 60 * second)
        answer = run(request, table, PolarsEngine())
        assert answer.frame["value"].to_list() == [size * lines for lines in (1, 2, 6, 6, 1)]


@pytest.mark.parametrize("by", ["", " by (host)", " by (__error__)"])
def test_numbers_without_errors_are_the_numbers(tmp_path, by):
    table = LogTable.open(tmp_path, create=True)
    took = [None if number % 3 == 0 else number for number in range(100)]
    frame = pl.DataFrame({"_time_ns": list(range(100)), "_line": [""] * 100, "took": took}).with_columns(
        _observed_ns=pl.lit(0, pl.Int64), _stream=pl.lit('{host="a"}')
    )
    table.commit([Batch(frame, "test", 100, 0)])
    request = Request(f'avg_over_time({{host="a"}} | unwrap took | __error__="" [1s]){by}', 99, 99)
    assert run(request, table, PolarsEngine()).frame["value"].to_list() == [49.5]  # 33 pairs, 1 + 98 and so on
