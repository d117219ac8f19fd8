"""Clean-up and the background rounds."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from store.rows import START_NS, batch, lines, unnamed
from tailrace.clock import NS_PER_S, ManualClock
from tailrace.errors import TransientError
from tailrace.store import log, maintain
from tailrace.store.compact import compact
from tailrace.store.maintain import Maintenance
from tailrace.store.settings import RetentionSettings, StoreSettings
from tailrace.store.table import LogTable
from tailrace.store.vacuum import CHECKPOINT_COMMITS, vacuum
from tailrace.telemetry import Accounts

if TYPE_CHECKING:
    from pathlib import Path

LATER_NS = 2 * START_NS


@pytest.fixture
def table(tmp_path: Path) -> LogTable:
    return LogTable.open(tmp_path, create=True)


def _value(accounts: Accounts, name: str) -> float:
    text = accounts.render()[0].decode()
    (line,) = [line for line in text.splitlines() if line.split("{")[0].split(" ")[0] == name]
    return float(line.rsplit(" ", 1)[1])


def test_an_orphan_goes_after_its_grace_and_a_young_one_stays(table: LogTable) -> None:
    table.commit([batch(["one"])])
    (named,) = table.snapshot().files["path"]
    folder = table.root / "_date=2023-11-14"
    for name, age_s in (("old", 700), ("young", 500)):
        file = folder / f"{name}.parquet"
        file.write_bytes(b"x" * 10)
        os.utime(file, ns=(LATER_NS - age_s * NS_PER_S, LATER_NS - age_s * NS_PER_S))
    report = vacuum(table, now_ns=LATER_NS)
    assert (report.files, report.bytes) == (1, 10)
    assert {path.name for path in unnamed(table)} == {"young.parquet"}
    assert table.snapshot().files["path"].to_list() == [named]
    assert len(lines(table)) == 1


def test_a_file_that_is_being_committed_is_safe_even_without_a_grace(table: LogTable) -> None:
    table.commit([batch(["one"])])
    file = table.root / "_date=2023-11-14" / "new.parquet"
    file.write_bytes(b"x")
    os.utime(file, ns=(LATER_NS - 60 * NS_PER_S, LATER_NS - 60 * NS_PER_S))
    assert vacuum(table, now_ns=LATER_NS, grace_s=0).files == 0
    assert vacuum(table, now_ns=LATER_NS + 300 * NS_PER_S, grace_s=0).files == 1


def test_the_grace_of_a_removed_file_counts_from_its_removal(table: LogTable) -> None:
    for number in range(3):
        table.commit([batch([str(number)])])
    for path in table.snapshot().files["path"]:
        os.utime(path, ns=(0, 0))  # written long ago
    compact(table, everything=True)
    assert vacuum(table).files == 0
    removed = log.read(table.root, table.snapshot().version).removes
    removed_ns = max(removed.values()) * 1_000_000
    assert vacuum(table, now_ns=removed_ns + 599 * NS_PER_S).files == 0
    assert vacuum(table, now_ns=removed_ns + 601 * NS_PER_S).files == 3


def test_the_log_stays_short(table: LogTable, tmp_path: Path) -> None:
    for number in range(CHECKPOINT_COMMITS * 2 + 5):
        table.commit([batch([f"{number:03}"], f"agent {number % 3}", number)])
        if number % 20 == 0:
            vacuum(table, now_ns=LATER_NS)
    assert len(log.versions(table.root)) < CHECKPOINT_COMMITS + 21
    assert len(log.checkpoints(table.root)) == 1
    again = LogTable.open(tmp_path)
    assert len(lines(again)) == CHECKPOINT_COMMITS * 2 + 5
    assert [again.last_number(f"agent {number}") for number in range(3)] == [102, 103, 104]
    assert log.transactions(again.root) == {"agent 0": 102, "agent 1": 103, "agent 2": 104}


def test_what_a_dead_writer_left_in_the_log_goes(table: LogTable) -> None:
    left = table.root / log.LOG / "00000000000000000009.json#1"
    left.write_bytes(b"{")
    vacuum(table, now_ns=0)
    assert left.exists()
    vacuum(table, now_ns=LATER_NS)
    assert not left.exists()


def test_a_round_does_what_is_due_and_counts_it(table: LogTable) -> None:
    accounts = Accounts()
    clock = ManualClock(START_NS + 86_400 * NS_PER_S)
    settings = StoreSettings(retention=RetentionSettings(disk_share=None))
    for number in range(8):
        table.commit([batch([str(number)])])
    upkeep = Maintenance(table, settings, clock, accounts)
    upkeep.round()
    assert table.snapshot().files.height == 1
    assert _value(accounts, "tailrace_store_compacted_files_total") == 8
    assert (_value(accounts, "tailrace_store_files"), _value(accounts, "tailrace_store_rows")) == (1, 8)
    assert _value(accounts, "tailrace_store_torn_commits") == 0
    clock.advance(31 * 86_400)
    upkeep.round()
    assert lines(table) == []
    assert _value(accounts, "tailrace_store_retained_rows_total") == 8


def test_compaction_can_be_switched_off(tmp_path: Path) -> None:
    settings = StoreSettings(compaction=False, retention=RetentionSettings(days=None))
    table = LogTable.open(tmp_path, create=True, settings=settings)
    for number in range(8):
        table.commit([batch([str(number)])])
    Maintenance(table, settings, ManualClock(LATER_NS), Accounts()).round()
    assert table.snapshot().files.height == 8


def test_a_part_that_fails_is_counted_and_the_others_run(table: LogTable, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(8):
        table.commit([batch([str(number)])])

    def full(*_: object, **__: object) -> None:
        raise TransientError("the disk is full")

    monkeypatch.setattr(maintain, "retain", full)
    accounts = Accounts()
    Maintenance(table, StoreSettings(), ManualClock(START_NS), accounts).round()
    assert table.snapshot().files.height == 1
    assert _value(accounts, "tailrace_store_failures_total") == 1


def test_the_thread_starts_and_stops(table: LogTable) -> None:
    clock = ManualClock(START_NS)
    upkeep = Maintenance(table, StoreSettings(), clock, Accounts())
    upkeep.start()
    upkeep.stop()
    upkeep.stop()
