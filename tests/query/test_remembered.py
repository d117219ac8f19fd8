"""Totals that are remembered by segment: the same as counted anew, and never for another question or window."""

from __future__ import annotations

import pytest

from query.reference_table import ReferenceTable
from query.test_cases import frame
from tailrace.engines.polars import PolarsEngine
from tailrace.query import remembered, run
from tailrace.query.run import Request
from tailrace.query.totals import Totals

S = 10**9
ALL = '{app="a"}'


class Counting(PolarsEngine):
    """An engine that counts the segments that it reads."""

    def __init__(self) -> None:
        self.read = 0

    def scan(self, segments, columns):
        self.read += segments.frame.height
        return super().scan(segments, columns)


@pytest.fixture
def table(tmp_path):
    """Twelve segments of ten lines, a second apart; each third line has status 500; segment n begins at 10 n."""
    table = ReferenceTable(tmp_path)
    for number in range(12):
        lines = [{"t": 10 * number + at, "line": f"l {at}", "status": 500 if at % 3 == 0 else 200} for at in range(10)]
        table.add(frame(lines))
    return table


def _ask(table, query, end=119, step=None, start=0, engine=None):
    request = Request(query, start * S, end * S, None if step is None else step * S)
    found = run.run(request, table, engine or PolarsEngine())
    return {
        (*found.labels[row["series"]].values(), row["_time_ns"] // S): row["value"]
        for row in found.frame.iter_rows(named=True)
    }


BY = f"sum by (status) (count_over_time({ALL}[60s]))"


def test_a_second_question_reads_only_what_the_window_cuts(table):
    first, second = Counting(), Counting()
    expected = {("200", 115): 36.0, ("500", 115): 24.0}  # the lines of 56 to 115: 500 at 60, 63, 66, 69, 70, …
    assert _ask(table, BY, 115, engine=first) == expected
    assert _ask(table, BY, 115, engine=second) == expected
    assert first.read >= 7
    assert second.read == 2  # the segments that hold 56 and 115


def test_a_window_that_moves_on_counts_anew_what_it_cuts(table):
    counted = [sum(_ask(table, BY, end).values()) for end in range(60, 119)]
    assert counted == [60.0] * 59


@pytest.mark.parametrize("query", [BY, f'sum(count_over_time({ALL} | status="500" [60s]))', f"rate({ALL}[7s])"])
@pytest.mark.parametrize("step", [7, 10, 30])
def test_the_same_as_counted_anew(table, query, step, monkeypatch):
    once, again = (_ask(table, query, 119, step) for _ in range(2))
    monkeypatch.setattr(remembered, "TOTALS_ROWS", 0)
    assert once == again == _ask(table, query, 119, step)


def test_other_questions_have_totals_of_their_own(table):
    filters = ['| status="500"', '| status="200"', '|= "l 1"', '!= "l 1"', ""]
    for _ in range(2):
        found = [sum(_ask(table, f"sum(count_over_time({ALL} {one} [2m]))").values()) for one in filters]
        assert found == [48.0, 72.0, 12.0, 108.0, 120.0]


def test_many_groups_are_counted_and_not_kept(table, monkeypatch):
    monkeypatch.setattr(remembered, "GROUPS", 1)
    first, second = Counting(), Counting()
    assert _ask(table, BY, engine=first) == _ask(table, BY, engine=second) == {("200", 119): 36.0, ("500", 119): 24.0}
    assert second.read == 6


def test_memory_is_bounded(table, monkeypatch):
    totals = Totals(7)
    monkeypatch.setattr(remembered, "_totals", totals)
    for end in (60, 119):
        _ask(table, BY, end)
    assert totals.rows == 6  # two segments, each of two groups
