"""Entries of the systemd journal, as `journalctl -o json --all` writes them: one JSON object per line.

Comes in and goes out as `contracts.Parser` says, with one more duty: the entries of all services come as one flow, so
the label `service_name` of each row is made here, from the entry's unit. Unless the source was given a service name of
its own: then it stays.

`MESSAGE` becomes the line, `__REALTIME_TIMESTAMP` the time, `PRIORITY` the level; every other member is a field of its
own name, numbers as numbers where all of a turn are. Left out is `__CURSOR`, which names a place in one machine's
journal. A value that is no printable text comes as an array of its bytes, and one that was given several times as an
array of values: such messages are put together again, and kept exactly in `_raw` if they are not UTF-8. An entry that
is no JSON object stays as it is, with `_error`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.batch import field_column, stream_labels, stream_text
from tailrace.parse.json_decode import Decoder
from tailrace.parse.level import NUMBERS

if TYPE_CHECKING:
    from tailrace.contracts import Reading
    from tailrace.parse.json_decode import Decoded

ERROR: Final = "JournaldParserErr"

LEVELS: Final = {str(priority): NUMBERS[str(priority)] for priority in range(8)}
"""Levels by syslog priority: emergency, alert and critical are fatal, notice is informational."""

_MESSAGE: Final = "MESSAGE"
_TIME: Final = field_column("__REALTIME_TIMESTAMP")
_DROPPED: Final = (_TIME, field_column("__CURSOR"))
_BYTES: Final = r'[{,]\s*"MESSAGE"\s*:\s*\['  # a quote inside a string is escaped, so this is a key
_NUMBERS: Final = (
    "PRIORITY",
    "SYSLOG_FACILITY",
    "SYSLOG_PID",
    "CODE_LINE",
    "ERRNO",
    *(field_column(name) for name in ("_PID", "_UID", "_GID", "_SOURCE_REALTIME_TIMESTAMP", "__MONOTONIC_TIMESTAMP")),
)
_UNITS: Final = (field_column("_SYSTEMD_UNIT"), field_column("_SYSTEMD_USER_UNIT"))
_PROGRAMS: Final = ("SYSLOG_IDENTIFIER", field_column("_COMM"), field_column("_TRANSPORT"))
_SERVICE: Final = ".service"


class Journald:
    """Reads journal entries; remembers the members that it has seen."""

    name = "journald"

    def __init__(self) -> None:
        self._decoder = Decoder()

    def parse(self, lines: pl.DataFrame, reading: Reading, data: bytes | None = None) -> pl.DataFrame:
        """Return the rows with fields, time, level, message and the service of each."""
        decoded = self._decoder.decode(lines["_line"], data)
        fields = {name: decoded.fields[name] for name in decoded.fields.columns}
        none = pl.Series([None], dtype=pl.String).new_from_index(0, len(lines))
        time_us = fields.get(_TIME, none).cast(pl.Int64, strict=False)
        priority = fields.get("PRIORITY", none).cast(pl.String)
        frame = lines.with_columns(
            (time_us * 1_000).alias("_time_ns"),
            priority.replace_strict(LEVELS, default=None, return_dtype=pl.String).alias("_level"),
            pl.lit(self.name).alias("_format"),
            _streams(lines["_stream"], fields).alias("_stream"),
        )
        if reading.raw == "auto":
            frame = _with_messages(frame, fields)
        kept = [_typed(name, value) for name, value in fields.items() if name not in _DROPPED]
        return _mark(frame.with_columns(value for value in kept if value.null_count() < len(value)), decoded)


def _with_messages(frame: pl.DataFrame, fields: dict[str, pl.Series]) -> pl.DataFrame:
    """Put messages in the place of lines; an entry without one keeps its text."""
    message = fields.pop(_MESSAGE, None)
    if message is None:
        return frame
    whole = frame["_line"]
    frame = frame.with_columns(message.cast(pl.String).fill_null(whole).alias("_line"))
    if message.dtype != pl.String or not message.str.starts_with("[").any():
        return frame
    rows = whole.str.contains(_BYTES).arg_true()
    if not len(rows):
        return frame
    contents = [_content(json.loads(text)[_MESSAGE]) for text in whole[rows]]
    line = frame["_line"].scatter(rows, [content.decode(errors="replace") for content in contents])
    bad = {row: content for row, content in zip(rows, contents, strict=True) if not _is_utf8(content)}
    raw = pl.Series("_raw", [bad.get(row) for row in range(len(frame))], dtype=pl.Binary) if bad else None
    return frame.with_columns(line) if raw is None else frame.with_columns(line, raw)


def _content(value: object) -> bytes:
    """Return the bytes of a message: text, an array of bytes, or an array of such values."""
    if isinstance(value, list):
        if all(isinstance(each, int) and 0 <= each <= 0xFF for each in value):  # noqa: PLR2004  a byte
            return bytes(value)
        return b"\n".join(map(_content, value))
    return str(value).encode("utf-8", "surrogateescape")


def _is_utf8(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True


def _streams(stream: pl.Series, fields: dict[str, pl.Series]) -> pl.Series:
    """Return the stream of each row: its own, with the service of the row. One Python object per pair of them."""
    units = [fields[name].cast(pl.String) for name in _UNITS if name in fields]
    programs = [fields[name].cast(pl.String) for name in _PROGRAMS if name in fields]
    services = [pl.when(unit.str.ends_with(_SERVICE)).then(unit.str.strip_suffix(_SERVICE)) for unit in units]
    if not services and not programs:
        return stream
    pairs = pl.select(stream, pl.coalesce(*services, *programs).alias("service"))
    distinct = pairs.unique()
    named = [_named(text, service) for text, service in distinct.iter_rows()]
    table = distinct.with_columns(pl.Series("named", named, dtype=pl.String))
    found = pairs.join(table, on=["_stream", "service"], how="left", nulls_equal=True, maintain_order="left")
    return found["named"]


def _named(text: str, service: str | None) -> str:
    labels = stream_labels(text)
    if not service or labels.get("service_name") != labels.get("source"):
        return text
    return stream_text({**labels, "service_name": service})


def _typed(name: str, value: pl.Series) -> pl.Series:
    """Return values as numbers where the member is one and no text is lost by it."""
    if name in _NUMBERS and value.dtype == pl.String:
        numbers = value.cast(pl.Int64, strict=False)
        if (numbers.cast(pl.String) == value).all() and numbers.null_count() == value.null_count():
            return numbers.alias(name)
    return value.alias(name)


def _mark(frame: pl.DataFrame, decoded: Decoded) -> pl.DataFrame:
    """Add `_more` and `_error` where the decoder says so."""
    if decoded.more is not None:
        frame = frame.with_columns(decoded.more.alias("_more"))
    if decoded.failed is not None and decoded.failed.any():
        failed = pl.lit(decoded.failed)
        wrong = failed & pl.col("_line").str.contains(r"\S")  # a blank line is no error
        frame = frame.with_columns(
            pl.when(wrong).then(pl.lit(ERROR)).alias("_error"), pl.when(~failed).then("_format").alias("_format")
        )
    return frame
