"""A table without a store: frames written to temporary Parquet files, split at random.

It fulfils `contracts.Table` in the plainest way, so that query cases test the query and nothing else. Every
`add` is one commit; a commit may be split over several files, and columns that are null in a whole file are
left out of it, as in a table whose schema grew.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from tailrace.batch import ENVELOPE, complete, is_field
from tailrace.contracts import Opened

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tailrace.contracts import Bound, Needle


@dataclass
class File:
    version: int
    path: Path
    frame: pl.DataFrame

    def may_hold(self, bound: Bound) -> bool:
        if bound.column not in self.frame.columns:
            return False
        low, high = self.frame[bound.column].min(), self.frame[bound.column].max()
        if low is None:
            return False
        return {
            "==": low <= bound.value <= high,
            "<": low < bound.value,
            "<=": low <= bound.value,
            ">": high > bound.value,
            ">=": high >= bound.value,
        }[bound.op]


@dataclass
class ReferenceSegments:
    files: list[File]
    skipped: int = 0
    reads: list[str] = field(default_factory=list)

    @property
    def frame(self) -> pl.DataFrame:
        schema = {
            "path": pl.String,
            "rows": pl.Int64,
            "bytes": pl.Int64,
            "min_time_ns": pl.Int64,
            "max_time_ns": pl.Int64,
        }
        schema |= {"min_stream": pl.String, "max_stream": pl.String, "date": pl.Date}
        rows = [
            {
                "path": str(file.path),
                "rows": file.frame.height,
                "bytes": file.path.stat().st_size,
                "min_time_ns": file.frame["_time_ns"].min(),
                "max_time_ns": file.frame["_time_ns"].max(),
                "min_stream": file.frame["_stream"].min(),
                "max_stream": file.frame["_stream"].max(),
                "date": file.frame["_date"].min(),
            }
            for file in self.files
        ]
        return pl.DataFrame(rows, schema=schema)

    def opened(self, paths: Sequence[str] | None = None) -> Opened:
        return Opened([str(file.path) for file in self.files] if paths is None else list(paths), [])

    def urls(self) -> list[str]:
        return [str(file.path) for file in self.files]

    def streams(self) -> pl.DataFrame:
        schema = {"path": pl.String, "_stream": pl.String, "rows": pl.Int64, "line_bytes": pl.Int64}
        schema |= {"min_time_ns": pl.Int64, "max_time_ns": pl.Int64}
        frames = [
            file.frame.group_by("_stream").agg(
                path=pl.lit(str(file.path)),
                rows=pl.len().cast(pl.Int64),
                line_bytes=pl.col("_line").str.len_bytes().sum().cast(pl.Int64),
                min_time_ns=pl.col("_time_ns").min(),
                max_time_ns=pl.col("_time_ns").max(),
            )
            for file in self.files
        ]
        return pl.concat([pl.DataFrame(schema=schema), *(frame.select(*schema) for frame in frames)])

    @property
    def parts(self) -> Mapping[str, Sequence[tuple[int, int]]]:
        return {}

    def holding(self, needles: Sequence[Needle]) -> ReferenceSegments:
        return self

    def only(self, paths: Sequence[str]) -> ReferenceSegments:
        return ReferenceSegments([file for file in self.files if str(file.path) in set(paths)])


@dataclass
class ReferenceSnapshot:
    version: int
    columns: Mapping[str, pl.DataType]
    files: list[File]
    fields: Mapping[str, Sequence[str]]

    def variants(self, field: str) -> Sequence[str]:
        return self.fields.get(field, ())

    def segments(self, start_ns: int, end_ns: int, bounds: Sequence[Bound] = ()) -> ReferenceSegments:
        kept = [
            file
            for file in self.files
            if file.frame["_time_ns"].max() >= start_ns
            and file.frame["_time_ns"].min() < end_ns
            and all(file.may_hold(bound) for bound in bounds)
        ]
        return ReferenceSegments(kept, len(self.files) - len(kept))

    def added_since(self, version: int) -> ReferenceSegments:
        return ReferenceSegments([file for file in self.files if file.version > version])


class ReferenceTable:
    """A growing table in a folder; `splits` files per commit, cut at random places."""

    def __init__(self, folder: Path, *, splits: int = 1, seed: int = 0) -> None:
        self._folder = folder
        self._splits = splits
        self._random = random.Random(seed)
        self._files: list[File] = []
        self._columns: dict[str, pl.DataType] = dict(ENVELOPE)
        self._version = 0

    def add(self, frame: pl.DataFrame) -> None:
        self._version += 1
        whole = complete(frame)
        self._columns |= {name: dtype for name, dtype in whole.schema.items() if is_field(name)}
        for number, piece in enumerate(self._pieces(whole)):
            path = self._folder / f"{self._version:04}-{number}.parquet"
            lacks = [name for name in piece.columns if piece[name].null_count() == piece.height]
            piece.drop("_date", *lacks, strict=False).write_parquet(path)
            self._files.append(File(self._version, path, piece))

    def snapshot(self) -> ReferenceSnapshot:
        fields: dict[str, list[str]] = {}
        for column in sorted(self._columns, key=lambda name: ("__" in name[2:], name)):
            if is_field(column):
                fields.setdefault(_field_of(column, self._columns), []).append(column)
        return ReferenceSnapshot(self._version, dict(self._columns), list(self._files), fields)

    def _pieces(self, frame: pl.DataFrame) -> list[pl.DataFrame]:
        numbers = pl.Series([self._random.randrange(self._splits) for _ in range(frame.height)], dtype=pl.Int64)
        return [piece for n in range(self._splits) if (piece := frame.filter(numbers == n)).height]


def _field_of(column: str, columns: Mapping[str, pl.DataType]) -> str:
    name = column[1:] if column.startswith("__") else column
    base, _, suffix = name.rpartition("__")
    return base if suffix in {"string", "int", "float", "bool"} and base in columns else name
