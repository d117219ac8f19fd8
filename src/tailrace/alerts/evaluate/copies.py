"""Copies of held lines as a snapshot, so that one query answers for many askers.

Comes in: `Held` lines, and what each asker reads of them. Goes out: `Copies`, which are to `query` what a snapshot of
the table is, with a few rows per asker under the asker's name, and the engine that runs scans over them. A column that
was not read is an `UnreadError`: whoever needs it has more read, or asks the table.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Final, cast

import narwhals as nw
import polars as pl

from tailrace.contracts import Choice, Opened
from tailrace.limits import SCAN_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from tailrace.alerts.evaluate.held import Asked, Held
    from tailrace.contracts import Bound, Engine, Frame, Needle, Segments, Work

OWNER: Final = "__asker__"
"""The label that says whose copy of a line it is."""

_SEGMENT: Final = {
    "path": pl.String,
    "rows": pl.Int64,
    "bytes": pl.Int64,
    "min_time_ns": pl.Int64,
    "max_time_ns": pl.Int64,
    "min_stream": pl.String,
    "max_stream": pl.String,
    "date": pl.Date,
}


class UnreadError(Exception):
    """A query needs columns that were not read."""

    def __init__(self, columns: Iterable[str]) -> None:
        super().__init__(", ".join(sorted(columns)))
        self.columns = frozenset(columns)


def copies_of(held: Held, askers: Sequence[tuple[str | None, Asked]]) -> Copies:
    """Return a snapshot that holds the rows of each asker, under its name if it has one."""
    parts = [held.places(asked) for _, asked in askers]
    owners = {"_owner": [name for name, _ in askers], "_rows": [len(part) for part in parts]}
    return Copies(held, pl.concat(parts), pl.DataFrame(owners, schema={"_owner": pl.String, "_rows": pl.Int64}))


@dataclass(frozen=True)
class Copies:
    """Rows of some `Held` by place, each under the name of an owner; a `contracts.Snapshot`."""

    held: Held
    places: pl.Series
    owners: pl.DataFrame  # `_owner` (null: none), `_rows`, in the order of `places`

    @property
    def version(self) -> int:
        """The version of the table that was read."""
        return self.held.snapshot.version

    @property
    def columns(self) -> Mapping[str, pl.DataType]:
        """Every column of the table."""
        return self.held.snapshot.columns

    def variants(self, field: str) -> Sequence[str]:
        """Return the columns that hold a field."""
        return self.held.snapshot.variants(field)

    def segments(self, start_ns: int, end_ns: int, bounds: Sequence[Bound] = ()) -> CopiedRows:  # noqa: ARG002  one piece
        """Return the rows, as one segment."""
        return CopiedRows(self)

    def added_since(self, version: int) -> CopiedRows:  # noqa: ARG002  nothing is ever added
        """Return nothing."""
        return CopiedRows(self, there=False)

    @cached_property
    def numbers(self) -> pl.Series:
        """Which of the streams in `table` each row belongs to."""
        return self._pairs.rle_id()

    @cached_property
    def _pairs(self) -> pl.Series:
        owner = pl.int_range(self.owners.height, dtype=pl.UInt64, eager=True)
        mine = owner.repeat_by(self.owners["_rows"]).explode(empty_as_null=False)
        return mine * len(self.held.streams.texts) + self.held.rows["_n"].gather(self.places).cast(pl.UInt64)

    @cached_property
    def table(self) -> pl.DataFrame:
        """What `contracts.Segments.streams` returns, but for the path, in order of `numbers`."""
        rows = self.held.rows
        gathered = pl.DataFrame(
            {
                "_pair": self._pairs,
                "_time_ns": rows["_time_ns"].gather(self.places),
                "_line": rows["_line"].gather(self.places),
            }
        )
        time = pl.col("_time_ns")
        found = gathered.group_by("_pair", maintain_order=True).agg(
            rows=pl.len().cast(pl.Int64),
            line_bytes=pl.col("_line").str.len_bytes().sum().cast(pl.Int64),
            min_time_ns=time.min(),
            max_time_ns=time.max(),
        )
        count = max(1, len(self.held.streams.texts))
        texts = pl.Series(self.held.streams.texts, dtype=pl.String).gather(found["_pair"] % count)
        owners = self.owners["_owner"].gather(found["_pair"] // count)
        names = pl.DataFrame({"_text": texts, "_owner": owners}, schema={"_text": pl.String, "_owner": pl.String})
        owned = pl.format('{}, {}="{}"}}', pl.col("_text").str.strip_suffix("}"), pl.lit(OWNER), "_owner")
        stream = names.select(pl.when(pl.col("_owner").is_null()).then("_text").otherwise(owned)).to_series()
        return found.select(stream.alias("_stream"), *found.columns[1:])

    @cached_property
    def formats(self) -> list[str | None]:
        """The values of `_format` that the rows have, these and no others: `query.formats` remembers them by `path`."""
        found = self.held.rows["_format"].gather(self.places).unique().to_list()
        return sorted(found, key=lambda name: (name is not None, name))

    def frame(self, columns: Mapping[str, pl.DataType]) -> pl.DataFrame:
        """Return the rows with these columns; `UnreadError` if the table has one that was not read."""
        rows = self.held.rows
        unread = [name for name in columns if name not in rows.columns and name in self.columns]
        if unread:
            raise UnreadError(unread)
        made = {"_stream": lambda: self.table["_stream"].gather(self.numbers)}
        series = [
            made[name]()
            if name in made
            else rows[name].gather(self.places)
            if name in rows.columns
            else pl.Series(name, [None], dtype=dtype).new_from_index(0, len(self.places))
            for name, dtype in columns.items()
        ]
        return pl.DataFrame(series) if series else self.places.alias("_place").to_frame()


@dataclass(frozen=True)
class CopiedRows:
    """All rows of some copies as one segment, or none; a `contracts.Segments`."""

    copies: Copies
    there: bool = True
    skipped: int = 0
    parts: Mapping[str, Sequence[tuple[int, int]]] = field(default_factory=dict)

    @property
    def path(self) -> str:
        """What stands for a file's name: it says which formats the rows have, all that is remembered of a file."""
        return f"held:{json.dumps(self.copies.formats)}"

    @cached_property
    def frame(self) -> pl.DataFrame:
        """One row."""
        table = self.copies.table
        return pl.DataFrame(
            {
                "path": [self.path],
                "rows": [len(self.copies.places)],
                "bytes": [table["line_bytes"].sum()],
                "min_time_ns": [table["min_time_ns"].min()],
                "max_time_ns": [table["max_time_ns"].max()],
                "min_stream": [table["_stream"].min()],
                "max_stream": [table["_stream"].max()],
                "date": [None],
            },
            schema=_SEGMENT,
        ).head(int(self.there and len(self.copies.places) > 0))

    def opened(self, paths: Sequence[str] | None = None) -> Opened:  # noqa: ARG002  there is no file
        """Return nothing: the rows are held."""
        return Opened([], [])

    def urls(self) -> Sequence[str]:
        """Return nothing: no other machine can read them."""
        return []

    def streams(self) -> pl.DataFrame:
        """Return `path`, `_stream`, `rows`, `line_bytes`, `min_time_ns`, `max_time_ns`."""
        table = self.copies.table if self.there else self.copies.table.head(0)
        return table.select(pl.lit(self.path).alias("path"), *table.columns)

    def only(self, paths: Sequence[str]) -> CopiedRows:
        """Return the rows, or none if they are not meant."""
        return self if self.path in paths else CopiedRows(self.copies, there=False, skipped=self.skipped + 1)

    def holding(self, needles: Sequence[Needle]) -> CopiedRows:  # noqa: ARG002  nothing is known but by looking
        """Return the rows."""
        return self


class CopiesEngine:
    """Runs scans over copies; a `contracts.Engine`."""

    name = "held"
    scan_bytes = SCAN_BYTES
    warnings: Sequence[str] = ()

    def within(self, check: Callable[[], None]) -> Engine:  # noqa: ARG002  a scan of few rows ends at once
        """Return the engine."""
        return self

    def suited(self, work: Work) -> Choice:  # noqa: ARG002  there is no other
        """Return the engine."""
        return Choice(self)

    def scan(self, segments: Segments, columns: Mapping[str, pl.DataType]) -> Frame:
        """Return the rows, lazily."""
        assert isinstance(segments, CopiedRows)
        if segments.frame.is_empty():
            return nw.from_native(pl.LazyFrame(schema=dict(columns)))
        return nw.from_native(segments.copies.frame(columns).lazy())

    def collect(self, frame: Frame) -> pl.DataFrame:
        """Run the expressions; the streaming engine would take longer to begin than these few rows take."""
        return cast("pl.LazyFrame", frame.to_native()).collect(engine="in-memory")  # only frames of `scan` get here

    def batches(self, frame: Frame, *, ordered: bool = False) -> Iterator[pl.DataFrame]:  # noqa: ARG002  it is one
        """Run the expressions; the rows are few enough to be one piece."""
        whole = self.collect(frame)
        if whole.height:
            yield whole
