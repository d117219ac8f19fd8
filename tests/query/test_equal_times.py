"""Lines of one push that share a time keep the order in which they were pushed, in either direction."""

from __future__ import annotations

import polars as pl
import pytest

from query.reference_table import ReferenceTable
from tailrace.engines.polars import PolarsEngine
from tailrace.query.plan import SIFTED_ROWS
from tailrace.query.run import Request, run

S = 1_000_000_000


@pytest.fixture
def table(tmp_path):
    made = ReferenceTable(tmp_path, splits=1, seed=0)
    rows = [{"_time_ns": 10 * S, "_observed_ns": 20 * S, "_stream": '{app="a"}', "_line": f"v={v}"} for v in (2, 1, 3)]
    later = [{**rows[0], "_observed_ns": 21 * S, "_line": "v=0"}]
    made.add(pl.DataFrame(later + rows))
    return made


def lines(table, direction, limit):
    request = Request('{app="a"}', 0, 100 * S, limit=limit, direction=direction)
    return run(request, table, PolarsEngine()).frame["_line"].to_list()


@pytest.mark.parametrize("limit", [0, 2, 4])
def test_backward_is_forward_from_the_other_end(table, limit):
    pushed = ["v=2", "v=1", "v=3", "v=0"]
    assert lines(table, "forward", limit) == pushed[: limit or None]
    assert lines(table, "backward", limit) == pushed[::-1][: limit or None]


@pytest.mark.parametrize(("function", "value"), [("first", 2.0), ("last", 0.0)])
def test_first_and_last_of_one_time_are_as_they_were_pushed(table, function, value):
    query = f'{function}_over_time({{app="a"}} | logfmt | unwrap v [1m]) by (app)'
    found = run(Request(query, 0, 60 * S), table, PolarsEngine())
    assert found.frame["value"].to_list() == [value]


def test_lines_of_one_time_keep_their_order_over_the_pieces_in_which_they_are_read(tmp_path):
    """Segments of many lines are read in pieces, which begin elsewhere for each question, and come as they are ready."""
    made = ReferenceTable(tmp_path, splits=1, seed=0)
    times = pl.Series([13 * S] * 120_000 + [12 * S] * 120_000 + [11 * S] * 30_000)
    frame = pl.DataFrame({"_time_ns": times}).with_row_index("_line").cast({"_line": pl.String})
    made.add(frame.with_columns(_observed_ns=pl.lit(20 * S), _stream=pl.lit('{app="a"}')))
    for before_s, newest in [(14, 119_999), (13, 239_999), (12, 269_999)]:
        for limit in (500, 10_000, 20_000, 30_000):
            request = Request('{app="a"}', 0, before_s * S, limit=limit)
            found = run(request, made, PolarsEngine()).frame["_line"].to_list()
            assert found == [str(number) for number in range(newest, newest - limit, -1)], (before_s, limit)


def test_lines_that_a_label_filter_sifts_keep_their_order_too(tmp_path):
    made = ReferenceTable(tmp_path, splits=1, seed=0)
    lines = [f'{{"even": "{number % 2}", "number": "{number}"}}' for number in range(2 * SIFTED_ROWS)]
    frame = pl.DataFrame({"_line": lines}).with_columns(_time_ns=pl.lit(10 * S), _observed_ns=pl.lit(20 * S))
    made.add(frame.with_columns(_stream=pl.lit('{app="a"}')))
    request = Request('{app="a"} | json | even="0"', 0, 20 * S, limit=5, direction="forward")
    found = run(request, made, PolarsEngine()).frame
    assert found["parsed.number"].to_list() == ["0", "2", "4", "6", "8"]
