"""The table's columns: Delta types beside Polars types, and which columns hold a field.

A field seen with two types has two columns: the first keeps the name, the second is
`<field>__<type>` and says in its Delta metadata (`tailrace.field`) whose it is. Names that differ in
case only are one name to other engines, so the second of them gets a suffix too. What is over
the column limit goes to `_more`. Pure: frames and schemas in, frames and schemas out.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import polars as pl
from deltalake import Field, Schema
from deltalake.schema import PrimitiveType

from tailrace import limits
from tailrace.batch import ENVELOPE, FIELD_TYPES, column_field, field_column, is_field

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

FIELD_KEY: Final = "tailrace.field"
"""Key of the column metadata that names the field of a second column."""

DELTA_TYPES: Final[Mapping[pl.DataType, str]] = {
    pl.String(): "string",
    pl.Int64(): "long",
    pl.Int32(): "integer",
    pl.Float64(): "double",
    pl.Boolean(): "boolean",
    pl.Binary(): "binary",
    pl.Date(): "date",
    pl.Datetime("us", "UTC"): "timestamp",
}
POLARS_TYPES: Final = {name: dtype for dtype, name in DELTA_TYPES.items()}
_TYPE_NAMES: Final = {dtype: name for name, dtype in FIELD_TYPES.items()}


@dataclass(frozen=True, slots=True)
class Columns:
    """Every column of the table with its type, envelope first, and the columns of each field."""

    types: Mapping[str, pl.DataType]
    fields: Mapping[str, Sequence[str]]
    taken: frozenset[str] = field(repr=False)  # names in lower case

    @classmethod
    def of(cls, schema: Schema) -> Columns:
        """Read the columns from a Delta schema; columns of types that logs never have are left out."""
        types: dict[str, pl.DataType] = {}
        fields: dict[str, list[str]] = {}
        for column in schema.fields:
            dtype = POLARS_TYPES.get(getattr(column.type, "type", ""))
            if dtype is None:
                continue
            types[column.name] = dtype
            if is_field(column.name):
                name = column.metadata.get(FIELD_KEY) or column_field(column.name)
                fields.setdefault(str(name), []).append(column.name)
        ordered = {name: types[name] for name in ENVELOPE if name in types} | types
        taken = frozenset(column.name.lower() for column in schema.fields)
        return cls(ordered, {name: tuple(columns) for name, columns in fields.items()}, taken)

    def with_new(self, added: Mapping[str, tuple[str, pl.DataType]]) -> Columns:
        """Return the columns with further ones: column to its field and type."""
        fields = {name: list(columns) for name, columns in self.fields.items()}
        for column, (name, _) in added.items():
            fields.setdefault(name, []).append(column)
        types = {**self.types, **{column: dtype for column, (_, dtype) in added.items()}}
        taken = self.taken | {column.lower() for column in added}
        return Columns(types, {name: tuple(columns) for name, columns in fields.items()}, taken)


def envelope_schema() -> Schema:
    """Return the Delta schema of a new table: the envelope alone."""
    return Schema([Field(name, PrimitiveType(DELTA_TYPES[dtype])) for name, dtype in ENVELOPE.items()])


def delta_fields(added: Mapping[str, tuple[str, pl.DataType]]) -> list[Field]:
    """Return the Delta fields of new columns: column to its field and type."""
    return [
        Field(
            column,
            PrimitiveType(DELTA_TYPES[dtype]),
            metadata={} if column == field_column(name) else {FIELD_KEY: name},
        )
        for column, (name, dtype) in added.items()
    ]


def align(
    frame: pl.DataFrame, columns: Columns, *, limit: int = limits.FIELD_COLUMNS
) -> tuple[pl.DataFrame, dict[str, tuple[str, pl.DataType]]]:
    """Return the frame in the table's columns, and the columns that the table still lacks.

    Columns without a value are dropped; the fields over the limit are folded into `_more`.
    """
    frame = _known_types(frame)
    added: dict[str, tuple[str, pl.DataType]] = {}
    names: dict[str, str] = {}
    over: list[str] = []
    for column, dtype in frame.schema.items():
        if not is_field(column):
            continue
        current = columns.with_new(added) if added else columns
        place = _place(column, dtype, current)
        if place is None and sum(map(is_field, current.types)) >= limit:
            over.append(column)
            continue
        if place is None:
            place = _free(column, dtype, current)
            added[place] = (column_field(column), dtype)
        names[column] = place
    if over:
        frame = fold(frame, over)
    return frame.rename({old: new for old, new in names.items() if old != new}), added


def fold(frame: pl.DataFrame, over: Sequence[str]) -> pl.DataFrame:
    """Return the frame with some fields moved into the JSON object `_more`, nulls left out."""
    pieces = [
        pl.when(pl.col(column).is_not_null()).then(
            _inside(pl.struct(pl.col(column).alias(column_field(column))).struct.json_encode())
        )
        for column in over
    ]
    if "_more" in frame.columns:
        before = pl.col("_more")
        pieces.insert(0, pl.when(before.str.len_bytes() > len("{}")).then(_inside(before)))
    inner = pl.concat_str(pieces, separator=",", ignore_nulls=True)
    more = pl.when(inner.str.len_bytes() > 0).then(pl.concat_str(pl.lit("{"), inner, pl.lit("}")))
    return frame.with_columns(_more=more).drop(over)


def _inside(text: pl.Expr) -> pl.Expr:
    return text.str.strip_chars(" ").str.head(-1).str.slice(1)


def _place(column: str, dtype: pl.DataType, columns: Columns) -> str | None:
    for name in columns.fields.get(column_field(column), ()):
        if columns.types[name] == dtype:
            return name
    return None


def _free(column: str, dtype: pl.DataType, columns: Columns) -> str:
    if column.lower() not in columns.taken:
        return column
    name = f"{column}__{_TYPE_NAMES[dtype]}"
    number = 1
    while name.lower() in columns.taken:
        number += 1
        name = f"{column}__{_TYPE_NAMES[dtype]}_{number}"
    return name


def _known_types(frame: pl.DataFrame) -> pl.DataFrame:
    """Bring columns to the types that the table knows, and drop those without a value and the partition's."""
    frame = frame.drop("_date", strict=False)
    empty = [name for name in frame.columns if name != "_line" and frame[name].null_count() == frame.height]
    frame = frame.drop(empty)
    casts = []
    for name, dtype in frame.schema.items():
        target = _field_type(frame[name]) if is_field(name) else ENVELOPE.get(name)
        if target is not None and target != dtype:
            casts.append(pl.col(name).cast(target))
    return frame.with_columns(casts) if casts else frame


def _field_type(values: pl.Series) -> pl.DataType:
    """Return the type of a field's column; integers that do not fit keep their digits as text."""
    dtype = values.dtype
    if dtype.is_integer():
        wide = (
            dtype in (pl.UInt64, pl.Int128) and values.cast(pl.Int64, strict=False).null_count() > values.null_count()
        )
        return pl.String() if wide else pl.Int64()
    if dtype.is_float():
        return pl.Float64()
    return dtype if dtype == pl.Boolean() else pl.String()
