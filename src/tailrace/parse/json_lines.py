"""JSON lines: one object per line, flattened into typed fields.

Comes in and goes out as `contracts.Parser` says. A nested key becomes `outer_inner`; arrays are JSON text; a null is
absent; what has no column of its own goes to `_more`. `_line` becomes the message if there is a member for it,
which is then not stored twice; the exact text stays with `raw: keep`. Text in front of the object is tolerated: such a
line stays whole and may have its time and level in the text. A line that has no object stays as it is, with `_error`.

A time member written in UTC with `Z` (RFC 3339) is fully held by `_time_ns` and not stored again; any other way
of writing it stays a field, since the text could not be rebuilt from the instant.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.batch import sanitize_name, stack
from tailrace.parse import level, timestamp
from tailrace.parse.json_decode import Decoder

if TYPE_CHECKING:
    from tailrace.contracts import Reading
    from tailrace.parse.json_decode import Decoded
    from tailrace.parse.json_tree import Leaf

MESSAGES: Final = (
    "message", "msg", "log", "event", "text", "body", "short_message", "Message", "RenderedMessage", "Msg", "@m", "@mt",
)  # fmt: skip
"""Members that may hold what a person reads, best first."""

TIMES: Final = (
    "time", "timestamp", "ts", "@timestamp", "datetime", "date", "t", "asctime", "eventTime", "@t", "Timestamp", "Time",
    "time_iso8601", "time_local", "timeMillis", "requestReceivedTimestamp", "timeUnixNano",
)  # fmt: skip
"""Members that may hold the time of the event, best first."""

LEVELS: Final = (
    "level", "lvl", "severity", "severity_text", "log_level", "loglevel", "levelname", "__l", "Level", "LogLevel",
    "Severity", "SeverityText", "severityText",
)  # fmt: skip
"""Columns that may hold the level, best first."""

MONGODB_TIME: Final = ("t", "$date")
"""Where MongoDB has the time; its level is a letter in `s`."""

_EXACT: Final = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z$"
_OBJECT: Final = r"(?s:(\{.*)$)"
_BEHIND: Final = r'(?s:^[^{]+\{\s*".*\}$)'
ERROR: Final = "JSONParserErr"


class JsonLines:
    """Reads one JSON object per line; remembers the shapes that it has seen. `times` name the time, best first."""

    name = "json"

    def __init__(self, times: tuple[str, ...] = TIMES) -> None:
        self._decoder = Decoder()
        self._time_names = times

    @property
    def leaves(self) -> list[Leaf]:
        """The members that have a column, of all that was read so far."""
        return self._decoder.tree.leaves()

    def parse(self, lines: pl.DataFrame, reading: Reading, data: bytes | None = None) -> pl.DataFrame:
        """Return the rows with fields, time, level and message."""
        braces = lines.select(pl.col("_line").str.starts_with("{") & pl.col("_line").str.ends_with("}")).to_series()
        if braces.all():
            return self._objects(lines, reading, data)
        stripped = lines["_line"].str.strip_chars(" \t\r")
        braces = stripped.str.starts_with("{") & stripped.str.ends_with("}")
        behind = ~braces & stripped.str.contains(_BEHIND)
        good, text, bad = braces.arg_true(), behind.arg_true(), (~braces & ~behind).arg_true()
        rest = lines[bad]
        error = pl.when(pl.col("_line").str.contains(r"\S")).then(pl.lit(ERROR))
        rest = rest.with_columns(
            error.alias("_error"), pl.lit(None, pl.String).alias("_format"), *timestamp.no_time(rest)
        )
        pieces = [self._objects(lines[good], reading)] if len(good) else []
        if len(text):
            pieces.append(self._behind_text(lines[text], reading))
        together = stack([*pieces, rest])
        return together[pl.concat([good, text, bad]).arg_sort()]

    def _behind_text(self, lines: pl.DataFrame, reading: Reading) -> pl.DataFrame:
        """Return rows whose object stands behind some text, which may have a time and a level; the line stays whole."""
        whole = lines["_line"]
        objects = lines.with_columns(pl.col("_line").str.extract(_OBJECT).str.strip_chars_end(" \t\r"))
        frame = self._objects(objects, replace(reading, raw="keep")).with_columns(whole)
        text = whole.str.replace(_OBJECT, "")
        times = timestamp.leading(text, lines["_observed_ns"], reading.timezone)
        good = pl.col("_format").is_not_null()
        return frame.with_columns(
            pl.coalesce("_time_ns", pl.when(good).then(pl.lit(times))).alias("_time_ns"),
            pl.coalesce("_level", pl.when(good).then(pl.lit(level.from_text(text)))).alias("_level"),
        )

    def _objects(self, lines: pl.DataFrame, reading: Reading, data: bytes | None = None) -> pl.DataFrame:
        decoded = self._decoder.decode(lines["_line"], data)
        leaves = self._decoder.tree.leaves()
        fields = {name: decoded.fields[name] for name in decoded.fields.columns}
        if "_time_ns" in lines.columns:  # a container runtime's stamp: the member of the record stays a field
            time_ns = lines["_time_ns"]
        else:
            time_ns = _take_time(fields, leaves, self._time_names, reading, lines["_observed_ns"])
        levels = _levels(fields, leaves, len(lines))
        line, form = lines["_line"], pl.Series(["json"]).new_from_index(0, len(lines))
        if reading.raw == "auto":
            line, form = _take_message(fields, leaves, line, form)
        kept = [series for series in fields.values() if series.null_count() < len(series)]
        frame = lines.with_columns(
            line.alias("_line"), time_ns.alias("_time_ns"), form.alias("_format"), levels.alias("_level"), *kept
        )
        return _mark(frame, decoded)


def _mark(frame: pl.DataFrame, decoded: Decoded) -> pl.DataFrame:
    """Add `_more` and `_error` where the decoder says so."""
    if decoded.more is not None:
        frame = frame.with_columns(decoded.more.alias("_more"))
    if decoded.failed is not None and decoded.failed.any():
        failed = pl.lit(decoded.failed)
        frame = frame.with_columns(
            pl.when(failed).then(pl.lit(ERROR)).alias("_error"), pl.when(~failed).then("_format").alias("_format")
        )
    return frame


def _top(leaves: list[Leaf], names: tuple[str, ...]) -> list[Leaf]:
    """Return the leaves at the top level that have one of the names, in the order of the names."""
    by_key = {leaf.path[0]: leaf for leaf in leaves if len(leaf.path) == 1}
    return [by_key[name] for name in names if name in by_key]


def _take_message(
    fields: dict[str, pl.Series], leaves: list[Leaf], line: pl.Series, form: pl.Series
) -> tuple[pl.Series, pl.Series]:
    """Return lines and formats with messages in place; a message leaves the fields."""
    left = pl.Series([True]).new_from_index(0, len(line))
    for leaf in _top(leaves, MESSAGES):
        if leaf.kind != "string" or leaf.nested:
            continue
        value = fields[leaf.column]
        name = pl.Series([f"json:{sanitize_name(leaf.path[0])}"]).new_from_index(0, len(line))
        if left.all() and value.null_count() == 0 and (value != "").all():
            del fields[leaf.column]
            return value, name
        hit = left & value.is_not_null() & (value != "")
        line, form = value.zip_with(hit, line), name.zip_with(hit, form)
        fields[leaf.column] = _blank(value, hit)
        left = left & ~hit
    return line, form


def _take_time(
    fields: dict[str, pl.Series], leaves: list[Leaf], names: tuple[str, ...], reading: Reading, observed: pl.Series
) -> pl.Series:
    """Return the times of the rows; a time that `_time_ns` holds completely leaves the fields."""
    result: pl.Series | None = None
    for leaf in [*_top(leaves, names), *(leaf for leaf in leaves if leaf.path == MONGODB_TIME)]:
        value = fields[leaf.column]
        digits = timestamp.regular_digits(value) if value.dtype == pl.String else None
        times = _times(value, reading, observed) if digits is None else timestamp.regular(value, digits)
        if times is None:
            continue
        if digits is not None and result is None and times.null_count() == 0:
            del fields[leaf.column]
            return times
        hit = times.is_not_null() if result is None else times.is_not_null() & result.is_null()
        if value.dtype == pl.String:
            exact = hit & value.str.contains(_EXACT)
            if exact.all():
                del fields[leaf.column]
            else:
                fields[leaf.column] = _blank(value, exact)
        result = times if result is None else times.zip_with(hit, result)
        if result.null_count() == 0:
            return result
    if result is None:
        return pl.Series([None], dtype=pl.Int64).new_from_index(0, len(observed))
    return result


def _times(value: pl.Series, reading: Reading, observed: pl.Series) -> pl.Series | None:
    """Return the times that values mean, or None if their type is no time."""
    if value.dtype == pl.String:
        times = timestamp.iso(value, reading.timezone)
        if times.null_count() == value.null_count():
            return times
        digits = timestamp.epoch_text(value)
        times = times.zip_with(times.is_not_null(), digits)
        if times.null_count() == value.null_count():
            return times
        rows = (times.is_null() & value.is_not_null()).arg_true()
        return times.scatter(rows, timestamp.parse_shape(timestamp.CLF, value[rows], observed[rows], reading.timezone))
    return timestamp.epoch_number(value) if value.dtype in (pl.Int64, pl.Float64) else None


def _levels(fields: dict[str, pl.Series], leaves: list[Leaf], height: int) -> pl.Series:
    """Return the levels of the rows."""
    result: pl.Series | None = None
    letters = fields.get("s")
    if letters is not None and letters.dtype == pl.String and any(leaf.path == MONGODB_TIME for leaf in leaves):
        result = level.from_letter(letters.str.slice(0, 1))
    for name in LEVELS:
        if name in fields:
            found = level.from_value(fields[name])
            result = found if result is None else result.zip_with(result.is_not_null(), found)
            if result.null_count() == 0:
                break
    if result is None:
        return pl.Series([None], dtype=pl.String).new_from_index(0, height)
    return result


def _blank(value: pl.Series, where: pl.Series) -> pl.Series:
    """Return the values with nulls at some rows."""
    return value.zip_with(~where.fill_null(value=False), value.clear(1))
