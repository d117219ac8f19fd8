"""Grouping, positions, and several writers at once."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from store.rows import DAY_NS, START_NS, batch, lines, stored
from tailrace.batch import Position
from tailrace.errors import OutOfTurnError
from tailrace.store import log
from tailrace.store.table import LogTable
from tailrace.store.verify import verify

if TYPE_CHECKING:
    from pathlib import Path

    from tailrace.batch import Batch


@pytest.fixture
def table(tmp_path: Path) -> LogTable:
    return LogTable.open(tmp_path, create=True)


def test_a_group_is_one_commit_with_all_positions(table: LogTable) -> None:
    before = table.snapshot().version
    table.commit([batch(["1"], "a", 4), batch(["2"], "b", 1), batch(["3"], "a", 5), batch(["4"])])
    assert table.snapshot().version == before + 1
    assert log.read(table.root, before + 1).transactions == {"a": 5, "b": 1}
    assert lines(table) == ["1", "2", "3", "4"]
    assert table.snapshot().files.height == 1


def test_rows_keep_their_order_and_their_values(table: LogTable) -> None:
    first = batch(["b", "a"], level=["x", "y"], code=[1, None])
    table.commit([first])
    got = stored(table, "_line", "_time_ns", "_observed_ns", "_stream", "_offset", "level", "code", "_time", "_error")
    assert got.rows() == [
        ("b", START_NS, START_NS, '{app="a"}', 0, "x", 1, got["_time"][0], None),
        ("a", START_NS + 10**6, START_NS, '{app="a"}', 10, "y", None, got["_time"][1], None),
    ]
    assert [time.isoformat() for time in got["_time"]] == [
        "2023-11-14T22:13:20+00:00",
        "2023-11-14T22:13:20.001000+00:00",
    ]


def test_a_commit_has_one_segment_per_date(table: LogTable) -> None:
    table.commit([batch(["1", "2", "3", "4"], step_ns=DAY_NS // 2)])
    files = table.snapshot().files.sort("date")
    assert [date.isoformat() for date in files["date"]] == ["2023-11-14", "2023-11-15", "2023-11-16"]
    assert files["rows"].to_list() == [1, 2, 1]
    assert all(f"_date={date}/" in path for date, path in files.select("date", "path").iter_rows())


def test_times_before_1970_and_far_ahead_are_stored(table: LogTable) -> None:
    table.commit([batch(["old"], start_ns=-1), batch(["far"], start_ns=2**62)])
    files = table.snapshot().files.sort("date")
    assert [date.isoformat() for date in files["date"]] == ["1969-12-31", "2116-02-20"]
    assert lines(table) == ["old", "far"]
    assert verify(table).faults == ()


def test_two_types_in_one_group(table: LogTable) -> None:
    table.commit([batch(["1"], f=[1]), batch(["2"], f=["x"]), batch(["3"], f=[2])])
    assert stored(table, "f", "f__string").rows() == [(1, None), (None, "x"), (2, None)]
    assert table.snapshot().variants("f") == ("f", "f__string")


def test_two_tables_race_for_the_same_numbers(table: LogTable, tmp_path: Path) -> None:
    tables = [table, *(LogTable.open(tmp_path) for _ in range(3))]
    start = threading.Barrier(len(tables))

    def write(one: LogTable) -> None:
        start.wait()
        for number in range(8):
            one.commit([batch([f"line {number}"], "same", number)])
            one.sync()

    with ThreadPoolExecutor(len(tables)) as pool:
        for job in [pool.submit(write, one) for one in tables]:
            job.result(60)
    assert lines(table) == [f"line {number}" for number in range(8)]
    assert verify(table).faults == ()


def test_two_tables_race_with_new_columns(table: LogTable, tmp_path: Path) -> None:
    other = LogTable.open(tmp_path)
    start = threading.Barrier(2)

    def write(one: LogTable, name: str) -> None:
        start.wait()
        for number in range(5):
            one.commit([batch([f"{name} {number}"], name, number, **{f"{name}_{number}": [number], "both": [name]})])

    with ThreadPoolExecutor(2) as pool:
        for job in [pool.submit(write, table, "x"), pool.submit(write, other, "y")]:
            job.result(60)
    assert lines(table) == sorted([f"{name} {number}" for name in "xy" for number in range(5)])
    assert verify(table).faults == ()
    assert {"x_4", "y_4", "both"} < set(table.snapshot().columns)


BATCHES = st.lists(
    st.tuples(st.sampled_from("ab"), st.sampled_from([1, 1.5, "t", True, None]), st.integers(0, 2)),
    min_size=1,
    max_size=6,
)


@settings(max_examples=25, deadline=None)
@given(content=BATCHES, cuts=st.lists(st.booleans(), min_size=6, max_size=6), again=st.booleans())
def test_any_grouping_gives_the_same_rows(content, cuts, again, tmp_path_factory) -> None:
    numbers = {"a": 0, "b": 0}
    batches: list[Batch] = []
    for agent, value, day in content:
        fields = {} if value is None else {"f": [value]}
        text = f"{agent} {numbers[agent]}"
        batches.append(batch([text], agent, numbers[agent], start_ns=START_NS + day * DAY_NS, **fields))
        numbers[agent] += 1
    one = LogTable.open(tmp_path_factory.mktemp("one"), create=True)
    for single in batches:
        one.commit([single])
    grouped = LogTable.open(tmp_path_factory.mktemp("grouped"), create=True)
    group: list[Batch] = []
    for single, cut in zip(batches, cuts, strict=False):
        group.append(single)
        if cut:
            grouped.commit(group)
            group = [] if not again else list(group)  # what was committed may come once more
    grouped.commit(group)
    columns = ["_line", "_time_ns", *sorted(name for name in one.snapshot().columns if name.startswith("f"))]
    assert stored(grouped, *columns).equals(stored(one, *columns))
    assert verify(grouped).faults == ()


def test_a_batch_that_is_to_follow_another_number_is_refused_until_that_is_there(table: LogTable) -> None:
    def numbered(line: str, number: int, after: int) -> Batch:
        return replace(batch([line]), position=Position("a", number, after))

    with pytest.raises(OutOfTurnError, match="the table holds -1"):
        table.commit([numbered("2", 5, 3)])
    table.commit([numbered("1", 3, -1), numbered("2", 5, 3)])
    table.commit([numbered("2", 5, 3), numbered("3", 6, 5)])  # one of them a second time
    with pytest.raises(OutOfTurnError) as refused:
        table.commit([batch(["other"]), numbered("4", 9, 3)])  # begun when 3 was the last one
    assert refused.value.held == 6
    with pytest.raises(OutOfTurnError), table.writing("a test") as delta:
        raise refused.value
    with table.writing("a test") as same:
        assert same is delta  # a refusal is no failure: opening the table anew is dear in object storage
    assert lines(table) == ["1", "2", "3"]
