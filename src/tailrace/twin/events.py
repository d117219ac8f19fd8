"""File events as they stand in `logs`: those that are new since a version, and those of a span of time.

Columns that hold one field with several types are read as one. Refuses nothing; a file that compaction took away
between the look at the log and the read is found again by asking for everything.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import narwhals as nw
import polars as pl

from tailrace import limits
from tailrace.batch import READ_ORDER, stream_labels
from tailrace.ecs import STREAM_SOURCE
from tailrace.errors import TableError
from tailrace.store import log
from tailrace.twin.records import EVENT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from tailrace.contracts import Engine, Segments, Snapshot
    from tailrace.store.table import LogTable

EVER: Final = 2**62
_ORDERS: Final = 2**32  # rows of one taking have the numbers from `version * _ORDERS` on


def of_host(texts: Iterable[str], hosts: Sequence[str] | None = None) -> dict[str, str]:
    """Return the streams of file events with their host."""
    found = {text: stream_labels(text) for text in set(texts)}
    return {
        text: labels.get("host", "")
        for text, labels in found.items()
        if labels.get("source") == STREAM_SOURCE and (hosts is None or labels.get("host", "") in hosts)
    }


@dataclass(frozen=True, slots=True)
class Piece:
    """Some of the files that are new since a version; with it, `logs` is read up to `version`, if that is named."""

    segments: Segments
    version: int | None
    before: int  # rows of the pieces before it


def pieces(logs: LogTable, snapshot: Snapshot, since: int) -> Iterator[Piece]:
    """Yield what came after a version, oldest first, in pieces of about `limits.TWIN_TAKE_ROWS`; -1 is all.

    Where the log or files of it are cleaned away already everything is read again: to take an event twice changes
    nothing. Refused if `logs` has not got so far: it is not the one that was read.
    """
    if since > snapshot.version:
        where = logs.root.parent / "files"
        raise TableError(
            f"{where}: it was made from another `logs`, up to version {since}; move it away to make it anew"
        )
    steps = _steps(logs, since, snapshot.version)
    if steps is None:
        segments = everything(snapshot)
        ordered = segments.frame.sort("min_time_ns", "path")
        steps = [(None, [path]) for path in ordered["path"]]
    else:
        segments = snapshot.added_since(since)
    sizes = dict(segments.frame.select("path", "rows").iter_rows())
    held: list[str] = []
    size = before = 0
    for version, paths in steps:
        held += paths
        size += sum(sizes.get(path, 0) for path in paths)
        if size >= limits.TWIN_TAKE_ROWS:
            yield Piece(segments.only(held), version, before)
            held, before, size = [], before + size, 0
    yield Piece(segments.only(held), snapshot.version, before)


def _steps(logs: LogTable, since: int, until: int) -> list[tuple[int | None, list[str]]] | None:
    """Return the new files by version, None if they cannot be had any more."""
    steps: list[tuple[int | None, list[str]]] = []
    logs.place.reach(since)
    for version in range(since + 1, until + 1):
        try:
            commit = log.read(logs.root, version)
        except FileNotFoundError:
            return None
        steps.append((version, [str(logs.root / add["path"]) for add in commit.adds if add["dataChange"]]))
    added = [path for _, paths in steps for path in paths]
    return steps if len(logs.place.there(added)) == len(set(added)) else None


def newest(logs: LogTable, snapshot: Snapshot, since: int, engine: Engine) -> pl.DataFrame:
    """Return the events that came after a version; -1 is all of them."""
    return pl.concat([of_piece(snapshot, piece, engine) for piece in pieces(logs, snapshot, since)])


def of_piece(snapshot: Snapshot, piece: Piece, engine: Engine) -> pl.DataFrame:
    """Return the events of some new files."""
    rows = _read(snapshot, piece.segments, engine, EVENT, (-EVER, EVER), None)
    return rows.with_columns(pl.col("order") + piece.before)


def everything(snapshot: Snapshot) -> Segments:
    """Return all segments of the table."""
    return snapshot.segments(-EVER, EVER)


def between(
    snapshot: Snapshot,
    start_ns: int,
    end_ns: int,
    engine: Engine,
    *,
    columns: Mapping[str, pl.DataType] = EVENT,
    hosts: Sequence[str] | None = None,
    condition: nw.Expr | None = None,
) -> pl.DataFrame:
    """Return the events with `start_ns <= _time_ns < end_ns`, in reading order."""
    return _read(snapshot, snapshot.segments(start_ns, end_ns), engine, columns, (start_ns, end_ns), hosts, condition)


def _read(
    snapshot: Snapshot,
    segments: Segments,
    engine: Engine,
    columns: Mapping[str, pl.DataType],
    span: tuple[int, int],
    hosts: Sequence[str] | None,
    condition: nw.Expr | None = None,
) -> pl.DataFrame:
    schema = {**columns, "host": pl.String(), "order": pl.Int64()}
    streams = segments.streams()
    wanted = of_host(streams["_stream"].unique().to_list(), hosts)
    held = streams.filter(pl.col("_stream").is_in(list(wanted)))
    segments = segments.only(held["path"].unique().to_list())
    if not segments.frame.height:
        return pl.DataFrame(schema=schema)
    read = {name: dtype for name, dtype in columns.items() if name not in ("host", "order")}
    variants = {name: _fit(snapshot, name, dtype) for name, dtype in read.items()}
    needed = {name: snapshot.columns[name] for names in (*variants.values(), READ_ORDER) for name in names}
    frame = engine.scan(segments, needed).filter(nw.col("_stream").is_in(list(wanted)))
    if span != (-EVER, EVER):
        frame = frame.filter((nw.col("_time_ns") >= span[0]) & (nw.col("_time_ns") < span[1]))
    order = [name for name in READ_ORDER if name not in read]
    frame = frame.select(*(_one(variants[name], dtype).alias(name) for name, dtype in read.items()), *order)
    if condition is not None:
        frame = frame.filter(condition)
    rows = engine.collect(frame).sort(READ_ORDER, maintain_order=True).with_row_index("row")
    rows = rows.with_columns(
        host=pl.col("_stream").replace_strict(list(wanted), list(wanted.values()), return_dtype=pl.String),
        order=pl.lit(snapshot.version, pl.Int64) * _ORDERS + pl.col("row"),
    )
    return rows.select(*schema)


def _fit(snapshot: Snapshot, name: str, dtype: pl.DataType) -> list[str]:
    """Return the columns that hold a field with a type; any type can be read as text."""
    if name in READ_ORDER:
        return [name]
    return [one for one in snapshot.variants(name) if dtype in (pl.String(), snapshot.columns[one])]


def _one(names: Sequence[str], dtype: pl.DataType) -> nw.Expr:
    kind = {pl.String(): nw.String(), pl.Int64(): nw.Int64()}[dtype]
    if not names:
        return nw.lit(None, kind)
    return nw.coalesce(*(nw.col(name).cast(kind) for name in names)) if len(names) > 1 else nw.col(names[0]).cast(kind)
