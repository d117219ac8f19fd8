"""The readers' side: the table at one version, and the files of it that a query needs.

`Snapshot` answers from memory: the frame of files with their statistics was read from the log
by `LogTable.snapshot`. `Segments.streams` is the only call here that opens data files, and only the
footer of each, once; `Segments.holding` asks skip indexes. Nothing here writes.
"""

from __future__ import annotations

import io
from collections import OrderedDict
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace import limits
from tailrace.batch import is_field
from tailrace.contracts import Bound, Opened
from tailrace.store import prune, segment, state
from tailrace.store.needles import SkipIndexes
from tailrace.store.place import scan

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tailrace.contracts import Needle
    from tailrace.store.place import Place
    from tailrace.store.state import State

STREAM_ROWS_CACHED: Final = 1_000_000
"""Rows of streams kept over all files; about 100 MiB of short texts at the very most, since texts repeat."""


class StreamCache:
    """The streams of files, least recently used ones go first; a file never changes, so nothing goes stale."""

    def __init__(self, place: Place | None = None, rows: int = STREAM_ROWS_CACHED) -> None:
        self._place = place  # None: the files are here
        self._lock = Lock()
        self._frames: OrderedDict[str, pl.DataFrame] = OrderedDict()
        self._rows = 0
        self._most = rows

    def get(self, path: str) -> pl.DataFrame:
        """Return the streams of a file with its `path`, from the cache, its footer or, failing both, its rows."""
        with self._lock:
            frame = self._frames.get(path)
            if frame is not None:
                self._frames.move_to_end(path)
                return frame
        return self.put(path, read_streams(path, self._place))

    def of(self, paths: Sequence[str]) -> pl.DataFrame:
        """Return the streams of some files, with the `path` of each."""
        if self._place is not None:
            with self._lock:
                unknown = [path for path in paths if path not in self._frames]
            list(self._place.each(self.get, unknown))
        parts = [self.get(path) for path in paths]
        return pl.concat(parts) if parts else pl.DataFrame(schema={"path": pl.String(), **segment.STREAMS_SCHEMA})

    def put(self, path: str, streams: pl.DataFrame) -> pl.DataFrame:
        """Remember the streams of a file; return them with its `path`."""
        frame = streams.select(pl.lit(path).alias("path"), *segment.STREAMS_SCHEMA)
        with self._lock:
            if path in self._frames:
                return frame
            self._frames[path] = frame
            self._rows += frame.height
            while self._rows > self._most and len(self._frames) > 1:
                self._rows -= self._frames.popitem(last=False)[1].height
        return frame


def read_streams(path: str, place: Place | None = None) -> pl.DataFrame:
    """Return the streams of a file: from its footer or, in a file of another writer, from its rows."""
    opened = Opened([path], []) if place is None else place.looked_into(path)
    (source,) = (*opened.local, *opened.remote)
    text = pl.read_parquet_metadata(source, storage_options=dict(opened.options) or None).get(segment.STREAMS_KEY)
    if text is not None:
        return pl.read_json(io.StringIO(text), schema=segment.STREAMS_SCHEMA)
    return segment.streams_lazily(scan(opened))


@dataclass(frozen=True, slots=True)
class Caches:
    """What is known of files, which never change; one for all snapshots of a table."""

    place: Place
    streams: StreamCache
    skips: SkipIndexes

    @classmethod
    def of(cls, place: Place) -> Caches:
        """Return caches that know nothing yet."""
        return cls(place, StreamCache(place), SkipIndexes(place))


@dataclass(frozen=True, slots=True)
class FileSegments:
    """Files of the table, as pruned for one query."""

    frame: pl.DataFrame
    skipped: int
    _caches: Caches = field(repr=False)
    parts: Mapping[str, Sequence[tuple[int, int]]] = field(default_factory=dict)

    def opened(self, paths: Sequence[str] | None = None) -> Opened:
        """Return what this machine opens for all files, or for some of them."""
        wanted = self.frame["path"].to_list() if paths is None else paths
        return self._caches.place.opened(wanted, lambda: dict(self.frame.select("path", "bytes").iter_rows()))

    def urls(self) -> list[str]:
        """Return what any machine that reaches the table opens, in the order of the frame."""
        return [self._caches.place.url(path) for path in self.frame["path"]]

    def streams(self) -> pl.DataFrame:
        """Return `path`, `_stream`, `rows`, `line_bytes`, `min_time_ns`, `max_time_ns` per file and stream."""
        return self._caches.streams.of(self.frame["path"].to_list())

    def only(self, paths: Sequence[str]) -> FileSegments:
        """Return the segments among `paths`."""
        frame = self.frame.filter(pl.col("path").is_in(list(paths)))
        kept = set(frame["path"]) if self.parts else ()
        parts = {path: places for path, places in self.parts.items() if path in kept}
        return FileSegments(frame, self.skipped + self.frame.height - frame.height, self._caches, parts)

    def holding(self, needles: Sequence[Needle]) -> FileSegments:
        """Return the segments, and parts of them, that may hold a row with all needles, as skip indexes say."""
        parts: dict[str, Sequence[tuple[int, int]]] = {}
        self._caches.skips.prepare(self.frame.filter(pl.col("rows") >= limits.SKIP_ROWS)["path"].to_list())
        for path in self.frame["path"]:
            index = self._caches.skips.get(path)
            places = index.places(needles) if index else None
            if places is not None:
                parts[path] = places
        kept = [path for path in self.frame["path"] if parts.get(path) != []]
        return replace(self.only(kept), parts={path: places for path, places in parts.items() if places})


@dataclass(frozen=True, slots=True)
class LogSnapshot:
    """The table at one version; never changes."""

    state: State = field(repr=False)
    _caches: Caches = field(repr=False)

    @property
    def version(self) -> int:
        """The version's number in the table's log."""
        return self.state.version

    @property
    def files(self) -> pl.DataFrame:
        """One row per file: `state.FILES_SCHEMA`, then the statistics."""
        return self.state.files

    @property
    def columns(self) -> Mapping[str, pl.DataType]:
        """Every column of the table with its type, envelope first."""
        return self.state.columns.types

    def variants(self, field: str) -> Sequence[str]:
        """Return the columns that hold a field: none, one, or one per type that it was seen with."""
        return self.state.columns.fields.get(field, ())

    def segments(self, start_ns: int, end_ns: int, bounds: Sequence[Bound] = ()) -> FileSegments:
        """Return the files that may hold rows with `start_ns <= _time_ns < end_ns` and all bounds."""
        times = (Bound("_time_ns", ">=", start_ns), Bound("_time_ns", "<", end_ns))
        resolved = [(bound, self._resolve(bound.column)) for bound in (*times, *bounds)]
        kept = self.files.filter(prune.may_hold(self.files, resolved, segment.indexed_columns(self.columns)))
        return self._segments(kept, self.files.height - kept.height)

    def added_since(self, version: int) -> FileSegments:
        """Return the files that brought new rows after an earlier version, oldest first; not compacted ones."""
        return self._segments(state.added(self._caches.place, version, self.state), 0)

    def departed(self, paths: Sequence[str]) -> FileSegments:
        """Return files that left the table, those that are still on the disk."""
        existing = self._caches.place.there(paths)
        there = [path for path in paths if path in existing]
        held = self._caches.streams.of(there).group_by("path", maintain_order=True)
        times = pl.col("min_time_ns").min(), pl.col("max_time_ns").max()
        names = pl.col("_stream").min().alias("min_stream"), pl.col("_stream").max().alias("max_stream")
        frame = held.agg(pl.col("rows").sum(), pl.col("line_bytes").sum().alias("bytes"), *times, *names)
        frame = frame.with_columns(date=pl.lit(None, pl.Date)).cast(pl.Schema(state.FILES_SCHEMA))
        return FileSegments(frame.select(*state.FILES_SCHEMA), 0, self._caches)

    def _segments(self, files: pl.DataFrame, skipped: int) -> FileSegments:
        return FileSegments(files.select(*state.FILES_SCHEMA), skipped, self._caches)

    def _resolve(self, column: str) -> dict[str, pl.DataType]:
        if column in self.columns and not is_field(column):
            return {column: self.columns[column]}
        names = self.variants(column) or ((column,) if column in self.columns else ())
        return {name: self.columns[name] for name in names}
