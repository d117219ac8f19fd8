r"""logfmt: `key=value key="quoted value"`, as Go programs write it.

Comes in and goes out as `contracts.Parser` says. Values are text, whatever they look like: one program writes `5`, the
next `5ms`. A key without a value is passed over, and so is a bad pair (a quote or `=` inside a bare value, no key
before `=`, an open quote, which takes the rest of the line with it), as LogQL's `logfmt` does; `_line` stays whole, so
nothing is lost. The first of two equal keys counts. A line without any pair keeps `_error`. Of the lines of the Linux
audit daemon, `time` and `serial` are taken out of `msg=audit(…):`.

Programs write the same keys in the same order, so a sequence of keys that was seen becomes one anchored pattern
with a group per value (`_shape`). Lines that fit no known sequence are cut into tokens, which costs three times as
much, and teach new sequences.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.parse import groups, level, timestamp
from tailrace.parse.pairs import column, spread

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tailrace.contracts import Reading

ERROR: Final = "LogfmtParserErr"

LOOKS: Final = r'^(?:[A-Za-z_][\w.\-/]*=(?:"(?:[^"\\]|\\.)*"|[^\s="]*)(?:\s+|$)){2,}'
"""What a line of logfmt looks like: it begins with at least two pairs."""

_VALUE: Final = r'("(?:[^"\\]|\\.)*"|[^\x00-\x20="]*)'
_WORD: Final = r'[^\x00-\x20=]*="(?:[^"\\]|\\.)*(?:"[^\x00-\x20]*|$)|[^\x00-\x20]+'
_PAIR: Final = rf'^(?P<key>[^\x00-\x20="]+)=(?P<value>{_VALUE[1:-1]})$'

_AUDIT: Final = r"^(?:node=[^ ]+ )?type=[^ ]+ msg=audit\("
_SHAPES: Final = 16  # sequences of keys that are remembered
_SHAPE_KEYS: Final = 64  # keys in one of them; longer patterns cost more than they save
_SHAPE_SHARE: Final = 0.02  # of a turn's lines, to be worth a pattern

_TIMES: Final = ("time", "ts", "timestamp", "t", "at", "datetime", "date")
_LEVELS: Final = ("level", "lvl", "severity", "loglevel", "levelname")


class Logfmt:
    """Reads key=value pairs; remembers the sequences of keys that it has seen."""

    name = "logfmt"

    def __init__(self) -> None:
        self._shapes: list[tuple[str, ...]] = []

    def parse(self, lines: pl.DataFrame, reading: Reading, data: bytes | None = None) -> pl.DataFrame:  # noqa: ARG002  the seam
        """Return the rows with their pairs as fields."""
        fields = _audit(self._fields(_without_apostrophes(lines["_line"])))
        found = pl.lit(fields["_any"])
        levels = [level.from_value(fields[name]) for name in _LEVELS if name in fields.columns]
        return lines.with_columns(
            *([] if "_time_ns" in lines.columns else [_time(fields, reading)]),
            pl.coalesce([*(pl.lit(series) for series in levels), pl.lit(None, pl.String)]).alias("_level"),
            pl.when(found).then(pl.lit("logfmt")).alias("_format"),
            pl.when(~found & pl.col("_line").str.contains(r"\S")).then(pl.lit(ERROR)).alias("_error"),
            *fields.drop("_any").get_columns(),
        )

    def _fields(self, text: pl.Series) -> pl.DataFrame:
        """Return one text column per key, and `_any` that tells whether a line has a pair."""
        left = pl.DataFrame({"_row": pl.int_range(len(text), dtype=pl.UInt32, eager=True), "_text": text})
        pieces: list[pl.DataFrame] = []
        for keys in self._shapes:
            values = groups.extract(left["_text"], _shape(keys))
            hit = values.to_series(0).is_not_null()
            if hit.any():
                values.columns = [column(key) or key for key in keys]
                pieces.append(values.with_columns(left["_row"], _any=True).filter(hit))
                left = left.filter(~hit)
            if not len(left):
                break
        if len(left):
            pieces.append(self._by_tokens(left, len(text)))
        whole = pieces[0] if len(pieces) == 1 else pl.concat(pieces, how="diagonal").sort("_row")
        return _unquote(whole.drop("_row"))

    def _by_tokens(self, left: pl.DataFrame, total: int) -> pl.DataFrame:
        """Return the pairs of lines in any order, and remember the sequences of keys that are common."""
        tokens = left.select("_row", pl.col("_text").str.extract_all(_WORD).alias("token")).explode("token")
        pairs = tokens.with_columns(pl.col("token").str.extract_groups(_PAIR)).unnest("token")
        self._learn(pairs, total)
        rows = left["_row"]
        found = rows.is_in(pairs.drop_nulls("key")["_row"].unique().implode()).alias("_any")
        return pl.concat([pl.DataFrame([rows, found]), spread(pairs, rows)], how="horizontal")

    def _learn(self, pairs: pl.DataFrame, total: int) -> None:
        """Remember the sequences of keys of many lines that are nothing but pairs with different keys."""
        sequences = pairs.group_by("_row").agg("key").group_by("key").len().sort("len", descending=True)
        for keys, count in sequences.head(_SHAPES).iter_rows():
            columns = {column(key) for key in keys if key is not None}
            regular = None not in keys and None not in columns and len(columns) == len(keys) <= _SHAPE_KEYS
            if regular and len(self._shapes) < _SHAPES and count >= total * _SHAPE_SHARE:
                self._shapes.append(tuple(keys))


def _shape(keys: Sequence[str]) -> str:
    """Return the pattern of a line that is exactly these keys with their values."""
    return r"^[\x00-\x20]*" + r"[\x00-\x20]+".join(re.escape(key) + "=" + _VALUE for key in keys) + r"[\x00-\x20]*$"


def _without_apostrophes(text: pl.Series) -> pl.Series:
    """Return the texts; in those of the Linux audit daemon the pairs within `msg='…'` are pairs as the others."""
    rows = text.str.contains(_AUDIT).arg_true()
    if not len(rows):
        return text
    return text.scatter(rows, text[rows].str.replace(" msg='", " ", literal=True).str.replace(r"'(\s|$)", "$1"))


def _audit(fields: pl.DataFrame) -> pl.DataFrame:
    """Return the fields with `msg=audit(<time>:<serial>):` taken apart."""
    if "msg" not in fields.columns:
        return fields
    stamp = groups.extract(fields["msg"], r"^audit\((?P<time>[0-9]{10}\.[0-9]{3}):(?P<serial>[0-9]+)\):$")
    if stamp["time"].null_count() == len(stamp):
        return fields
    return fields.with_columns(
        pl.coalesce([pl.lit(stamp[name]), *([name] if name in fields.columns else [])]).alias(name)
        for name in ("time", "serial")
    )


def _time(fields: pl.DataFrame, reading: Reading) -> pl.Series:
    """Return the times of the lines, from the first key that has a usable one."""
    times = pl.Series("_time_ns", [None], dtype=pl.Int64).new_from_index(0, len(fields))
    for name in _TIMES:
        if name in fields.columns and times.null_count():
            found = timestamp.iso(fields[name], reading.timezone)
            if found.null_count():
                found = found.zip_with(found.is_not_null(), timestamp.epoch_text(fields[name]))
            times = times.zip_with(times.is_not_null(), found)
    return times


def _unquote(values: pl.DataFrame) -> pl.DataFrame:
    """Return the values without quotes and escapes; columns that have none are left alone."""
    return values.with_columns(unquoted(series) for series in values.get_columns() if series.dtype == pl.String)


def unquoted(value: pl.Series) -> pl.Series:
    """Return values without the quotes and escapes of those that are quoted."""
    quoted = value.str.starts_with('"')
    if not quoted.any():
        return value
    inner = value.str.strip_prefix('"').str.strip_suffix('"')  # a bare value has no quotes at all
    escaped = quoted & inner.str.contains("\\", literal=True)
    if not escaped.any():
        return inner
    rows = escaped.fill_null(value=False).arg_true()
    return inner.scatter(rows, _unescaped(inner[rows]))


def _unescaped(inner: pl.Series) -> pl.Series:
    r"""Return texts without JSON's escapes; those with `\u` one by one, they are rare."""
    plain = inner.str.replace_many(
        ["\\\\", '\\"', "\\n", "\\t", "\\r", "\\/", "\\b", "\\f"], ["\\", '"', "\n", "\t", "\r", "/", "\b", "\f"]
    )
    coded = inner.str.contains("\\u", literal=True).arg_true()
    return plain.scatter(coded, [_json_text(text) for text in inner[coded]]) if len(coded) else plain


def _json_text(text: str) -> str:
    try:
        value: str = json.loads(f'"{text}"')
    except ValueError:
        return text
    return value.encode(errors="backslashreplace").decode()
