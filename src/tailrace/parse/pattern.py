"""Lines of a format that a user declared by a pattern.

Comes in and goes out as `contracts.Parser` says: one field per named group, typed as declared; a group that took no
part is null. A line that does not match keeps `_error`, except a blank one; so does a line with a value that
does not fit its type: the value stays as text in `<field>_extracted`, nothing is lost. `-` for a number is no value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.batch import field_column
from tailrace.parse import groups, level, time_format, timestamp
from tailrace.parse.json_lines import JsonLines
from tailrace.parse.logfmt import Logfmt
from tailrace.patterns.regex import groups_of

if TYPE_CHECKING:
    from tailrace.contracts import Reading
    from tailrace.patterns.settings import PatternSettings

ERROR: Final = "PatternParserErr"
TYPE_ERROR: Final = "PatternTypeErr"

_ABSENT: Final = ("", "-")  # of a field with a type: no value, rather than a wrong one
_TRUE: Final = ("true", "t", "yes", "y", "on", "1")
_FALSE: Final = ("false", "f", "no", "n", "off", "0")


class Pattern:
    """Reads lines by one `PatternSettings`."""

    def __init__(self, settings: PatternSettings) -> None:
        self.name = settings.name
        self._settings = settings
        self._fields = groups_of(settings.expression)
        self._nested = {name: JsonLines() if kind == "json" else Logfmt() for name, kind in settings.nested.items()}

    def parse(self, lines: pl.DataFrame, reading: Reading, data: bytes | None = None) -> pl.DataFrame:  # noqa: ARG002  the seam
        """Return the rows with a field per group."""
        text = lines["_line"]
        found = groups.extract(text, self._settings.expression).select(self._fields)
        matched = self._matched(text, found)
        columns, misfit = self._columns(found, lines, reading)
        error: pl.Expr = pl.when(pl.lit(misfit)).then(pl.lit(TYPE_ERROR))
        if not matched.all():
            unmatched = ~pl.lit(matched) & pl.lit(text).str.contains(r"\S")
            error = pl.when(unmatched).then(pl.lit(ERROR)).otherwise(error)
        frame = lines.with_columns(
            *columns,
            *self._times(found, lines, reading),
            *self._message(found, text, reading),
            *self._levels(found, text),
            pl.when(pl.lit(matched)).then(pl.lit(self.name)).alias("_format"),
            error.alias("_error"),
        )
        for field in self._nested:
            frame = self._unfold(field, found[field], frame, reading)
        return frame

    def _matched(self, text: pl.Series, found: pl.DataFrame) -> pl.Series:
        """Return which texts match; a text that does may still have no group, so those are matched again."""
        matched = found.select(pl.any_horizontal(pl.all().is_not_null())).to_series()
        if matched.all():
            return matched
        rows = (~matched).arg_true()
        return matched.scatter(rows, text[rows].str.contains(self._settings.expression))

    def _columns(self, found: pl.DataFrame, lines: pl.DataFrame, reading: Reading) -> tuple[list[pl.Series], pl.Series]:
        """Return the fields, and the rows with a value that does not fit its type."""
        misfit = pl.Series([False]).new_from_index(0, len(found))
        columns: list[pl.Series] = []
        for field in self._fields:
            whole = field == self._settings.message and reading.raw == "auto"
            if field in self._nested or whole or field == self._settings.time:
                continue
            value = found[field]
            typed = self._typed(field, value, lines, reading)
            if typed.null_count() > value.null_count():
                bad = (typed.is_null() & ~value.is_in(_ABSENT)).fill_null(value=False)
                misfit |= bad
                kept = value.zip_with(bad, value.clear(1))
                columns.append(kept.alias(f"{field_column(field)}_extracted"))
            columns.append(typed.alias(field_column(field)))
        return [column for column in columns if column.null_count() < len(column)], misfit

    def _typed(self, field: str, value: pl.Series, lines: pl.DataFrame, reading: Reading) -> pl.Series:
        match self._settings.type_of(field):
            case "int":
                return value.str.to_integer(strict=False)
            case "float":
                return value.cast(pl.Float64, strict=False)
            case "bool":
                lower = pl.col("value").str.to_lowercase()
                truth = pl.when(lower.is_in(_TRUE)).then(pl.lit(True)).when(lower.is_in(_FALSE)).then(pl.lit(False))
                return value.alias("value").to_frame().select(truth.alias(field))[field]
            case "time":
                times = timestamp.leading(value, lines["_observed_ns"], reading.timezone)
                return times.to_frame("ns").select(
                    pl.from_epoch(pl.col("ns"), "ns").dt.strftime("%Y-%m-%dT%H:%M:%S%.9fZ")
                )["ns"]
        return value

    def _times(self, found: pl.DataFrame, lines: pl.DataFrame, reading: Reading) -> list[pl.Series]:
        """Return `_time_ns`, except inside a container's line: the runtime's time counts there."""
        if "_time_ns" in lines.columns:
            time = self._settings.time
            return [found[time].alias(field_column(time))] if time else []
        if not self._settings.time:
            return timestamp.no_time(lines)
        name, value = self._settings.time, found[self._settings.time]
        if self._settings.time_format:
            times = time_format.formatted(value, self._settings.time_format, lines["_observed_ns"], reading.timezone)
        else:
            times = timestamp.leading(value, lines["_observed_ns"], reading.timezone)
        if times.null_count() == value.null_count():
            return [times.alias("_time_ns")]
        unread = value.zip_with(times.is_null(), value.clear(1))  # text that is no time stays as a field
        return [times.alias("_time_ns"), unread.alias(field_column(name))]

    def _message(self, found: pl.DataFrame, text: pl.Series, reading: Reading) -> list[pl.Series]:
        if not self._settings.message or reading.raw == "keep":
            return []
        message = found[self._settings.message]
        return [message.zip_with(message.is_not_null(), text).alias("_line")]

    def _levels(self, found: pl.DataFrame, text: pl.Series) -> list[pl.Series]:
        levels = level.from_value(found[self._settings.level]) if self._settings.level else level.from_text(text)
        return [levels.alias("_level")]

    def _unfold(self, field: str, value: pl.Series, frame: pl.DataFrame, reading: Reading) -> pl.DataFrame:
        """Add the fields of a record within a field; text that is none stays as the field."""
        inner = frame.select(_line=value, _observed_ns="_observed_ns", _time_ns="_time_ns")
        record = self._nested[field].parse(inner.with_columns(pl.col("_line").fill_null("")), reading)
        broken = record["_error"] if "_error" in record.columns else pl.Series([None] * len(record), dtype=pl.String)
        kept = [
            series for series in record.get_columns() if not series.name.startswith("_") or series.name.startswith("__")
        ]
        taken = {series.name: f"{series.name}_extracted" for series in kept if series.name in frame.columns}
        text = value.to_frame("text").select(pl.when(pl.lit(broken.is_not_null())).then("text"))["text"]
        extra = [] if text.null_count() == len(text) else [text.alias(field_column(field))]
        return frame.with_columns(*(series.alias(taken.get(series.name, series.name)) for series in kept), *extra)
