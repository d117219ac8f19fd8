"""What a query answers: lines or numbers, with what the answer cost and whether it is whole.

Both kinds are frames; `query.render` writes them as text, JSON or Loki's shapes. An answer that is not
complete says so and why: an empty one always means that everything was looked at and nothing was found.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Mapping

STREAM: Final = "stream."
META: Final = "meta."
PARSED: Final = "parsed."
"""Prefixes of label columns by where the label comes from."""

LINES_SCHEMA: Final[Mapping[str, pl.DataType]] = {
    "_time_ns": pl.Int64(),
    "_line": pl.String(),
    "_level": pl.String(),
    "_offset": pl.Int64(),
    "_observed_ns": pl.Int64(),
    "_stream": pl.String(),
}
"""The columns that every frame of lines has; label columns follow. `_stream` is what is stored, whatever stages did."""

SERIES_SCHEMA: Final[Mapping[str, pl.DataType]] = {
    "series": pl.UInt32(),
    "_time_ns": pl.Int64(),
    "value": pl.Float64(),
}
"""The columns of a frame of numbers; `series` is an index into the label sets."""


@dataclass(slots=True)
class Stats:
    """What an answer cost."""

    rows: int = 0  # rows of the segments that were read
    bytes: int = 0  # bytes of those segments on disk
    segments_read: int = 0
    segments_skipped: int = 0  # pruned, answered from their statistics, or not needed any more
    segments_skipped_by_index: int = 0  # of these
    rows_skipped_by_index: int = 0  # in these segments, and in blocks of those that were read
    seconds: float = 0.0
    buckets: int = 0  # rows of kept partial results that stood in for lines
    approximate: str = ""  # why the answer is not exact, if it is not
    queue_seconds: float = 0.0  # spent waiting for its turn, not in `seconds`


@dataclass(frozen=True, slots=True)
class Lines:
    """The answer of a log query.

    `frame` has the columns of `LINES_SCHEMA` and one String column per label, named by its source
    (`stream.host`, `meta.status`, `parsed.status`); null means absent. Rows stand in answer order.
    """

    frame: pl.DataFrame
    stats: Stats
    complete: bool = True
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Series:
    """The answer of a metric query.

    `labels` holds the label sets, sorted unless the query sorts by value; `frame` has the columns of
    `SERIES_SCHEMA`, rows by series, then time.
    """

    kind: Literal["vector", "matrix", "scalar"]
    labels: tuple[Mapping[str, str], ...]
    frame: pl.DataFrame
    stats: Stats
    complete: bool = True
    warnings: tuple[str, ...] = ()
