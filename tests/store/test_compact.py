"""Joining segments: which, in what order, and with others at work."""

from __future__ import annotations

import datetime as dt
import threading
from pathlib import Path

import polars as pl
import pytest

from store.rows import DAY_NS, START_NS, batch, lines, stored, unnamed
from tailrace import limits
from tailrace.contracts import Opened
from tailrace.errors import TransientError
from tailrace.store import pieces, segment
from tailrace.store.compact import QUIET_S, compact, plan
from tailrace.store.delete import delete
from tailrace.store.table import LogTable
from tailrace.store.vacuum import vacuum
from tailrace.store.verify import verify

NOW_NS = START_NS + DAY_NS
SEGMENT = 128 * limits.MIB


@pytest.fixture
def table(tmp_path: Path) -> LogTable:
    return LogTable.open(tmp_path, create=True)


def _files(*sizes: int, date: dt.date = dt.date(2023, 11, 14), age_s: float = 1.0) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "path": [f"{date}/{number:03}" for number in range(len(sizes))],
            "rows": [1] * len(sizes),
            "bytes": list(sizes),
            "date": [date] * len(sizes),
            "min_time_ns": list(range(len(sizes))),
            "modified_ns": [NOW_NS - round(age_s * 10**9)] * len(sizes),
        }
    )


def _sizes(groups: list[pl.DataFrame]) -> list[list[int]]:
    return [group["bytes"].to_list() for group in groups]


def test_seven_small_files_wait_for_the_eighth() -> None:
    assert plan(_files(*[1_000] * 7), NOW_NS, SEGMENT) == []
    assert _sizes(plan(_files(*[1_000] * 8), NOW_NS, SEGMENT)) == [[1_000] * 8]


def test_only_files_of_one_tier_are_joined() -> None:
    kib = limits.KIB
    sizes = [16 * kib] * 7 + [128 * kib] * 8 + [2 * limits.MIB]
    assert _sizes(plan(_files(*sizes), NOW_NS, SEGMENT)) == [[128 * kib] * 8]


def test_a_quiet_date_is_joined_whatever_the_sizes_and_full_files_are_left_alone() -> None:
    files = _files(1_000, limits.MIB, 100 * limits.MIB, 3, age_s=QUIET_S + 1)
    assert _sizes(plan(files, NOW_NS, SEGMENT)) == [[1_000, limits.MIB, 3]]
    assert plan(_files(1_000, age_s=QUIET_S + 1), NOW_NS, SEGMENT) == []


def test_dates_are_not_mixed_and_a_group_is_no_larger_than_a_segment() -> None:
    a = _files(*[30 * limits.MIB] * 10)
    b = _files(5, 5, date=dt.date(2023, 11, 15))
    groups = plan(pl.concat([a, b]), NOW_NS, SEGMENT, everything=True)
    assert all(group["date"].n_unique() == 1 for group in groups)
    assert all(group["bytes"].sum() <= SEGMENT for group in groups)
    assert sorted(map(len, _sizes(groups))) == [2, 2, 4, 4]


def test_rows_come_out_sorted_and_complete(table: LogTable) -> None:
    for number in range(8):
        stream = f'{{app="{number % 3}"}}'
        fields = {"f": [number]} if number % 2 else {"g": ["x"]}
        one = batch([f"line {number}"], "a", number, stream=stream, start_ns=START_NS + (7 - number), **fields)
        table.commit([one])
    before = stored(table)
    report = compact(table, now_ns=NOW_NS)
    assert (report.merges, report.files_before, report.files_after, report.rows) == (1, 8, 1, 8)
    assert stored(table).equals(before)
    (path,) = table.snapshot().files["path"]
    rows = pl.read_parquet(path, hive_partitioning=False)
    assert rows["_line"].to_list() == [f"line {n}" for n in (6, 3, 0, 7, 4, 1, 5, 2)]
    assert verify(table).faults == ()
    assert table.last_number("a") == 7
    assert compact(table, now_ns=NOW_NS).merges == 0


def test_followers_do_not_see_compacted_rows_again(table: LogTable) -> None:
    for number in range(8):
        table.commit([batch([f"line {number}"])])
    version = table.snapshot().version
    compact(table, everything=True)
    assert table.snapshot().version == version + 1
    assert table.snapshot().added_since(version).frame.height == 0


def test_a_reader_of_an_old_snapshot_still_finds_its_files(table: LogTable) -> None:
    for number in range(8):
        table.commit([batch([f"line {number}"])])
    old = table.snapshot().segments(0, 2**62)
    compact(table, everything=True)
    vacuum(table)
    assert pl.scan_parquet(old.frame["path"].to_list()).collect().height == 8
    assert len(unnamed(table)) == 8
    vacuum(table, now_ns=2 * START_NS)
    assert unnamed(table) == set()
    assert len(lines(table)) == 8


def test_appends_and_compaction_do_not_disturb_each_other(table: LogTable, tmp_path: Path) -> None:
    stop = threading.Event()
    merges = []

    def join() -> None:
        other = LogTable.open(tmp_path)
        while not stop.is_set():
            merges.append(compact(other, everything=True).merges)

    thread = threading.Thread(target=join)
    thread.start()
    for number in range(60):
        table.commit([batch([f"line {number:02}"], "a", number)])
        table.sync()
    stop.set()
    thread.join()
    assert lines(table) == [f"line {number:02}" for number in range(60)]
    assert sum(merges) > 0
    assert verify(table).faults == ()


def test_two_compactions_of_the_same_files_leave_each_row_once(table: LogTable, tmp_path: Path) -> None:
    for number in range(10):
        table.commit([batch([f"line {number}"])])
    tables = [table, LogTable.open(tmp_path), LogTable.open(tmp_path)]
    start = threading.Barrier(3)

    def join(one: LogTable) -> None:
        start.wait()
        compact(one, everything=True)

    threads = [threading.Thread(target=join, args=(one,)) for one in tables]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert lines(table) == [f"line {number}" for number in range(10)]
    assert table.snapshot().files.height == 1


def test_compaction_and_deletion_race(table: LogTable, tmp_path: Path) -> None:
    for number in range(20):
        table.commit([batch([f"keep {number:02}"]), batch([f"drop {number:02}"], stream="{}")])
    other = LogTable.open(tmp_path)
    thread = threading.Thread(target=lambda: compact(other, everything=True))
    thread.start()
    delete(table, streams=["{}"], start_ns=0, end_ns=2**62, dry_run=False)
    thread.join()
    delete(table, streams=["{}"], start_ns=0, end_ns=2**62, dry_run=False)
    assert lines(table) == [f"keep {number:02}" for number in range(20)]
    assert verify(table).faults == ()


@pytest.mark.parametrize("rows", [1, 2, 3, 7, 100])
def test_pieces_of_any_size_give_the_same_order(rows: int, tmp_path: Path) -> None:
    frames = [
        pl.DataFrame({"_stream": ["b", "a", "a", None], "_time_ns": [4, 1, 9, 2], "_line": ["1", "2", "3", "4"]}),
        pl.DataFrame({"_stream": ["a", "a", "c", "a"], "_time_ns": [1, 5, 0, 1], "_line": ["5", "6", "7", "8"]}),
    ]
    paths = []
    for number, frame in enumerate(frames):
        paths.append(str(tmp_path / f"{number}.parquet"))
        frame.write_parquet(paths[-1])
    found = pl.concat([segment.streams(frame) for frame in frames])
    got, streams = pieces.sorted_rows(Opened(paths, []), found, rows=rows)
    assert got.collect()["_line"].to_list() == ["4", "2", "5", "8", "6", "3", "1", "7"]
    assert streams.select("_stream", "rows").rows() == [(None, 1), ("a", 5), ("b", 1), ("c", 1)]


def _eight(table: LogTable) -> None:
    for number in range(8):
        at_ns = START_NS + (7 - number)
        table.commit(
            [batch([f"line {number}", "same"], stream=f'{{app="{number % 3}"}}', start_ns=at_ns, f=[number, 0])]
        )


def test_a_process_of_its_own_joins_as_this_one_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tailrace.store.compact.APART_ROWS", 16)
    here, there = (LogTable.open(tmp_path / name, create=True) for name in ("here", "there"))
    for table in (here, there):
        _eight(table)
    reports = [compact(here, now_ns=NOW_NS), compact(there, now_ns=NOW_NS, beside=True)]
    assert [(one.merges, one.files_before, one.rows, one.bytes_after) for one in reports] == [
        (1, 8, 16, reports[0].bytes_after)
    ] * 2
    rows = [pl.read_parquet(table.snapshot().files["path"].item(), hive_partitioning=False) for table in (here, there)]
    assert rows[0].equals(rows[1])
    statistics = pl.all().exclude("path", "modified_ns")
    assert there.snapshot().files.select(statistics).equals(here.snapshot().files.select(statistics))
    assert verify(there).faults == ()


def test_a_process_that_fails_changes_nothing(table: LogTable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tailrace.store.compact.APART_ROWS", 16)
    _eight(table)
    before = table.snapshot().version
    monkeypatch.setattr("sys.executable", "/bin/false")
    with pytest.raises(TransientError, match="ended with 1"):
        compact(table, now_ns=NOW_NS, beside=True)
    assert table.snapshot().version == before


def test_a_file_that_is_gone_is_told_by_the_process(table: LogTable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tailrace.store.compact.APART_ROWS", 16)
    _eight(table)
    Path(table.snapshot().files["path"][3]).unlink()
    with pytest.raises(TransientError, match="joining segments failed"):
        compact(table, now_ns=NOW_NS, beside=True)


def test_who_stops_does_not_wait_for_the_process(table: LogTable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tailrace.store.compact.APART_ROWS", 16)
    monkeypatch.setattr("tailrace.store.joiner._LOOK_S", 0.0)
    _eight(table)
    asked = iter([False])  # before the merge; then, while the process works, it is to stop
    assert compact(table, now_ns=NOW_NS, beside=True, stopping=lambda: next(asked, True)).merges == 0
    assert table.snapshot().files.height == 8
