"""The first lines from the nearest segments: the same as from a whole plan, remembered, and never stale."""

from __future__ import annotations

import pytest

from query.reference_table import ReferenceTable
from query.test_cases import frame
from tailrace.engines.polars import PolarsEngine
from tailrace.errors import QueryError, QueryTimeoutError
from tailrace.query import lines, newest, run
from tailrace.query.lines import Window
from tailrace.query.parser import parse
from tailrace.query.reads import Reading
from tailrace.query.result import Stats
from tailrace.query.run import Request

S = 10**9
ALL = '{app="a"}'


class Counting(PolarsEngine):
    """An engine that counts its scans."""

    def __init__(self) -> None:
        self.scans = 0

    def scan(self, segments, columns):
        self.scans += 1
        return super().scan(segments, columns)


@pytest.fixture
def table(tmp_path):
    """Ten segments of ten lines; segment n holds the seconds 10 n to 10 n + 9, and the last of the one before again."""
    table = ReferenceTable(tmp_path)
    for number in range(10):
        times = [max(0, 10 * number - 1), *range(10 * number + 1, 10 * number + 10)]
        table.add(frame([{"t": t, "line": f"{number}: {t}", "status": t % 3} for t in times]))
    return table


def _ask(table, limit, *, engine=None, query=ALL, start=0, end=100, direction="backward"):
    request = Request(query, start * S, end * S, None, limit, direction)
    return run.run(request, table, engine or PolarsEngine())


@pytest.mark.parametrize("direction", ["backward", "forward"])
@pytest.mark.parametrize("query", [ALL, ALL + " | status=1", ALL + ' |= "3"'])
@pytest.mark.parametrize("span", [(0, 100), (0, 55), (33, 100), (33, 58), (30, 31)])
@pytest.mark.parametrize("limit", [1, 5, 10, 23])
def test_the_same_as_a_whole_plan(table, direction, query, span, limit):
    whole = lines.lines(
        parse(query),
        Window(span[0] * S, span[1] * S, limit, direction),
        table.snapshot(),
        Reading(PolarsEngine(), Stats(), 60),
    )
    for _ in range(2):  # read, then remembered
        found = _ask(table, limit, query=query, start=span[0], end=span[1], direction=direction)
        assert found.frame.sort("_time_ns", "_line").equals(whole.frame.sort("_time_ns", "_line"))
        assert found.frame["_time_ns"].to_list() == whole.frame["_time_ns"].to_list()


def test_a_second_look_reads_nothing(table):
    first, second = Counting(), Counting()
    assert _ask(table, 3, engine=first).frame["_line"].to_list() == ["9: 99", "9: 98", "9: 97"]
    assert _ask(table, 3, engine=second).frame["_line"].to_list() == ["9: 99", "9: 98", "9: 97"]
    assert first.scans > 0
    assert second.scans == 0


def test_a_new_segment_is_seen_at_once(table):
    _ask(table, 2)
    table.add(frame([{"t": 99.5, "line": "new"}]))
    assert _ask(table, 2).frame["_line"].to_list() == ["new", "9: 99"]


def test_an_end_within_a_segment_is_not_remembered(table):
    assert _ask(table, 2, end=95).frame["_line"].to_list() == ["9: 94", "9: 93"]
    assert _ask(table, 2, end=97).frame["_line"].to_list() == ["9: 96", "9: 95"]


def test_too_many_segments_take_a_whole_plan(table, monkeypatch):
    monkeypatch.setattr(newest, "SEGMENTS", 2)
    snapshot, window = table.snapshot(), Window(0, 100 * S, 25, "backward")
    assert newest.newest(parse(ALL), window, snapshot, Reading(PolarsEngine(), Stats(), 60)) is None
    assert len(_ask(table, 25).frame) == 25


def test_the_memory_is_bounded(table, monkeypatch):
    monkeypatch.setattr(newest, "NEWEST_ROWS_CACHED", 5)
    for limit in (2, 3, 4):
        _ask(table, limit)
        assert sum(frame.height for frame in newest._known.values()) <= 5


def test_lines_found_in_time_are_answered(table, monkeypatch):
    """A clock that jumps after the first stretch: what it brought is the answer, and says that it is not all."""
    reading = Reading(PolarsEngine(), Stats(), 60)
    stretches = lines.walk

    def slow(*args):
        for piece in stretches(*args):
            reading._until_s -= 55
            yield piece

    monkeypatch.setattr(lines, "walk", slow)
    monkeypatch.setattr(lines, "FIRST_GUESS", 1)
    found = lines.lines(
        parse(ALL + ' | label_format a="b" | status=1'), Window(0, 100 * S, 9, "backward"), table.snapshot(), reading
    )
    assert not found.complete
    assert 0 < found.frame.height < 9
    assert found.warnings[0].startswith("the time was over before all was looked at: lines before 1970-01-01T00:0")


def test_cancelled_is_not_cut(table):
    reading = Reading(PolarsEngine(), Stats(), 60, lambda: True)
    with pytest.raises(QueryTimeoutError, match="cancelled"):
        lines.lines(parse(ALL), Window(0, 100 * S, 9, "backward"), table.snapshot(), reading)


def test_all_lines_are_refused_when_memory_would_not_hold_them(table, monkeypatch):
    monkeypatch.setattr(lines, "LINES_HELD_BYTES", 1 << 10)
    with pytest.raises(QueryError, match=r"larger than 0 MiB: \d+ lines by now, out of 100 rows"):
        _ask(table, 0)
