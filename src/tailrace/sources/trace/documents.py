"""Events as JSON lines, made column by column: what the pipeline takes, and what `tailrace trace -o jsonl` shows.

Each line has `time`, the common members, `args` with the arguments by name, `arg1`, `arg2`, … in their order, and
`message`, a sentence for people, which becomes the line of the stored row.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.sources.trace.columns import ORDER
from tailrace.sources.trace.reader import GAP
from tailrace.syscalls.events import EVENTS
from tailrace.syscalls.hashing import event_hashes
from tailrace.syscalls.text import arguments_text

if TYPE_CHECKING:
    from collections.abc import Sequence

_ARGS: Final = "args_"


def ndjson(frame: pl.DataFrame) -> bytes:
    """Return the rows of one event as lines."""
    documents = document_columns(frame)
    arguments = [name for name in documents.columns if name.startswith(_ARGS)]
    if arguments:
        struct = pl.struct(pl.col(name).alias(name.removeprefix(_ARGS)) for name in arguments).alias("args")
        documents = documents.with_columns(struct).drop(arguments)
    buffer = io.BytesIO()
    documents.write_ndjson(buffer)
    return buffer.getvalue()


def document_columns(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the members of the documents as columns; those that no row has are left out."""
    time = pl.from_epoch("time_ns", "ns").dt.strftime("%Y-%m-%dT%H:%M:%S%.9fZ").alias("time")
    hashes = [] if frame["name"][0] == GAP else [event_hashes(frame, frame["name"][0])]
    rows = frame.select(time, *hashes, pl.exclude("time_ns", ORDER, "incomplete"), message(frame))
    return rows.select(series for series in rows if series.null_count() < len(series))


def message(frame: pl.DataFrame) -> pl.Series:
    """Return what each row says, for people."""
    name: str = frame["name"][0]
    if name == GAP:
        text = pl.format("{} events were lost between {} and {}", "lost", "event_start", "event_end")
        return frame.select(message=text).to_series()
    assert name in EVENTS
    arguments = pl.lit(arguments_text(frame, name))
    text = pl.format("{} {}= {} by {}[{}]", "name", arguments, "ret", "comm", "pid")
    return frame.select(message=text).to_series()


def lines(frames: Sequence[pl.DataFrame]) -> bytes:
    """Return the lines of several events, one event after the other."""
    return b"".join(ndjson(frame) for frame in frames if len(frame))
