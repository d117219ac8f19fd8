"""Skip indexes: made at compaction, small, gone with their segments, checked by `verify`, and never wrong."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from store.rows import START_NS, batch
from tailrace import limits
from tailrace.contracts import Needle
from tailrace.store import skip
from tailrace.store.compact import compact
from tailrace.store.info import info
from tailrace.store.needles import Index, SkipIndexes
from tailrace.store.table import LogTable
from tailrace.store.vacuum import vacuum
from tailrace.store.verify import verify

BLOCK = 16
LINE = ("_line",)


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "ROW_GROUP_ROWS", BLOCK)
    monkeypatch.setattr(limits, "SKIP_ROWS", BLOCK)
    monkeypatch.setattr(limits, "SKIP_SHARE", 10.0)


@pytest.fixture
def table(tmp_path: Path) -> LogTable:
    """Four blocks: `id` differs in every row, `group` by block, `word` stands in one row only."""
    table = LogTable.open(tmp_path, create=True)
    for half in range(2):
        numbers = range(half * 2 * BLOCK, (half + 1) * 2 * BLOCK)
        lines = [f"request {n:08} took long" + (" deadlocked" if n == 40 else "") for n in numbers]
        fields = {"id": [f"id-{n}" for n in numbers], "group": [n // BLOCK for n in numbers]}
        table.commit([batch(lines, start_ns=START_NS + half * 2 * BLOCK * 1_000_000, **fields)])
    report = compact(table, everything=True)
    assert (report.files_after, report.indexed) == (1, 1)
    return table


def _places(table: LogTable, *needles: Needle) -> object:
    segments = table.snapshot().segments(0, 2**62).holding(needles)
    return dict(zip(segments.frame["path"], map(segments.parts.get, segments.frame["path"]), strict=True)).values()


def _blocks(table: LogTable, *needles: Needle) -> list[int] | None:
    """Return the blocks that are read, None for all without a question."""
    for places in _places(table, *needles):
        if places is None:
            return None
        return [row // BLOCK for start, rows in places for row in range(start, start + rows, BLOCK)]
    return []


@pytest.mark.parametrize(
    ("columns", "texts", "blocks"),
    [
        (("id",), ("id-20",), [1]),
        (("id",), ("id-20", "id-63"), [1, 3]),
        (("group",), ("2",), [2]),
        (("group",), ("02",), []),
        (("absent",), ("x",), []),
        (("absent", "id"), ("id-5",), [0]),
        (LINE, ("deadlocked",), [2]),
        (LINE, ("adlock",), [2]),
        (LINE, (" 00000050 ",), [3]),
        (LINE, ("livelock",), []),
        (LINE, ("took",), None),
        (LINE, ("00000",), None),
        (LINE, ("x",), None),
    ],
)
def test_where_a_needle_may_be(table: LogTable, columns, texts, blocks) -> None:
    assert _blocks(table, Needle(columns, texts)) == blocks


def test_all_needles_must_be_in_one_block(table: LogTable) -> None:
    assert _blocks(table, Needle(("id",), ("id-40",)), Needle(LINE, ("deadlocked",))) == [2]
    assert _blocks(table, Needle(("id",), ("id-20",)), Needle(LINE, ("deadlocked",))) == []


def test_neighbouring_blocks_are_one_place(table: LogTable) -> None:
    [places] = _places(table, Needle(("group",), ("0", "1")))
    assert places == [(0, 2 * BLOCK)]


def test_a_segment_without_an_index_is_read(table: LogTable) -> None:
    path = Path(table.snapshot().files["path"].item())
    skip.index_file(path).unlink()
    assert _blocks(table, Needle(("id",), ("nowhere",))) is None
    assert compact(table, everything=True).indexed == 1
    assert _blocks(table, Needle(("id",), ("nowhere",))) == []


@pytest.mark.parametrize("damage", [b"", b"short", skip.MAGIC, skip.MAGIC + b"{}" + b"\xff\xff\0\0" + skip.MAGIC])
def test_a_damaged_index_is_no_index(table: LogTable, damage: bytes) -> None:
    file = skip.index_file(Path(table.snapshot().files["path"].item()))
    file.write_bytes(damage)
    assert Index.open(file) is None
    assert _blocks(table, Needle(("id",), ("nowhere",))) is None


def test_a_field_whose_values_are_everywhere_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(skip, "_FEW", 4)
    table = LogTable.open(tmp_path, create=True)
    numbers = range(4 * BLOCK)
    for half in (numbers[: 2 * BLOCK], numbers[2 * BLOCK :]):
        fields = {"user": [f"u{n % BLOCK}" for n in half], "id": [f"i{n}" for n in half]}
        table.commit([batch(["x"] * len(half), start_ns=START_NS + half[0] * 1_000_000, **fields)])
    compact(table, everything=True)
    index = SkipIndexes().get(table.snapshot().files["path"].item())
    assert index is not None
    assert list(index.header["columns"]) == ["id"]


def test_what_would_be_too_large_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "SKIP_SHARE", 0.0)
    table = LogTable.open(tmp_path, create=True)
    for start in (0, 1):
        fields = {"id": [f"i{n}" for n in range(4 * BLOCK)]}
        table.commit([batch(["deadlock"] * 4 * BLOCK, start_ns=START_NS + start, **fields)])
    compact(table, everything=True)
    assert _blocks(table, Needle(("id",), ("nowhere",)), Needle(LINE, ("livelock",))) is None


def test_small_segments_get_none(tmp_path: Path) -> None:
    table = LogTable.open(tmp_path, create=True)
    for start in (0, 1):
        table.commit([batch(["x"], start_ns=START_NS + start)])
    assert compact(table, everything=True).indexed == 0
    assert not (table.root / skip.FOLDER).exists()


def test_an_index_goes_with_its_segment(table: LogTable) -> None:
    file = skip.index_file(Path(table.snapshot().files["path"].item()))
    stray = file.with_name("f00d.skip.tmp")
    stray.write_bytes(b"cut")
    vacuum(table)
    assert (file.exists(), stray.exists()) == (True, False)
    table.commit([batch(["later"], start_ns=START_NS + 1)])
    compact(table, everything=True)
    vacuum(table, now_ns=2**62, grace_s=0)
    assert not file.exists()


def test_info_and_verify_know_indexes(table: LogTable) -> None:
    file = skip.index_file(Path(table.snapshot().files["path"].item()))
    about = info(table)
    assert (about.index_bytes, about.indexed_rows) == (file.stat().st_size, 4 * BLOCK)
    assert verify(table).faults == ()
    data = bytearray(file.read_bytes())
    data[20] ^= 1
    file.write_bytes(data)
    assert [fault.what for fault in verify(table).faults] == [
        f"its skip index {file.name} is not what its rows give; remove that file and compact"
    ]


def test_a_failing_disk_costs_the_index_only(table: LogTable, monkeypatch: pytest.MonkeyPatch) -> None:
    path = Path(table.snapshot().files["path"].item())
    skip.index_file(path).unlink()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(table.files, "save", full)
    assert compact(table, everything=True).indexed == 0
    assert verify(table).faults == ()


def test_other_readers_see_the_table_as_before(table: LogTable) -> None:
    rows = pl.scan_delta(str(table.root)).select(pl.len()).collect().item()
    assert rows == 4 * BLOCK
