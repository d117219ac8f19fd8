"""Deleting rows by stream and time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
import pytest

from store.rows import DAY_NS, START_NS, batch, lines, stored
from tailrace.store.delete import DeleteReport, delete
from tailrace.store.table import LogTable
from tailrace.store.verify import verify

if TYPE_CHECKING:
    from pathlib import Path

A, B = '{app="a"}', '{app="b"}'


@pytest.fixture
def table(tmp_path: Path) -> LogTable:
    table = LogTable.open(tmp_path, create=True)
    table.commit([batch(["a1", "a2", "a3"], "x", 1, f=[1, 2, 3]), batch(["b1", "b2", "b3"], "x", 2, stream=B)])
    table.commit([batch(["a4"], "x", 3, start_ns=START_NS + 2 * 10**9)])
    table.commit([batch(["a5"], "x", 4, start_ns=START_NS + DAY_NS)])
    return table


STEP = 10**6
EVER = (0, 2**62)


@pytest.mark.parametrize(
    ("streams", "start_ns", "end_ns", "report", "left"),
    [
        ([A], *EVER, (5, 2, 1), "b1 b2 b3"),
        ([B], *EVER, (3, 0, 1), "a1 a2 a3 a4 a5"),
        ([A, B], *EVER, (8, 3, 0), ""),
        ([A], START_NS + STEP, START_NS + 2 * STEP, (1, 0, 1), "a1 a3 a4 a5 b1 b2 b3"),
        ([A], START_NS, START_NS + DAY_NS, (4, 1, 1), "a5 b1 b2 b3"),
        ([A], START_NS + DAY_NS, START_NS + DAY_NS + 1, (1, 1, 0), "a1 a2 a3 a4 b1 b2 b3"),
        ([A], START_NS + 3, START_NS + 4, (0, 0, 0), "a1 a2 a3 a4 a5 b1 b2 b3"),
        (["{}"], *EVER, (0, 0, 0), "a1 a2 a3 a4 a5 b1 b2 b3"),
        ([], *EVER, (0, 0, 0), "a1 a2 a3 a4 a5 b1 b2 b3"),
    ],
)
def test_what_goes_and_what_stays(table: LogTable, streams, start_ns, end_ns, report, left) -> None:
    before = table.snapshot().version
    where = {"streams": streams, "start_ns": start_ns, "end_ns": end_ns}
    assert delete(table, **where) == DeleteReport(*report, dry_run=True)
    assert table.snapshot().version == before
    assert delete(table, **where, dry_run=False) == DeleteReport(*report, dry_run=False)
    assert sorted(lines(table)) == left.split()
    assert delete(table, **where).rows == 0
    assert verify(table).faults == ()
    assert table.last_number("x") == 4
    assert table.snapshot().added_since(before).frame.height == 0, "nothing that stays is news"


def test_the_rows_that_stay_keep_their_fields(table: LogTable) -> None:
    delete(table, streams=[A], start_ns=START_NS + STEP, end_ns=START_NS + 2 * STEP, dry_run=False)
    assert stored(table, "_line", "f").filter(stored(table)["f"].is_not_null()).rows() == [("a1", 1), ("a3", 3)]


@pytest.mark.parametrize(
    ("also", "report", "left"),
    [
        (pl.col("_line").is_in(["a2", "b1"]), (1, 0, 1), "a1 a3 a4 a5 b1 b2 b3"),
        (pl.col("_line") == "a4", (1, 1, 0), "a1 a2 a3 a5 b1 b2 b3"),
        (pl.when(pl.col("_line") != "a1").then(pl.col("_line") == "x"), (0, 0, 0), "a1 a2 a3 a4 a5 b1 b2 b3"),
    ],
)
def test_a_condition_narrows_what_goes_and_null_is_no(table: LogTable, also: pl.Expr, report, left: str) -> None:
    where = {"streams": [A], "start_ns": EVER[0], "end_ns": EVER[1], "also": also}
    assert delete(table, **where) == DeleteReport(*report, dry_run=True)
    assert delete(table, **where, dry_run=False) == DeleteReport(*report, dry_run=False)
    assert sorted(lines(table)) == left.split()
    assert verify(table).faults == ()
