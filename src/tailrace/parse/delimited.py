r"""CSV, TSV and W3C extended logs: cells between separators, with the names of the columns in a header.

Comes in and goes out as `contracts.Parser` says. The header is the first line of a file (offset 0; so each rotated
file has its own), the last `#Fields:` line before a row (W3C, as IIS writes it), or is declared with the format:
`csv:time,level,msg`. It separates by `;` if it has no comma. Values are text, except W3C's numbers; an empty cell is
absent, and `-` in W3C. The time is that of the columns `date` and `time`, or of the first one with a usual name that
can be read; the level that of `level`, `severity` and the like. `_line` stays whole; the header's own row has no
fields.

A cell in quotes may hold separators, doubled quotes, and newlines (`quoted` puts the lines of such a record together).
A row with more or fewer cells than the header keeps `_error`, with the fields that it has (what is too much is
`column_<number>`); so does a quote that is never closed, and a row without a known header.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.batch import columns_for
from tailrace.parse import level
from tailrace.parse.cef import text_time
from tailrace.parse.headers import HEADER
from tailrace.parse.outcome import empty
from tailrace.parse.pairs import column
from tailrace.parse.quoted import OPENS

if TYPE_CHECKING:
    from tailrace.contracts import Reading

RAGGED: Final = "CsvRaggedErr"
UNCLOSED: Final = "CsvUnclosedErr"
NO_HEADER: Final = "CsvHeaderErr"

LOOKS: Final = (
    r"^#(?:Software|Version|Date|Start-Date|End-Date|Fields|Remark): |"
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2} (?:[^ ]+ ){1,3}(?:GET|POST|HEAD|PUT|OPTIONS|DELETE) /"
)
"""What a line of W3C's format looks like, a directive or a request."""

_TIMES: Final = ("timestamp", "time", "ts", "datetime", "date", "_timestamp", "created_at", "event_time", "log_time")
_LEVELS: Final = ("level", "severity", "lvl", "loglevel", "log_level", "levelname", "error_severity")
_NUMBERS: Final = frozenset(
    {"sc_status", "sc_substatus", "sc_win32_status", "sc_bytes", "cs_bytes", "time_taken", "s_port", "c_port", "x_port"}
)


@dataclass(frozen=True, slots=True)
class _Style:
    name: str
    separators: str  # the first that the header has; the first of all if it has none
    directives: bool = False  # lines that begin with `#` are no data, `#Fields:` names the columns
    null: str = ""  # besides an empty cell


class Csv:
    """Reads values separated by commas, or by semicolons if the header is."""

    name = "csv"

    def __init__(self, columns: str = "") -> None:
        self._table = _Table(_Style("csv", ",;"), columns)

    def parse(self, lines: pl.DataFrame, reading: Reading, data: bytes | None = None) -> pl.DataFrame:  # noqa: ARG002  the seam
        """Return the rows with a field per column."""
        return self._table.read(lines, reading)


class Tsv:
    """Reads values separated by tabs."""

    name = "tsv"

    def __init__(self, columns: str = "") -> None:
        self._table = _Table(_Style("tsv", "\t"), columns.replace(",", "\t"))

    def parse(self, lines: pl.DataFrame, reading: Reading, data: bytes | None = None) -> pl.DataFrame:  # noqa: ARG002  the seam
        """Return the rows with a field per column."""
        return self._table.read(lines, reading)


class W3c:
    """Reads the W3C extended log format, as IIS and proxies write it."""

    name = "w3c"

    def __init__(self, columns: str = "") -> None:
        header = f"#Fields: {columns.replace(',', ' ')}" if columns else ""
        self._table = _Table(_Style("w3c", " \t", directives=True, null="-"), header)

    def parse(self, lines: pl.DataFrame, reading: Reading, data: bytes | None = None) -> pl.DataFrame:  # noqa: ARG002  the seam
        """Return the rows with a field per column; times are UTC, as the format has it."""
        return self._table.read(lines, reading)


class _Table:
    """Rows of one style; remembers the header of each stream until a new one comes."""

    def __init__(self, style: _Style, declared: str) -> None:
        self._style = style
        self._declared = declared
        self._headers: dict[str, str] = {}

    def read(self, lines: pl.DataFrame, reading: Reading) -> pl.DataFrame:
        """Return the rows with their fields, time, level, format and error."""
        text = lines["_line"].str.strip_prefix("\ufeff")
        headers = self._header_of(lines, text)
        blank = ~text.str.contains(r"\S")
        data = ~blank & (text != headers).fill_null(value=True)
        if self._style.directives:
            data &= ~text.str.starts_with("#")
        unclosed = data & (text.str.count_matches('"', literal=True) % 2 == 1) & text.str.contains(OPENS)
        cells = _Cells(len(lines))
        for header in headers.filter(data & headers.is_not_null()).unique(maintain_order=True):
            rows = (data & (headers == header) & ~unclosed).fill_null(value=False).arg_true()
            if len(rows):
                cells.add(rows, text[rows], header, self._style)
        return self._outcome(lines, cells, data & headers.is_null(), unclosed, reading)

    def _header_of(self, lines: pl.DataFrame, text: pl.Series) -> pl.Series:
        """Return the header of each row: the declared, the caller's, or the last one of its stream."""
        if self._declared:
            return pl.Series([self._declared]).new_from_index(0, len(lines))
        if HEADER in lines.columns:
            return lines[HEADER]
        own = text.str.starts_with("#Fields:") if self._style.directives else lines["_offset"] == 0
        frame = pl.DataFrame({"stream": lines["_stream"], "header": text, "own": own})
        frame = frame.with_columns(pl.when("own").then("header").forward_fill().over("stream").alias("header"))
        known = pl.col("stream").replace_strict(self._headers, default=None, return_dtype=pl.String)
        if self._headers:
            frame = frame.with_columns(pl.coalesce("header", known).alias("header"))
        self._headers |= dict(
            frame.drop_nulls("header").group_by("stream").last().select("stream", "header").iter_rows()
        )
        return frame["header"]

    def _outcome(
        self, lines: pl.DataFrame, cells: _Cells, unknown: pl.Series, unclosed: pl.Series, reading: Reading
    ) -> pl.DataFrame:
        fields = cells.columns(self._style)
        timezone = "UTC" if self._style.directives else reading.timezone
        error = (
            pl.when(pl.lit(unknown))
            .then(pl.lit(NO_HEADER))
            .when(pl.lit(unclosed))
            .then(pl.lit(UNCLOSED))
            .when(pl.lit(cells.ragged))
            .then(pl.lit(RAGGED))
        )
        levels = [level.from_value(fields[name]) for name in _usual(fields, _LEVELS)]
        frame = lines.drop(HEADER, strict=False).with_columns(
            *([] if "_time_ns" in lines.columns else [_times(fields, lines, timezone).alias("_time_ns")]),
            *(series for series in fields.values() if series.null_count() < len(series)),
            pl.coalesce([*(pl.lit(found) for found in levels), pl.lit(None, pl.String)]).alias("_level"),
            error.alias("_error"),
        )
        return frame.with_columns(pl.when(pl.col("_error").is_null()).then(pl.lit(self._style.name)).alias("_format"))


class _Cells:
    """The cells of rows, by the header that names them."""

    def __init__(self, height: int) -> None:
        self._height = height
        self._pieces: list[tuple[pl.Series, dict[str, pl.Series]]] = []
        self.ragged = pl.Series([False]).new_from_index(0, height)

    def add(self, rows: pl.Series, text: pl.Series, header: str, style: _Style) -> None:
        """Take the records at some rows, all of one header."""
        names_text = header.removeprefix("#Fields:").strip(" ") if style.directives else header
        sign = next((each for each in style.separators if each in names_text), style.separators[0])
        names = _names(_split(pl.Series([names_text]), sign).to_list()[0])
        tabs = text.str.contains("\t", literal=True) & style.directives & (sign == " ")
        if not tabs.any():
            self._take(rows, _split(text, sign), names)
            return
        # CloudFront has blanks between the names and tabs between the values.
        for some, mark in ((tabs, "\t"), (~tabs, sign)):
            if some.any():
                self._take(rows.filter(some), _split(text.filter(some), mark), names)

    def _take(self, rows: pl.Series, cells: pl.Series, names: list[str]) -> None:
        sizes = cells.list.len()
        self.ragged = self.ragged.scatter(rows, sizes != len(names))
        widest = min(sizes.to_frame("size").select(pl.col("size").max()).item(), columns_for(self._height))
        names = names + [f"column_{number + 1}" for number in range(len(names), widest)]
        found = {name: cells.list.get(place, null_on_oob=True) for place, name in enumerate(names[:widest]) if name}
        self._pieces.append((rows, found))

    def columns(self, style: _Style) -> dict[str, pl.Series]:
        """Return one column per name, over all rows; empty cells are null."""
        merged: dict[str, pl.Series] = {}
        for rows, found in self._pieces:
            for name, values in found.items():
                whole = merged.get(name, empty(pl.String, self._height))
                merged[name] = whole.scatter(rows, values.replace(dict.fromkeys(("", style.null))))
        if style.directives:
            for name in _NUMBERS & merged.keys():
                merged[name] = merged[name].str.to_integer(strict=False)
        return {name: values.alias(name) for name, values in merged.items()}


def _names(cells: list[str | None]) -> list[str]:
    """Return the columns of a header's cells; a name that comes again gets a number, one that is none is empty."""
    names: list[str] = []
    for place, cell in enumerate(cells):
        name = (column((cell or "").strip()) or "").rstrip("_")  # of a quote that is not closed nothing is left
        names.append(f"{name}_{place + 1}" if name in names else name)
    return names


def _split(text: pl.Series, sign: str) -> pl.Series:
    """Return the cells of records; those in quotes without them."""
    quoted = text.str.contains('"', literal=True)
    if not quoted.any():
        return text.str.split(sign)
    mark = {"\t": r"\t"}.get(sign, sign)
    rows = quoted.arg_true()
    # Each cell takes a separator with it, so that an empty one at the end is found as well.
    pattern = rf'(?:"(?:[^"]|"")*"[^{mark}]*|[^{mark}]*){mark}'
    tokens = (text[rows] + sign).str.extract_all(pattern).list.eval(_cell(pl.element(), sign))
    plain = (~quoted).arg_true()
    return pl.concat([text[plain].str.split(sign), tokens])[pl.concat([plain, rows]).arg_sort()]


def _cell(token: pl.Expr, sign: str) -> pl.Expr:
    bare = token.str.strip_suffix(sign)
    inner = bare.str.extract(r'^(?s:"(.*)"[^"]*)$').str.replace_all('""', '"', literal=True)
    return pl.when(bare.str.starts_with('"')).then(inner).otherwise(bare)


def _usual(fields: dict[str, pl.Series], wanted: tuple[str, ...]) -> list[str]:
    """Return the columns that have usual names in any case, in the order of the names."""
    lower = {name.lower(): name for name in fields}
    return [lower[name] for name in wanted if name in lower]


def _times(fields: dict[str, pl.Series], lines: pl.DataFrame, timezone: str) -> pl.Series:
    """Return the times of the rows."""
    times = empty(pl.Int64, len(lines))
    lower = {name.lower(): name for name in fields}
    columns = [fields[name] for name in _usual(fields, _TIMES)]
    if "date" in lower and "time" in lower:
        columns.insert(0, fields[lower["date"]] + " " + fields[lower["time"]])
    for text in columns:
        if times.null_count():
            found = text_time(text, lines["_observed_ns"], timezone)
            times = times.zip_with(times.is_not_null(), found)
    return times
