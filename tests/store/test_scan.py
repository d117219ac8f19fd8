"""Snapshots: what they hold, how they follow the table, and the streams of files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
import pytest
from deltalake import DeltaTable

from store.rows import DAY_NS, START_NS, batch, lines
from tailrace.batch import Batch
from tailrace.contracts import Bound
from tailrace.store import log, scan, segment, state
from tailrace.store.compact import compact
from tailrace.store.delete import delete
from tailrace.store.retain import retain
from tailrace.store.table import LogTable
from tailrace.store.vacuum import vacuum

if TYPE_CHECKING:
    from pathlib import Path

EVER = (0, 2**62)


@pytest.fixture
def table(tmp_path: Path) -> LogTable:
    return LogTable.open(tmp_path, create=True)


def test_segments_have_the_columns_that_were_promised(table: LogTable) -> None:
    table.commit([batch(["one", "four"])])
    segments = table.snapshot().segments(*EVER)
    assert dict(segments.frame.schema) == state.FILES_SCHEMA
    row = segments.frame.row(0, named=True)
    assert (row["rows"], row["min_time_ns"], row["max_time_ns"]) == (2, START_NS, START_NS + 10**6)
    assert (row["min_stream"], row["max_stream"], row["date"].isoformat()) == ('{app="a"}', '{app="a"}', "2023-11-14")
    assert segments.skipped == 0


def test_an_empty_table_has_segments_too(table: LogTable) -> None:
    segments = table.snapshot().segments(*EVER, [Bound("_line", "==", "x"), Bound("status", ">", 1)])
    assert dict(segments.frame.schema) == state.FILES_SCHEMA
    assert segments.streams().columns == ["path", "_stream", "rows", "line_bytes", "min_time_ns", "max_time_ns"]
    assert table.snapshot().added_since(0).frame.height == 0


def test_a_snapshot_never_changes(table: LogTable) -> None:
    table.commit([batch(["one"])])
    old = table.snapshot()
    table.commit([batch(["two"], extra=[1])])
    assert (old.files.height, "extra" in old.columns) == (1, False)
    assert (table.snapshot().files.height, "extra" in table.snapshot().columns) == (2, True)


def test_following_commit_by_commit_gives_the_same_as_reading_anew(table: LogTable, tmp_path: Path) -> None:
    follower = LogTable.open(tmp_path)
    for number in range(12):
        table.commit(
            [batch([f"{number}"], start_ns=START_NS + number * DAY_NS // 3, f=[number if number % 2 else "x"])]
        )
        if number == 9:
            compact(table, everything=True)
        ours, anew = follower.snapshot(), LogTable.open(tmp_path).snapshot()
        assert ours.version == anew.version
        assert ours.columns == anew.columns
        shared = [name for name in ours.files.columns if name in anew.files.columns]
        left = [name for name in anew.files.columns if name not in shared]
        assert all(anew.files[name].null_count() == anew.files.height for name in left)
        assert ours.files.select(shared).sort("path").equals(anew.files.select(shared).sort("path"))


def test_a_reader_that_slept_while_the_log_was_cut_wakes_up(table: LogTable, tmp_path: Path) -> None:
    table.commit([batch(["first"])])
    sleeper = LogTable.open(tmp_path)
    asleep = sleeper.snapshot()
    for number in range(60):
        table.commit([batch([f"{number:02}"])])
    assert vacuum(table, now_ns=2 * START_NS).log_files > 50
    awake = sleeper.snapshot()
    assert awake.version == table.snapshot().version
    assert len(lines(sleeper)) == 61
    assert awake.added_since(asleep.version).frame.height == 1  # the other commits are gone, and only they said so
    table.commit([batch(["newest"])])
    assert sleeper.snapshot().added_since(awake.version).frame.height == 1


def test_added_since_is_oldest_first_and_knows_later_removed_files(table: LogTable) -> None:
    table.commit([batch(["zero"])])
    version = table.snapshot().version
    for text in ("one", "two", "three"):
        table.commit([batch([text])])
    compact(table, everything=True)
    added = table.snapshot().added_since(version)
    texts = [pl.read_parquet(path, hive_partitioning=False)["_line"].item() for path in added.frame["path"]]
    assert texts == ["one", "two", "three"]
    assert added.skipped == 0


def test_streams_are_counted_per_file(table: LogTable, tmp_path: Path) -> None:
    table.commit([batch(["one", "four"]), batch(["é"], stream='{app="b"}', start_ns=START_NS + 5)])
    table.commit([batch(["five!"], start_ns=START_NS + 9)])
    want = [
        ('{app="a"}', 1, 5, START_NS + 9, START_NS + 9),
        ('{app="a"}', 2, 7, START_NS, START_NS + 10**6),
        ('{app="b"}', 1, 2, START_NS + 5, START_NS + 5),
    ]
    for reader in (table, LogTable.open(tmp_path)):  # from the commit, and from the footers
        segments = reader.snapshot().segments(*EVER)
        got = segments.streams()
        assert got.drop("path").sort("_stream", "rows").rows() == want
        assert set(got["path"]) == set(segments.frame["path"])
        first = segments.frame["path"][0]
        only = segments.only([first])
        assert only.frame["path"].to_list() == [first]
        assert only.skipped == 1
        assert set(only.streams()["path"]) == {first}


def test_streams_of_a_file_without_our_footer_are_read_from_its_rows(tmp_path: Path) -> None:
    file = tmp_path / "foreign.parquet"
    frame = batch(["one", "two"]).frame
    frame.write_parquet(file)
    assert scan.read_streams(str(file)).equals(segment.streams(frame))


def test_the_cache_forgets_the_least_recently_used(table: LogTable, monkeypatch: pytest.MonkeyPatch) -> None:
    table.commit([batch(["one"]), batch(["two"], start_ns=START_NS + DAY_NS)])
    table.commit([batch(["three"], stream="{}")])
    a, b, c = sorted(table.snapshot().files["path"])
    reads: list[str] = []
    real = scan.read_streams
    monkeypatch.setattr(scan, "read_streams", lambda path, place: reads.append(path) or real(path, place))
    cache = scan.StreamCache(rows=2)
    for path in (a, b, a, c, a, b):
        cache.get(path)
    assert reads == [a, b, c, b]


def test_other_engines_find_times_in_the_statistics(tmp_path: Path) -> None:
    """Delta cuts times to milliseconds, so the bounds are rounded away from the rows."""
    table = LogTable.open(tmp_path, create=True)
    times = [1_700_000_000_123_456_789, 1_700_000_009_123_000_001]
    frame = pl.DataFrame({"_time_ns": times, "_observed_ns": times, "_stream": ["{}"] * 2, "_line": ["a", "b"]})
    table.commit([Batch(frame, "s", 2, 4)])
    adds = pl.DataFrame(DeltaTable(tmp_path / "logs").get_add_actions(flatten=True))
    milliseconds = adds.select(pl.col("min._time", "max._time").dt.epoch("ms")).row(0)
    assert milliseconds == (1_700_000_000_123, 1_700_000_009_124)


def test_files_that_left_the_table_are_found_while_they_are_on_the_disk(table: LogTable) -> None:
    table.commit([batch(["one", "four"])])
    table.commit([batch(["five"], start_ns=START_NS + 7)])
    old = table.snapshot().files["path"].to_list()
    compact(table, everything=True)
    departed = table.snapshot().departed([*old, "/nowhere.parquet"])
    assert dict(departed.frame.schema) == state.FILES_SCHEMA
    found = departed.frame.select("rows", "min_time_ns", "max_time_ns").rows()
    assert sorted(found) == [(1, START_NS + 7, START_NS + 7), (2, START_NS, START_NS + 10**6)]
    vacuum(table, now_ns=2**62, grace_s=0)
    assert table.snapshot().departed(old).frame.is_empty()


def test_a_commit_says_why_rows_went(table: LogTable) -> None:
    table.commit([batch(["one"])])
    table.commit([batch(["two"], start_ns=START_NS + DAY_NS)])
    delete(table, streams=['{app="a"}'], start_ns=START_NS, end_ns=START_NS + 5, dry_run=False)
    deleted = log.read(table.root, table.snapshot().version)
    assert (deleted.why, len(deleted.gone)) == (f"delete:{START_NS}:{START_NS + 5}", 1)
    retain(table, now_ns=START_NS + 400 * DAY_NS, free_bytes=2**40)
    retired = log.read(table.root, table.snapshot().version)
    assert (retired.why, len(retired.gone)) == ("retention", 1)
    table.commit([batch(["three"])])
    added = log.read(table.root, table.snapshot().version)
    assert (added.why, added.gone) == ("", frozenset())
