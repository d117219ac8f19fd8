"""Lines on their way through a pipeline: a frame in which every label is text, beside where it comes from.

Columns: the envelope columns that were asked for, and per label `stream.<name>`, `meta.<name>` or
`parsed.<name>`, null where the label is absent. At most one of the three holds a value in a row, so a label
is the first of them that does. `gone.<name>` marks rows where a parsed label was dropped: it is not
parsed again. `owned.<name>` marks rows whose stream has the label, though the query took it away.
The rules of clashes between the three are in `with_parsed`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.query.result import META, PARSED, STREAM

if TYPE_CHECKING:
    from collections.abc import Iterable

ERROR: Final = "__error__"
DETAILS: Final = "__error_details__"
ERRORS: Final = frozenset({ERROR, DETAILS})
SOURCES: Final = (STREAM, META, PARSED)
_FOUND: Final = "found."
_GONE: Final = "gone."
_OWNED: Final = "owned."


@dataclass(frozen=True, slots=True)
class Rows:
    """Some lines with their labels."""

    frame: pl.DataFrame

    def names(self) -> list[str]:
        """Return the names of all labels that a row may have, sorted."""
        return sorted({column.partition(".")[2] for column in self.frame.columns if column.startswith(SOURCES)})

    def columns(self, name: str) -> list[str]:
        """Return the columns that may hold a label."""
        return [column for prefix in SOURCES if (column := prefix + name) in self.frame.columns]

    def label(self, name: str) -> pl.Expr:
        """Return a label's text, null where it is absent."""
        columns = self.columns(name)
        return pl.coalesce(columns) if columns else pl.lit(None, pl.String)

    def owned(self, name: str) -> pl.Expr:
        """Return in which rows the stream has a label, be it gone by now: a parsed one is `<name>_extracted` there."""
        here = pl.col(STREAM + name).is_not_null() if STREAM + name in self.frame.columns else pl.lit(value=False)
        return (pl.col(_OWNED + name) | here) if _OWNED + name in self.frame.columns else here

    def series(self, value: pl.Expr) -> pl.Series:
        """Return a value per row; one that reads no column comes once per row too."""
        return self.frame.with_columns(value.alias("\0value"))["\0value"]

    def where(self, condition: pl.Expr) -> Rows:
        """Return the rows that fulfil a condition."""
        return Rows(self.frame.filter(condition))

    def with_line(self, line: pl.Expr | pl.Series) -> Rows:
        """Return the rows with another line, of which the store knows nothing."""
        known = ["_format"] if "_format" in self.frame.columns else []
        return Rows(self.frame.with_columns(line.alias("_line")).drop(known))

    def with_error(self, failed: pl.Expr, kind: str, details: pl.Expr | str) -> Rows:
        """Mark lines that failed in a stage; an earlier error stays."""
        text = pl.lit(details) if isinstance(details, str) else details
        fresh = failed & self.label(ERROR).is_null()
        return Rows(
            self.frame.with_columns(
                pl.when(fresh).then(pl.lit(kind)).otherwise(self.label(ERROR)).alias(PARSED + ERROR),
                pl.when(fresh).then(text).otherwise(self.label(DETAILS)).alias(PARSED + DETAILS),
            )
        )

    def with_parsed(self, found: pl.DataFrame) -> Rows:
        """Add what a parser found: one String column per label, null where a line lacks it.

        A label that the stream or the record's fields have keeps its value and the parsed one is called
        `<name>_extracted`; of several parsed values the first stays.
        """
        frame = self.frame.hstack([column.alias(_FOUND + column.name) for column in found])
        for name in found.columns:
            frame = _take(frame, name)
        return Rows(frame.drop(_FOUND + name for name in found.columns))

    def assigned(self, name: str, value: pl.Series, where: pl.Series) -> Rows:
        """Set a label in some rows, wherever it came from there; it is a parsed one from now on."""
        columns = self.columns(name)
        here = pl.lit(where)
        hidden = [pl.when(~here).then(pl.col(c)).alias(c) for c in columns if not c.startswith(PARSED)]
        before = pl.col(PARSED + name) if PARSED + name in columns else pl.lit(None, pl.String)
        new = pl.when(here).then(pl.lit(value)).otherwise(before).alias(PARSED + name)
        return Rows(self._disowned(name).with_columns(*hidden, new))

    def without(self, name: str, where: pl.Expr | None = None) -> Rows:
        """Remove a label, everywhere or in the rows of a condition."""
        columns = self.columns(name)
        if not columns:
            return self
        hit = pl.lit(value=True) if where is None else where
        frame = self._disowned(name)
        if PARSED + name in columns and not name.startswith("__error"):
            before = pl.col(_GONE + name) if _GONE + name in frame.columns else pl.lit(value=False)
            frame = frame.with_columns((before | (hit & pl.col(PARSED + name).is_not_null())).alias(_GONE + name))
        if where is None:
            return Rows(frame.drop(columns))
        return Rows(frame.with_columns(pl.when(~hit).then(pl.col(column)).alias(column) for column in columns))

    def _disowned(self, name: str) -> pl.DataFrame:
        """Return the frame with a note of which streams have a label that is about to go."""
        if STREAM + name not in self.frame.columns:
            return self.frame
        return self.frame.with_columns(self.owned(name).alias(_OWNED + name))

    def errors(self) -> pl.DataFrame:
        """Return the rows that carry an error."""
        return self.frame.filter(self.label(ERROR).is_not_null()) if self.columns(ERROR) else self.frame.clear()


def _take(frame: pl.DataFrame, name: str) -> pl.DataFrame:
    """Move a found label to its place among the parsed ones."""
    found = pl.col(_FOUND + name)
    free = ~pl.col(_GONE + name) if _GONE + name in frame.columns else pl.lit(value=True)
    owners = [column for prefix in (STREAM, META) if (column := prefix + name) in frame.columns]
    if not owners and _OWNED + name not in frame.columns:
        return frame.with_columns(_first(frame, PARSED + name, pl.when(free).then(found)))
    owned = pl.any_horizontal(Rows(frame).owned(name), *(pl.col(column).is_not_null() for column in owners))
    renamed = name + "_extracted"
    moved = pl.when(owned).then(found)
    columns = [
        _first(frame, PARSED + name, pl.when(~owned & free).then(found)),
        _first(frame, PARSED + renamed, moved),
    ]
    if META + renamed in frame.columns:  # metadata and parsed both want the name: parsed wins
        columns.append(pl.when(moved.is_null()).then(pl.col(META + renamed)).alias(META + renamed))
    return frame.with_columns(columns)


def _first(frame: pl.DataFrame, column: str, value: pl.Expr) -> pl.Expr:
    return (pl.coalesce(column, value) if column in frame.columns else value).alias(column)


def present(names: Iterable[str], rows: Rows) -> list[pl.Expr]:
    """Return the labels of these names as columns of the same names."""
    return [rows.label(name).alias(name) for name in names]
