"""Answers as a table with one column per label: CSV and Parquet.

Columns: `time`, one per stream label, one per field, `line`; or `time`, one per label, `value`. A name
that is taken already gets `_extracted` behind it, as in LogQL. Lines that come in pages have the columns of a `Layout`,
so that all pages are one table.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.query.render.columns import fields, pieces, stream_labels, time_text
from tailrace.query.render.series import value_text
from tailrace.query.result import META, PARSED, STREAM, Lines

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from tailrace.query.result import Series

_FORMULA: Final = r"^[=+\-@\t\r]"
_PLAIN_NUMBER: Final = r"^[+-]\d+\.?\d*$"


LEVEL: Final = "level"
DETECTED: Final = "detected_level"
_KINDS: Final = (PARSED, META, STREAM)


@dataclass(frozen=True, slots=True)
class Layout:
    """The columns between `time` and `line` of a table of lines: those of its labels and fields, or those chosen."""

    streams: frozenset[str] = frozenset()
    fields: frozenset[str] = frozenset()
    chosen: tuple[str, ...] | None = None

    def joined(self, other: Layout) -> Layout:
        """Return the columns of both."""
        return Layout(self.streams | other.streams, self.fields | other.fields, self.chosen)


def layout_of(frame: pl.DataFrame) -> Layout:
    """Return the columns that the lines of a frame need."""
    return Layout(frozenset(stream_labels(frame)), frozenset(fields(frame)))


def laid_out(frame: pl.DataFrame, layout: Layout) -> pl.DataFrame:
    """Return the table of lines, with `_time_ns` for the exact time; all but that is text, null where a line has none.

    A chosen name is what the query parsed, else a field, else a stream label.
    """
    columns = {"_time_ns": pl.col("_time_ns")}
    if layout.chosen is not None:
        for name in layout.chosen:
            columns[_free(name, columns)] = _of(frame, name, _KINDS)
    else:
        for name in sorted(layout.streams):
            columns[_free(name, columns)] = _of(frame, name, (STREAM,))
        for name in sorted(layout.fields):
            columns[_free(name, columns)] = _of(frame, name, (PARSED, META))
    return frame.select(**columns, line=pl.col("_line"))


def only_chosen(frame: pl.DataFrame, chosen: Collection[str]) -> pl.DataFrame:
    """Return lines without the labels and fields that are not among the chosen ones."""
    kept = [name for name in frame.columns if not name.startswith(_KINDS) or name.partition(".")[2] in chosen]
    leveled = LEVEL in chosen or DETECTED in chosen
    return frame.select(kept) if leveled else frame.select(kept).with_columns(_level=pl.lit(None, pl.String))


def _of(frame: pl.DataFrame, name: str, kinds: Collection[str]) -> pl.Expr:
    there = [column for kind in kinds if (column := f"{kind}{name}") in frame.columns]
    leveled = (LEVEL, DETECTED) if kinds == _KINDS else (LEVEL,)
    if name in leveled and META in kinds and "_level" in frame.columns:
        there.append("_level")
    return pl.coalesce(there) if there else pl.lit(None, pl.String)


def sheet(answer: Lines | Series) -> pl.DataFrame:
    """Return the table of an answer, with `_time_ns` for the exact time."""
    if isinstance(answer, Lines):
        return laid_out(answer.frame, layout_of(answer.frame))
    return _samples(answer)


def csv(table: pl.DataFrame, *, guard: bool = True, header: bool = True) -> Iterator[str]:
    """Yield the table as CSV, header first; times as RFC 3339.

    With `guard` a cell that a spreadsheet would run as a formula gets a `'` in front.
    """
    shown = table.with_columns(_time_ns=time_text()).rename({"_time_ns": "time"})
    if shown.schema.get("value") == pl.Float64():
        shown = shown.with_columns(value_text())
    if guard:
        texts = [name for name, dtype in shown.schema.items() if dtype == pl.String() and name != "value"]
        shown = shown.with_columns(_guarded(name) for name in texts)
    if header:
        yield shown.head(0).write_csv()
    for piece in pieces(shown):
        yield piece.write_csv(include_header=False)


def parquet(table: pl.DataFrame) -> bytes:
    """Return the table as a Parquet file, compressed with zstd; `time` is a timestamp in nanoseconds."""
    buffer = io.BytesIO()
    stamped(table).write_parquet(buffer, compression="zstd")
    return buffer.getvalue()


def stamped(table: pl.DataFrame) -> pl.DataFrame:
    """Return the table with its time as a timestamp in nanoseconds, `time`."""
    time = pl.from_epoch("_time_ns", "ns").dt.replace_time_zone("UTC")
    return table.with_columns(time).rename({"_time_ns": "time"})


def _samples(series: Series) -> pl.DataFrame:
    names = sorted({name for labels in series.labels for name in labels})
    columns = {"_time_ns": pl.col("_time_ns")}
    for name in names:
        texts = [labels.get(name) for labels in series.labels]
        column = pl.Series("label", texts, dtype=pl.String)
        columns[_free(name, columns)] = pl.lit(column).gather(pl.col("series"))
    return series.frame.select(**columns, value=pl.col("value"))


def _free(name: str, taken: Collection[str]) -> str:
    return f"{name}_extracted" if name in {*taken, "time", "line", "value"} else name


def _guarded(name: str) -> pl.Expr:
    column = pl.col(name)
    risky = column.str.contains(_FORMULA) & ~column.str.contains(_PLAIN_NUMBER)
    return pl.when(risky).then(pl.lit("'") + column).otherwise(column).alias(name)
