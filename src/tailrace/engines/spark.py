"""Run scans on a cluster that speaks Spark Connect: Apache Spark, Databricks, or Sail.

In: the segments of a snapshot, by the names that every machine knows them by, and the columns that a query needs. Out:
a lazy frame of the cluster, and Polars frames of what comes back. The same Narwhals expressions as elsewhere give the
same rows; `tests/conformance` holds all query cases against it.

Refuses, where other engines would answer less than there is: a file that the cluster does not find. Sail reads it as
an empty one. So the rows of the files that a scan read are counted once it is through, from their footers, and compared
with what the table says of them. Scans that the cluster would read otherwise run here: those of no file, and those with
a regex of which Java has a different opinion.
"""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast
from urllib.parse import quote
from weakref import WeakKeyDictionary

import narwhals as nw
import polars as pl

from tailrace.contracts import Choice
from tailrace.engines.connection import Connection, first
from tailrace.engines.polars import BATCH_ROWS, PolarsEngine
from tailrace.errors import QueryError
from tailrace.limits import GIB

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import pyarrow as pa
    from pyspark.sql.connect.dataframe import DataFrame
    from pyspark.sql.types import DataType, StructType

    from tailrace.contracts import Frame, Segments, Work

SCAN_BYTES: Final = 16 * 1024 * GIB
"""A scan is not cut for the clock's sake, which is looked at while it runs; its list of files has to fit a message."""

_PATTERNS: Final = re.compile(r"([*?\[{])")
_FOREIGN: Final = "its regexes mean something else to the cluster, which reads those of Java"


def _nobody() -> None:
    """Let a scan go on: nobody looks at the clock."""


class SparkEngine:
    """The engine of a cluster."""

    name = "spark"
    scan_bytes = SCAN_BYTES

    def __init__(self, connection: Connection, check: Callable[[], None] = _nobody) -> None:
        self._connection, self._check = connection, check
        self._here = PolarsEngine()
        self._read: WeakKeyDictionary[object, _Read] = WeakKeyDictionary()
        self._lock = threading.Lock()
        self.warnings: list[str] = []

    @property
    def where(self) -> str:
        """The address of the cluster, as it may be shown."""
        return self._connection.shown

    def within(self, check: Callable[[], None]) -> SparkEngine:
        """Return the engine for one query, on the same connection."""
        return SparkEngine(self._connection, check)

    def suited(self, work: Work) -> Choice:
        """Return the engine, or that of this machine for a scan that the cluster would read otherwise."""
        java = self._connection.reads_java()
        if work.portable or not java:
            return Choice(self, f"{self.where}, as it was asked for")
        self._warn(f"a scan ran here: {_FOREIGN}")
        return Choice(self._here, f"polars, in this process: {_FOREIGN}")

    def scan(self, segments: Segments, columns: Mapping[str, pl.DataType]) -> Frame:
        """Return the rows of the segments, lazily, with exactly these columns."""
        if segments.frame.is_empty():
            return self._here.scan(segments, columns)
        paths = list(segments.urls())
        spark, java = self._connection.spark(), self._connection.reads_java()
        frame = spark.read.schema(_schema(tuple(columns.items()))).parquet(*(_plain(path, java=java) for path in paths))
        with self._lock:
            self._read[first(frame)] = _Read(paths, int(segments.frame["rows"].sum()))
        return nw.from_native(frame)

    def collect(self, frame: Frame) -> pl.DataFrame:
        """Run the expressions and return the result."""
        if frame.implementation.is_polars():
            return self._here.collect(frame)
        native = _native(frame)
        tables = list(self._connection.tables(native, self._check))
        self._complete(native)
        return _frame(tables or [self._connection.empty(native)])

    def batches(self, frame: Frame, *, ordered: bool = False) -> Iterator[pl.DataFrame]:
        """Run the expressions and return the result piece by piece, in bounded memory."""
        if frame.implementation.is_polars():
            yield from self._here.batches(frame, ordered=ordered)
            return
        native = _native(frame)
        held: list[pa.Table] = []
        for table in self._connection.tables(native, self._check):
            held.append(table)  # the server's pieces are small: of some thousand rows
            if sum(one.num_rows for one in held) >= BATCH_ROWS // 2:
                yield _frame(held)
                held = []
        self._complete(native)
        if held:
            yield _frame(held)

    def _complete(self, frame: DataFrame) -> None:
        """Refuse the result of a frame if its files are not all there, now that it is through: none comes back."""
        read = self._read[first(frame)]
        counted = self._connection.source(frame).groupBy().count()
        found = sum(int(table["count"][0].as_py()) for table in self._connection.tables(counted, self._check))
        if found == read.rows:
            return
        what = f"the cluster {self.where} found {found:,} of {read.rows:,} rows in {len(read.paths)} files"
        there = [path for path in read.paths if path.startswith("/") and Path(path).exists()]
        if len(there) < len(read.paths):
            raise FileNotFoundError(what)
        hint = f"let all its machines see {Path(read.paths[0]).parents[1]}, or keep the table in object storage"
        raise QueryError(what, hint=hint)

    def _warn(self, text: str) -> None:
        if text not in self.warnings:
            self.warnings.append(text)


@dataclass(frozen=True, slots=True)
class _Read:
    """The files that a frame begins with, and how many rows they have."""

    paths: Sequence[str]
    rows: int


def _plain(path: str, *, java: bool) -> str:
    """Return a path in which nothing is a pattern: clusters take `*`, `?`, `[` and `{` for one.

    >>> _plain("/data/a[1]/x.parquet", java=True), _plain("/data/a[1]/x.parquet", java=False)
    ('/data/a[[]1]/x.parquet', 'file:///data/a%5B1%5D/x.parquet')
    """
    if not path.startswith("/") or not _PATTERNS.search(path):
        return path
    return _PATTERNS.sub(r"[\1]", path) if java else "file://" + quote(path, safe="/=")


@lru_cache(maxsize=1024)
def _schema(columns: tuple[tuple[str, pl.DataType], ...]) -> StructType:
    """Return columns as the cluster names their types."""
    from pyspark.sql import types

    kinds: dict[pl.DataType, DataType] = {
        pl.String(): types.StringType(),
        pl.Int64(): types.LongType(),
        pl.Int32(): types.IntegerType(),
        pl.Float64(): types.DoubleType(),
        pl.Boolean(): types.BooleanType(),
        pl.Binary(): types.BinaryType(),
        pl.Date(): types.DateType(),
        pl.Datetime("us", "UTC"): types.TimestampType(),
    }
    return types.StructType([types.StructField(name, kinds[dtype]) for name, dtype in columns])


def _native(frame: Frame) -> DataFrame:
    """Return the native frame; only frames that came from this engine get here."""
    return cast("DataFrame", frame.to_native())


def _frame(tables: Sequence[pa.Table]) -> pl.DataFrame:
    import pyarrow as pa

    return cast("pl.DataFrame", pl.from_arrow(pa.concat_tables(tables)))  # of a table, not of an array
