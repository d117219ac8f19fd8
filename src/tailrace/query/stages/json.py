"""`| json`: labels from a line that is a JSON object; `| json label="a.b[0]"`: some values only."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

import polars as pl

from tailrace.batch import sanitize_name
from tailrace.query import json_paths, json_shapes, parsed
from tailrace.query.json_labels import read_object
from tailrace.query.rows import ERRORS
from tailrace.query.stages.extracts import Extract, parse_extracts

if TYPE_CHECKING:
    from tailrace.query.cursor import Cursor, Source
    from tailrace.query.needs import Needs
    from tailrace.query.pushdown import Scan
    from tailrace.query.rows import Rows

ERROR = "JSONParserErr"
_PATH_HINT = 'for example a.b[0] or a["b c"]'


@dataclass(frozen=True, slots=True)
class Json:
    """Reads the line as a JSON object; nested names are joined by `_`. With extracts, only those values."""

    keyword: ClassVar[str] = "json"
    extracts: tuple[Extract, ...] = ()
    at: int = field(default=0, compare=False, repr=False)

    @classmethod
    def parse(cls, cursor: Cursor) -> Json:
        """Read the stage."""
        at = cursor.next().at
        return cls(parse_extracts(cursor), at)

    def check(self, source: Source) -> None:
        """Refuse what is no path."""
        for extract in self.extracts:
            path = json_paths.read_path(extract.place)
            if isinstance(path, int):
                raise source.error("this is no path of JSON keys", source.inside(extract.at, path), _PATH_HINT)

    def skips(self, stored: str | None) -> bool:
        """Tell whether lines of this `_format` have these labels as fields already."""
        return not self.extracts and self._stored(stored)

    @classmethod
    def _stored(cls, stored: str | None) -> bool:
        return stored is not None and stored.partition(":")[0] == "json"

    def needs(self, after: Needs) -> Needs:
        """Read the line, unless no label is wanted: then nothing is parsed and bad lines count."""
        fields = frozenset(_field(_path(extract))[0] for extract in self.extracts)
        return after.plus(fields, line=True, parses=True) if after.labels else after

    def push(self, scan: Scan, after: Needs) -> bool:
        """Do nothing for lines that were taken apart when they were stored, or when no label is wanted."""
        return not after.labels or scan.already_parsed(self)

    def apply(self, rows: Rows, after: Needs) -> Rows:
        """Add the labels of each line that the store did not take apart."""
        if not self.extracts:
            return parsed.read_lines(rows, self, read_object, ERROR, after, quick=_quick)
        stored = parsed.stored_as(rows, self._stored)
        texts = rows.frame["_line"]
        # A record without a message, or kept raw, is stored with its text: that says more than the columns.
        whole = parsed.stored_as(rows, lambda name: name == "json") & texts.str.starts_with("{")
        by_field = (stored & ~whole).fill_null(value=False)
        lines = texts.zip_with(~by_field & (texts != ""), texts.clear(1))
        bad = (~lines.str.contains(r'^[{\["]')).fill_null(value=False)
        lines = lines.zip_with(~bad, lines.clear(1))
        values = {extract.label: _found(rows, lines, by_field, _path(extract)) for extract in self.extracts}
        rows = parsed.with_extracts(rows, values, lines.is_not_null() | by_field, stored)
        return rows.with_error(pl.lit(bad), ERROR, "the line is no JSON") if bad.any() else rows

    def __str__(self) -> str:
        return " ".join(["| json", ", ".join(map(str, self.extracts))]).rstrip()


def _quick(lines: pl.Series, after: Needs) -> tuple[pl.DataFrame, pl.Series]:
    return json_shapes.read(lines, lambda name: name not in ERRORS and after.wants(name))


def _path(extract: Extract) -> json_paths.Path:
    path = json_paths.read_path(extract.place)
    assert not isinstance(path, int)  # checked with the query
    return path


def _field(path: json_paths.Path) -> tuple[str, json_paths.Path]:
    """Return the field of a stored record that holds a path's value, and the path within its text."""
    keys = next((place for place, step in enumerate(path) if isinstance(step, int)), len(path))
    return sanitize_name("_".join(map(str, path[:keys]))), path[keys:]


def _found(rows: Rows, lines: pl.Series, by_field: pl.Series, path: json_paths.Path) -> pl.Series:
    """Return the value at a path in each line, or in the field that was made of it; null where there is none."""
    found = lines.clear(1).new_from_index(0, len(lines))
    rest = lines
    if len(lines) >= parsed.QUICK_LINES:
        found, fits = json_shapes.read_value(lines, path)
        found, rest = found.zip_with(fits, lines.clear(1)), lines.zip_with(~fits, lines.clear(1))
    if rest.null_count() < len(rest):
        exact = parsed.per_line(rest, lambda line: json_paths.find(line, path))
        found = exact.zip_with(rest.is_not_null(), found)
    if not by_field.any():
        return found
    name, inner = _field(path)
    stored = rows.series(rows.label(name)).zip_with(by_field, found.clear(1))
    if inner:
        stored = parsed.per_line(stored, lambda text: json_paths.find(text, inner))
    return stored.zip_with(by_field, found)
