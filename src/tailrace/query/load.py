"""The table's rows as `Rows`: typed fields become text, streams become labels, clashes get their names.

In: frames with columns of the table. Out: `Rows` with the labels that are needed, and no others. `columns` says
which columns of the table that takes, so that a scan reads nothing else.

A field may lie in several columns (one per type), in the JSON column `_more` (beyond the column limit), or
be the line itself: the message of a JSON record is stored once, as `_line`, and `_format` names it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.batch import ENVELOPE, column_field, is_field, stream_labels
from tailrace.limits import FIELD_COLUMNS
from tailrace.query import values
from tailrace.query.result import META, STREAM
from tailrace.query.rows import Rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tailrace.contracts import Snapshot
    from tailrace.query.needs import Needs

VIRTUAL: Final[Mapping[str, str]] = {"detected_level": "_level", "detected_error": "_error"}
"""Labels that ingest found out and that are read when a query names them, with their columns."""

UNKNOWN: Final = "unknown"
"""What `detected_level` is of a line in which no level was found; its column holds null."""

_EXTRACTED: Final = "_extracted"


@dataclass(frozen=True, slots=True)
class Fields:
    """The fields of a snapshot and where they lie."""

    columns: Mapping[str, Sequence[str]]
    types: Mapping[str, pl.DataType]
    crowded: bool

    @classmethod
    def of(cls, snapshot: Snapshot) -> Fields:
        """Group the snapshot's columns by field."""
        names = [column_field(column) for column in snapshot.columns if is_field(column)]
        found = {name: tuple(snapshot.variants(name)) for name in names}
        second = {column_field(column) for columns in found.values() for column in columns[1:]}
        columns = {name: columns for name, columns in found.items() if columns and name not in second}
        return cls(columns, snapshot.columns, len(names) >= FIELD_COLUMNS)

    def typed(self, name: str) -> Mapping[str, pl.DataType]:
        """Return the columns of a field with their types."""
        return {column: self.types[column] for column in self.columns.get(name, ())}

    def maybe_more(self, name: str) -> bool:
        """Tell whether the field may lie in `_more`."""
        return self.crowded or name not in self.columns


@dataclass(frozen=True, slots=True)
class Loader:
    """Makes `Rows` of what a scan gives."""

    fields: Fields
    streams: pl.DataFrame  # `_stream` and its labels, see stream_table
    needs: Needs
    formats: frozenset[str | None]
    kept: tuple[str, ...] = ()  # envelope columns that stay in the rows
    _names: list[str] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        """Work out once which fields are read."""
        if self.needs.every:
            unread = {name for name in self.needs.but if STREAM + name not in self.streams.columns}  # a clash names it
            unread = set() if self.needs.parses else unread  # so does one with a label that is parsed
            self._names.extend(name for name in self.fields.columns if name not in unread)
        for name in sorted(self.needs.names):
            base = name.removesuffix(_EXTRACTED)
            owned = STREAM + base in self.streams.columns or base in self.fields.columns or self.fields.crowded
            wanted = (name, base) if base != name and owned else (name,)
            self._names.extend(found for found in wanted if found not in self._names and self._stored(found))

    def _stored(self, name: str) -> bool:
        return name not in VIRTUAL or name in self.fields.columns

    def columns(self) -> dict[str, pl.DataType]:
        """Return the columns of the table that the rows are made from."""
        names = list(self.kept)
        if self.needs.line:
            names.append("_line")
        if self._stream_names():
            names.append("_stream")
        names.extend(column for name, column in VIRTUAL.items() if name in self.needs.names)
        for name in self._names:
            if not self._always_stream(name, clash=False):  # else its values are the stream's, and none is read
                names.extend(self.fields.columns.get(name, ()))
            if self.fields.maybe_more(name) and not self._always_stream(name):
                names.append("_more")
            if self._reads_line(name):
                names.extend(("_format", "_line"))
        if self.needs.every:
            names.append("_more")
        types = {**ENVELOPE, **self.fields.types}
        return {name: types[name] for name in dict.fromkeys(names)}

    def rows(self, frame: pl.DataFrame) -> Rows:
        """Return the rows of a scan, every needed label as text."""
        names = self._stream_names()
        if names:
            streams = self.streams.select("_stream", *(STREAM + name for name in names))
            frame = frame.join(streams, on="_stream", how="left", maintain_order="left")
        metas = {name: self._value(name) for name in self._names if not self._always_stream(name, clash=False)}
        labels = {META + name: value for name, value in metas.items()}
        for name, value in metas.items():
            if STREAM + name in frame.columns:
                labels[META + name] = pl.when(pl.col(STREAM + name).is_null()).then(value)
                moved = pl.when(pl.col(STREAM + name).is_not_null()).then(value)
                own = labels.get(META + name + _EXTRACTED)
                labels[META + name + _EXTRACTED] = moved if own is None else pl.coalesce(own, moved)
        for name, column in VIRTUAL.items():
            if name in self.needs.names:
                stored = [labels[META + name]] if META + name in labels else []
                known = [*stored, pl.col(column), *([pl.lit(UNKNOWN)] if column == "_level" else [])]
                labels[META + name] = pl.coalesce(known)
        frame = frame.with_columns(value.alias(name) for name, value in labels.items())
        if self.needs.every:
            frame = _with_more(frame, self._names)
        kept = [name for name in self.kept if name in frame.columns]
        line = ["_line"] if self.needs.line and "_line" in frame.columns and "_line" not in kept else []
        return Rows(frame.select(*kept, *line, *(c for c in frame.columns if c.startswith((STREAM, META)))))

    def _stream_names(self) -> list[str]:
        known = [column.removeprefix(STREAM) for column in self.streams.columns if column.startswith(STREAM)]
        return known if self.needs.owners else [name for name in known if self.needs.wants(name)]

    def _always_stream(self, name: str, *, clash: bool = True) -> bool:
        """Tell whether every stream has the label, so that no field is read for it, unless as `_extracted`."""
        column = STREAM + name
        if column not in self.streams.columns or self.streams[column].null_count():
            return False
        return clash or not (self.needs.every or name + _EXTRACTED in self.needs.names)

    def _reads_line(self, name: str) -> bool:
        return name in self.needs.names and f"json:{name}" in self.formats and not self._always_stream(name)

    def _value(self, name: str) -> pl.Expr:
        parts = [values.text(pl.col(column), dtype) for column, dtype in self.fields.typed(name).items()]
        if name in self.needs.names and self.fields.maybe_more(name) and not self._always_stream(name):
            parts.append(values.per_distinct(pl.col("_more"), partial(_member, name), pl.String()))
        if self._reads_line(name):
            parts.append(pl.when(pl.col("_format") == f"json:{name}").then(pl.col("_line")))
        return pl.coalesce(parts) if parts else pl.lit(None, pl.String)


def stream_table(texts: Iterable[str]) -> pl.DataFrame:
    """Return `_stream` and one column `stream.<label>` per label that any of the streams has."""
    distinct = sorted(set(texts))
    labels = [stream_labels(text) for text in distinct]
    names = sorted({name for found in labels for name in found})
    columns = {STREAM + name: [found.get(name) for found in labels] for name in names}
    schema = {"_stream": pl.String, **dict.fromkeys(columns, pl.String)}
    return pl.DataFrame({"_stream": distinct, **columns}, schema=schema)


def _with_more(frame: pl.DataFrame, names: Sequence[str]) -> pl.DataFrame:
    """Add the fields that lie in `_more`, under names that no column has."""
    texts = frame["_more"].drop_nulls().unique()
    found = sorted({name for text in texts for name in _members(text)} - set(names))
    more = [values.per_distinct(pl.col("_more"), partial(_member, name), pl.String()) for name in found]
    return frame.with_columns(value.alias(META + name) for name, value in zip(found, more, strict=True))


def _members(text: str) -> dict[str, object]:
    """Return the members of a JSON object, numbers as they are written."""
    members: dict[str, object] = json.loads(text, parse_int=str, parse_float=str)
    return members


def _member(name: str, text: str) -> str | None:
    """Return one member of a JSON object as a label's text."""
    value = _members(text).get(name)
    return value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False)
