"""The report on the table, and the footers that it reads."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from store.rows import DAY_NS, START_NS, batch
from tailrace.store import footer
from tailrace.store.info import DateInfo, info
from tailrace.store.table import LogTable


def test_a_table_of_two_dates(tmp_path: Path) -> None:
    table = LogTable.open(tmp_path, create=True)
    table.commit(
        [batch(["1", "2"], "a", 3, status=[200, 404]), batch(["3"], "b", 1, stream="{}", start_ns=START_NS + DAY_NS)]
    )
    report = info(table)
    size = {path: Path(path).stat().st_size for path in table.snapshot().files.sort("date")["path"]}
    first, second = size.values()
    assert (report.files, report.rows, report.bytes, report.streams) == (2, 3, first + second, 2)
    assert (report.min_time_ns, report.max_time_ns) == (START_NS, START_NS + DAY_NS)
    assert [(str(day.date), day.files, day.rows, day.bytes) for day in report.dates] == [
        ("2023-11-14", 1, 2, first),
        ("2023-11-15", 1, 1, second),
    ]
    assert isinstance(report.dates[0], DateInfo)
    assert report.positions == {"a": 3, "b": 1}
    columns = {column.name: column for column in report.columns}
    assert columns["status"].type == "Int64"
    assert columns["status"].bytes > 0
    assert columns["_error"].bytes == 0
    assert sum(column.bytes for column in report.columns) < report.bytes
    assert report.log_bytes > 0


def test_an_empty_table(tmp_path: Path) -> None:
    report = info(LogTable.open(tmp_path, create=True))
    assert (report.files, report.rows, report.min_time_ns, report.dates, report.positions) == (0, 0, None, (), {})


def test_the_footer_knows_rows_and_columns(tmp_path: Path) -> None:
    file = tmp_path / "f.parquet"
    frame = pl.DataFrame({"n": range(1_000), "s": ["x"] * 1_000, **{f"c{i}": [i] * 1_000 for i in range(40)}})
    frame.write_parquet(file, compression="uncompressed", row_group_size=100)
    assert footer.rows(file) == 1_000
    columns = footer.columns(file)
    assert list(columns) == frame.columns
    assert all(size.compressed_bytes == size.uncompressed_bytes for size in columns.values())
    assert columns["n"].compressed_bytes >= 1_000 * 4
    assert columns["s"].compressed_bytes < columns["n"].compressed_bytes
    data_bytes = sum(size.compressed_bytes for size in columns.values())
    assert data_bytes < file.stat().st_size < data_bytes + 100_000


@pytest.mark.parametrize("data", [b"", b"PAR1", b"PAR1" + b"\0" * 100, b"\xff\xff\xff\x7fPAR1" * 3])
def test_what_is_not_parquet_is_refused(data: bytes, tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_bytes(data)
    with pytest.raises(ValueError, match="Parquet"):
        footer.rows(file)
