"""The batch: rows of one source in the order in which they were read, and where they came from.

A batch is a Polars frame. Columns of the *envelope* begin with one `_` and are listed in
`ENVELOPE`; every other column is a *field* of the record, typed string, int64, float64 or
bool. A field whose own name begins with `_` is stored with one `_` more (`field_column`), so
the two never meet. Labels are few and low in cardinality and live, as one canonical text, in
`_stream` (`stream_text`, `stream_labels`).

Nothing here reads or writes anything.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace import limits

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ENVELOPE: Final[Mapping[str, pl.DataType]] = {
    "_time": pl.Datetime("us", "UTC"),  # event time, for people and other engines
    "_time_ns": pl.Int64(),  # the same, exact: order and Loki timestamps
    "_observed_ns": pl.Int64(),  # when it was read or received
    "_stream": pl.String(),  # canonical label set, see stream_text
    "_line": pl.String(),  # what a person reads
    "_level": pl.String(),  # one of LEVELS, of pushed lines also critical; or null
    "_offset": pl.Int64(),  # byte offset of the line in its file; null if it came from no file
    "_format": pl.String(),  # parser that made the fields; `json:msg` = `_line` is the member `msg`
    "_error": pl.String(),  # why the line did not fit its format, else null
    "_raw": pl.Binary(),  # the exact bytes, only when they are not valid UTF-8
    "_part": pl.Int32(),  # number from 1 of a part of an over-long line, else null
    "_part_last": pl.Boolean(),  # whether it is the last part; null for a whole line
    "_more": pl.String(),  # JSON object of the fields that have no column of their own
    "_date": pl.Date(),  # partition, from _time
}
"""The envelope: every column that is not a field, with its type."""

LEVELS: Final = ("trace", "debug", "info", "warn", "error", "fatal")
"""The values of `_level`, rising."""

FIELD_TYPES: Final[Mapping[str, pl.DataType]] = {
    "string": pl.String(),
    "int": pl.Int64(),
    "float": pl.Float64(),
    "bool": pl.Boolean(),
}
"""The types of fields and their names, as they stand in suffixes of second columns."""

LIFE_BITS: Final = 32
"""Lower bits of a batch's number that count the batches of one life of its agent; the upper ones tell its lives apart.

Agents whose batches travel over a network begin a new life at each start, see `sources.tail.checkpoint`."""

READ_ORDER: Final = ("_time_ns", "_stream", "_observed_ns", "_offset")
"""Columns that order lines in time and, at equal times, as they stand in their files."""

_LABEL: Final = re.compile(r'([A-Za-z_][A-Za-z0-9_]*)="((?:[^"\\]|\\.)*)"')
_VIEW_BYTES: Final = 16  # of each text of a column, null or not, beside what is in it
_NOT_NAME: Final = re.compile(r"[^A-Za-z0-9_]")


@dataclass(frozen=True, slots=True)
class Position:
    """The name of a batch: who numbered it and which number; known to the table for ever.

    A table that has committed `(agent, number)` holds every number of that agent up to it. With `after` a table takes
    the batch only while that is the last number that it holds of the agent, -1 for none: batches that come over a
    network may overtake each other, or arrive when their sender has long begun anew.
    """

    agent: str
    number: int
    after: int | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows on their way to the table.

    `frame` has the columns of `ENVELOPE` that differ from null (at least `_time_ns`,
    `_observed_ns`, `_stream`, `_line`) and any fields. `lines` and `bytes` count the input it
    was made from, newlines included; they are what the accounting closes over.
    """

    frame: pl.DataFrame
    source: str
    lines: int
    bytes: int
    position: Position | None = None


def life(number: int) -> int:
    """Return which life of its agent a number belongs to.

    >>> life(7), life((3 << LIFE_BITS) + 7)
    (0, 3)
    """
    return number >> LIFE_BITS


def stream_text(labels: Mapping[str, str]) -> str:
    r"""Return the canonical text of a label set: sorted by name, values escaped, empty values left out.

    Bytes of a file's name that are no UTF-8 (surrogates, as `os.fsdecode` gives them) are written as `\xff`.

    >>> stream_text({"host": "a", "app": 'say "x"', "none": ""})
    '{app="say \\"x\\"", host="a"}'
    """
    inner = ", ".join(
        f"{name}={json.dumps(_utf8(labels[name]), ensure_ascii=False)}" for name in sorted(labels) if labels[name]
    )
    return "{" + inner + "}"


def _utf8(text: str) -> str:
    if text.isascii():
        return text
    try:
        return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:  # half of a pair, as JSON may escape it
        return text.encode("utf-8", "backslashreplace").decode()


@lru_cache(maxsize=65_536)
def stream_labels(text: str) -> Mapping[str, str]:
    """Return the label set of a canonical text; the result is shared, do not change it.

    >>> dict(stream_labels('{app="web", host="a"}'))
    {'app': 'web', 'host': 'a'}
    """
    return {name: json.loads(f'"{value}"') for name, value in _LABEL.findall(text)}


@lru_cache(maxsize=65_536)
def sanitize_name(name: str) -> str:
    """Return a name as LogQL's parsers write it: other characters become `_`, a leading digit gets `_` in front.

    >>> sanitize_name("http.status-code"), sanitize_name("2xx")
    ('http_status_code', '_2xx')
    """
    clean = _NOT_NAME.sub("_", name.strip())
    return "_" + clean if clean[:1].isdigit() else clean


def field_column(name: str) -> str:
    """Return the column of a field: its own name, with one `_` more if it begins with one."""
    return "_" + name if name.startswith("_") else name


def column_field(column: str) -> str:
    """Return the field of a column; the inverse of `field_column`."""
    return column[1:] if column.startswith("__") else column


def columns_for(rows: int) -> int:
    """Return how many field columns a frame of so many rows may have.

    >>> columns_for(1_000), columns_for(1_000_000)
    (512, 16)
    """
    return min(limits.FIELD_COLUMNS, max(1, limits.FRAME_VALUES // max(1, rows)))


def weight(frame: pl.DataFrame) -> int:
    """Return the bytes that a frame takes in memory: Polars counts of texts and bytes only what is in them."""
    views = sum(dtype in (pl.String, pl.Binary) for dtype in frame.dtypes)
    return int(frame.estimated_size()) + _VIEW_BYTES * frame.height * views


def is_field(column: str) -> bool:
    """Tell whether a column is a field, not part of the envelope."""
    return not column.startswith("_") or column.startswith("__")


def complete(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the frame with the whole envelope: missing columns null, `_time` and `_date` derived."""
    missing = [pl.lit(None, dtype).alias(name) for name, dtype in ENVELOPE.items() if name not in frame.columns]
    time = pl.from_epoch(pl.col("_time_ns") // 1_000, time_unit="us").dt.replace_time_zone("UTC")
    frame = frame.with_columns(*missing).with_columns(_time=time).with_columns(_date=pl.col("_time").dt.date())
    fields = [column for column in frame.columns if is_field(column)]
    return frame.select(*(pl.col(name).cast(dtype) for name, dtype in ENVELOPE.items()), *fields)


def stack(frames: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Return the rows of all frames under each other; columns that a frame lacks are null there.

    A field that differs in type becomes float64 if it is int64 and float64, else text: a plain
    supertype would turn `true` into 1.
    """
    seen: dict[str, set[pl.DataType]] = {}
    for frame in frames:
        for name, dtype in frame.schema.items():
            seen.setdefault(name, set()).add(dtype)
    mixed = {name: _common(dtypes) for name, dtypes in seen.items() if len(dtypes) > 1}
    if mixed:
        frames = [f.with_columns(pl.col(n).cast(t) for n, t in mixed.items() if n in f.columns) for f in frames]
    return pl.concat(frames, how="diagonal")


def _common(dtypes: set[pl.DataType]) -> pl.DataType:
    kinds = dtypes - {pl.Null()}
    if len(kinds) == 1:
        return next(iter(kinds))
    return pl.Float64() if kinds == {pl.Int64(), pl.Float64()} else pl.String()
