"""Each kind of damage is found and named; a sound table has none."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from store.rows import START_NS, batch
from tailrace.store import log
from tailrace.store.table import LogTable
from tailrace.store.verify import verify


@pytest.fixture
def table(tmp_path: Path) -> LogTable:
    table = LogTable.open(tmp_path, create=True)
    long = ["x" * 100, "y" * 99 + "\U0001f600", "\U0010ffff" * 70]
    table.commit([batch(["1", "2", "3"], text=long, code=[-(2**62), 0, 2**62], real=[float("inf"), -0.0, 1e300])])
    table.commit([batch(["4"], stream='{app="' + "é" * 600 + '"}', flag=[True], real=[float("nan")])])
    return table


def _what(table: LogTable) -> list[str]:
    return [fault.what for fault in verify(LogTable.open(table.root.parent)).faults]


def _file(table: LogTable, rows: int = 3) -> Path:
    return Path(table.snapshot().files.filter(pl.col("rows") == rows)["path"].item())


def _restate(table: LogTable, **changes: object) -> None:
    """Change the statistics of the three-row file in the log."""
    for version in log.versions(table.root):
        file = log.commit_file(table.root, version)
        actions = [json.loads(line) for line in file.read_text().splitlines()]
        for action in actions:
            stats = json.loads(action.get("add", {}).get("stats", "{}"))
            if stats.get("numRecords") == 3:
                for path, value in changes.items():
                    kind, _, name = path.partition("__")
                    if name:
                        stats[kind][name] = value
                    else:
                        stats[kind] = value
                action["add"]["stats"] = json.dumps(stats, ensure_ascii=False)
        file.write_text("\n".join(json.dumps(action, ensure_ascii=False) for action in actions) + "\n")


def test_a_sound_table_has_no_fault(table: LogTable) -> None:
    report = verify(table)
    assert report.faults == ()
    assert (report.files, report.rows, report.commits) == (2, 4, table.snapshot().version + 1)


def test_a_missing_file(table: LogTable) -> None:
    _file(table).unlink()
    assert _what(table) == ["is missing"]


def test_a_cut_file(table: LogTable) -> None:
    file = _file(table)
    size = file.stat().st_size
    file.write_bytes(file.read_bytes()[:-5])
    size_fault, read_fault = _what(table)
    assert size_fault == f"has {size - 5} bytes, the log says {size}"
    assert read_fault.startswith("cannot be read: ")


def test_a_file_with_damaged_rows(table: LogTable) -> None:
    file = _file(table)
    data = bytearray(file.read_bytes())
    data[4:400] = b"\xaa" * 396
    file.write_bytes(data)
    assert any(what.startswith("cannot be read: ") for what in _what(table))


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"minValues__code": 1}, f"the minimum of code is {-(2**62)}, the log says 1"),
        ({"maxValues___line": "1"}, "the maximum of _line"),
        ({"maxValues__code": 1}, f"the maximum of code is {2**62}, the log says 1"),
        ({"nullCount__code": 1}, "code is null in 0 rows, the log says 1"),
    ],
)
def test_statistics_that_do_not_hold(table: LogTable, change: dict, what: str) -> None:
    _restate(table, **change)
    found = _what(table)
    if "_line" in what:
        assert found == [], "`_line` has no bounds to compare"
    else:
        assert found == [what]


def test_rows_of_another_file(table: LogTable) -> None:
    file = _file(table)
    other = LogTable.open(file.parent / "other", create=True)
    other.commit([batch(["a", "b"], start_ns=START_NS + 86_400 * 10**9)])
    file.write_bytes(_file(other, 2).read_bytes())
    found = _what(table)
    assert any(what.endswith("rows, the log says 3") for what in found)
    assert "2 rows are not of 2023-11-14" in found


def test_a_commit_that_is_missing_and_one_that_is_torn(table: LogTable) -> None:
    newest = log.versions(table.root)[-1]
    snapshot = table.snapshot()
    log.commit_file(table.root, newest - 1).unlink()
    assert [fault.what for fault in verify(table).faults] == [f"commits {newest - 1} to {newest - 1} are missing"]
    log.commit_file(table.root, newest).write_bytes(b"")
    assert "this commit is not whole" in verify(table).faults[0].what
    assert snapshot.version == newest
