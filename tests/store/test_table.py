"""Opening, creating and refusing a table."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import polars as pl
import pytest
from deltalake import DeltaTable

from store.rows import batch, lines
from tailrace.errors import TableError
from tailrace.store import log
from tailrace.store.compact import compact
from tailrace.store.info import info
from tailrace.store.table import FORMAT_KEY, LogTable
from tailrace.store.verify import verify

if TYPE_CHECKING:
    from pathlib import Path


def test_a_folder_without_a_table_is_refused_and_left_alone(tmp_path: Path) -> None:
    with pytest.raises(
        TableError, match=r"logs: there is no table here; `tailrace up` or `tailrace collect` creates one"
    ):
        LogTable.open(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_creating_twice_keeps_what_is_there(tmp_path: Path) -> None:
    table = LogTable.open(tmp_path, create=True)
    table.commit([batch(["one"])])
    assert lines(LogTable.open(tmp_path, create=True)) == ["one"]


def test_other_programs_can_read_the_table(tmp_path: Path) -> None:
    table = LogTable.open(tmp_path, create=True)
    table.commit([batch(["one", "two"], status=[200, 404]), batch(["three"], status=["x"])])
    got = pl.scan_delta(str(tmp_path / "logs")).select("_line", "status", "status__string", "_date").collect()
    assert got.sort("_line").select("_line", "status", "status__string").rows() == [
        ("one", 200, None),
        ("three", None, "x"),
        ("two", 404, None),
    ]
    assert DeltaTable(str(tmp_path / "logs")).metadata().name == "logs"


def test_a_table_of_a_newer_format_is_refused(tmp_path: Path) -> None:
    table = LogTable.open(tmp_path, create=True)
    DeltaTable(str(table.root)).alter.set_table_properties({FORMAT_KEY: "2"}, raise_if_not_exists=False)
    for create in (False, True):
        with pytest.raises(TableError, match="the table has format 2, this program knows 1; use a newer tailrace"):
            LogTable.open(tmp_path, create=create)


def test_a_table_of_a_newer_protocol_is_refused(tmp_path: Path) -> None:
    table = LogTable.open(tmp_path, create=True)
    protocol = {"protocol": {"minReaderVersion": 99, "minWriterVersion": 99}}
    log.commit_file(table.root, 1).write_text(json.dumps(protocol) + "\n")
    with pytest.raises(TableError, match=r"logs: the table needs a newer program than this one"):
        LogTable.open(tmp_path)


def test_damage_in_the_middle_of_the_log_is_an_error_that_says_where(tmp_path: Path) -> None:
    table = LogTable.open(tmp_path, create=True)
    for number in range(3):
        table.commit([batch([str(number)])])
    log.commit_file(table.root, 2).write_bytes(b"garbage")
    with pytest.raises(TableError, match=r"logs: opening the table failed"):
        LogTable.open(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(TableError, match=r"creating the table is not permitted.*write permission"):
            LogTable.open(tmp_path / "data", create=True)
    finally:
        tmp_path.chmod(0o700)


def test_a_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("mine")
    with pytest.raises(TableError):
        LogTable.open(tmp_path)
    with pytest.raises(TableError):
        LogTable.open(tmp_path, create=True)
    assert (tmp_path / "logs").read_text() == "mine"


def test_a_path_with_odd_characters(tmp_path: Path) -> None:
    data = tmp_path / "a b ü#?[x]*%"
    table = LogTable.open(data, create=True)
    for number in range(3):
        table.commit([batch([str(number)])])
    compact(table, everything=True)
    assert lines(LogTable.open(data)) == ["0", "1", "2"]
    assert verify(table).faults == ()
    assert info(table).rows == 3


def test_a_path_that_the_library_misreads_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="must not contain `%`"):
        LogTable.open(tmp_path / "a%20b", create=True)
    assert list(tmp_path.iterdir()) == []


def test_positions_are_per_agent_and_survive_opening(tmp_path: Path) -> None:
    table = LogTable.open(tmp_path, create=True)
    table.commit([batch(["one"], "a", 7)])
    again = LogTable.open(tmp_path)
    assert (again.last_number("a"), again.last_number("b")) == (7, None)
