"""What every engine must do, as `contracts.Engine` says."""

import narwhals as nw
import polars as pl
import pytest

from query.reference_table import ReferenceTable
from query.test_cases import frame
from sail import serving
from tailrace.contracts import Work
from tailrace.engines.choose import ChoosingEngine
from tailrace.engines.connection import Connection
from tailrace.engines.polars import PolarsEngine
from tailrace.engines.spark import SparkEngine

COLUMNS = {"_time_ns": pl.Int64(), "status": pl.Int64(), "user": pl.String()}


@pytest.fixture(scope="module")
def cluster():
    with serving() as url:
        yield SparkEngine(Connection(url))


@pytest.fixture(params=["polars", "spark", "auto: here", "auto: cluster"])
def engine(request):
    if request.param == "polars":
        return PolarsEngine()
    spark = request.getfixturevalue("cluster").within(lambda: None)
    if request.param == "spark":
        return spark
    auto = ChoosingEngine(spark, 0, 0)
    return auto if request.param == "auto: here" else Scanning(auto)


class Scanning:
    """Scans where a query would, and runs as a query does."""

    def __init__(self, engine):
        self.scan = engine.suited(Work(1, 1, reduced=True, portable=True)).engine.scan
        self.collect, self.batches = engine.collect, engine.batches


@pytest.fixture
def segments(tmp_path):
    table = ReferenceTable(tmp_path)
    table.add(frame([{"t": 1, "status": 200}, {"t": 2, "status": 500}]))
    table.add(frame([{"t": 3, "user": "ann"}]))
    return table.snapshot().segments(0, 2**62)


def test_exactly_the_columns_asked_for_null_where_a_file_lacks_one(engine, segments):
    found = engine.collect(engine.scan(segments, COLUMNS)).sort("_time_ns")
    assert found.schema == pl.Schema(COLUMNS)
    assert found.rows() == [(10**9, 200, None), (2 * 10**9, 500, None), (3 * 10**9, None, "ann")]


def test_a_column_that_no_file_has_keeps_the_rows(engine, segments):
    found = engine.collect(engine.scan(segments, {"none": pl.Float64()}))
    assert found["none"].to_list() == [None, None, None]


def test_a_condition_on_a_column_that_some_files_lack(engine, segments):
    scan = engine.scan(segments, COLUMNS)
    assert engine.collect(scan.filter(nw.col("status").is_null()).select(n=nw.len()))["n"].item() == 1
    assert engine.collect(scan.filter(nw.col("status") >= 500).select(n=nw.len()))["n"].item() == 1


def test_no_segments_are_an_empty_frame_with_the_columns(engine, segments):
    found = engine.collect(engine.scan(segments.only([]), COLUMNS))
    assert found.schema == pl.Schema(COLUMNS)
    assert found.is_empty()


def test_batches_hold_all_rows_and_none_is_empty(engine, segments):
    scan = engine.scan(segments, COLUMNS)
    found = list(engine.batches(scan))
    assert sorted(pl.concat(found)["_time_ns"]) == [10**9, 2 * 10**9, 3 * 10**9]
    assert list(engine.batches(scan.filter(nw.col("status") > 900))) == []


def test_a_vanished_segment_is_a_missing_file(engine, segments, tmp_path):
    scan = engine.scan(segments, COLUMNS)
    for path in tmp_path.glob("*.parquet"):
        path.unlink()
    with pytest.raises(FileNotFoundError):
        engine.collect(scan)
    with pytest.raises(FileNotFoundError):
        list(engine.batches(scan))


def test_parts_leave_out_other_rows_at_most(engine, tmp_path):
    table = ReferenceTable(tmp_path)
    table.add(frame([{"t": t, "status": t} for t in range(10)]))
    table.add(frame([{"t": 20, "status": 20}]))
    whole = table.snapshot().segments(0, 2**62)
    path = whole.frame.filter(pl.col("rows") == 10)["path"].item()
    parted = Parted(whole, {path: [(2, 3), (8, 5)]})
    found = engine.collect(engine.scan(parted, {"status": pl.Int64()}).filter(nw.col("status") > 2))
    assert set(found["status"]) >= {3, 4, 8, 9, 20}
    assert set(found["status"]) <= set(range(3, 10)) | {20}


def test_two_columns_whose_names_differ_by_case(engine, tmp_path):
    table = ReferenceTable(tmp_path)
    table.add(frame([{"t": 1, "Status": 1, "status": "x"}]))
    columns = {"Status": pl.Int64(), "status": pl.String()}
    found = engine.collect(engine.scan(table.snapshot().segments(0, 2**62), columns).filter(nw.col("status") == "x"))
    assert found.rows() == [(1, "x")]


def test_a_folder_with_a_strange_name(engine, tmp_path):
    folder = tmp_path / "a b [1] {x,y} *ü%20" / "_date=2026-01-01"
    folder.mkdir(parents=True)
    table = ReferenceTable(folder)
    table.add(frame([{"t": 1, "status": 200}]))
    found = engine.collect(engine.scan(table.snapshot().segments(0, 2**62), {"status": pl.Int64()}))
    assert found.rows() == [(200,)]


def test_expressions_that_queries_use_give_the_same_types(engine, segments):
    scan = engine.scan(segments, COLUMNS)
    found = engine.collect(scan.select(cell=(nw.col("_time_ns") + 1) // 10**9, five=nw.col("status") >= 500))
    assert found.schema == pl.Schema({"cell": pl.Int64(), "five": pl.Boolean()})
    assert sorted(found.rows(), key=str) == [(1, False), (2, True), (3, None)]


class Parted:
    """Segments of which only places are wanted."""

    def __init__(self, whole, parts):
        self.frame, self.parts = whole.frame, parts
        self.opened, self.urls = whole.opened, whole.urls
