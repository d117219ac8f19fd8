"""What a name in a spec means in a frame: a field, a label of the stream, or a column of the envelope.

A field goes before a label of the same name, row by row. `line`, `level` and `time` are short for `_line`, `_level` and
`_time_ns`; in double quotes (`exact`) they are fields like others. What nothing in the frame has is null.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.batch import field_column, stream_labels
from tailrace.reduce.rule_values import NOTHING, Typed, as_text, either, of_column

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

SHORT: Final = {"line": "_line", "level": "_level", "time": "_time_ns", "_time": "_time_ns"}
"""Short names of columns of the envelope."""

_TIMES: Final = ("_time_ns", "_observed_ns")
_LABEL: Final = "\0label:"  # in front of a label's name, while it is a column
_VALUE: Final = "\0value:"
_NULL: Final = "\0"  # differs from every text of a log
_BETWEEN: Final = "\x1f"


def with_labels(frame: pl.DataFrame, names: Iterable[str]) -> pl.DataFrame:
    """Return the frame with a column for each name that is a label of one of its streams; join over the few streams."""
    wanted = [name for name in dict.fromkeys(names) if name not in SHORT and not name.startswith("_")]
    if not wanted or "_stream" not in frame.columns or not len(frame):
        return frame
    streams = frame["_stream"].unique().drop_nulls()
    labels = [stream_labels(text) for text in streams]
    held = [name for name in wanted if any(name in each for each in labels)]
    if not held:
        return frame
    columns = {f"{_LABEL}{name}": pl.Series([each.get(name) for each in labels], dtype=pl.String) for name in held}
    if len(streams) == 1:
        return frame.with_columns(pl.lit(series.item()).alias(name) for name, series in columns.items())
    table = pl.DataFrame({"_stream": streams, **columns})
    return frame.join(table, on="_stream", how="left", maintain_order="left")


def without_labels(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the frame without the columns that `with_labels` added."""
    added = [name for name in frame.columns if name.startswith(_LABEL)]
    return frame.drop(added) if added else frame


def column_of(name: str, *, exact: bool = False) -> str:
    """Return the column that a name means, beside the label of that name."""
    return field_column(name) if exact else SHORT.get(name, name)


def find(name: str, schema: pl.Schema, *, exact: bool = False) -> Typed:
    """Return what a name means in a frame that went through `with_labels`."""
    column = column_of(name, exact=exact)
    if column in _TIMES and column in schema:
        return Typed(pl.col(column), "time")
    field = of_column(pl.col(column), schema[column]) if column in schema else NOTHING
    label = f"{_LABEL}{name}"
    return either(field, Typed(pl.col(label), "text")) if label in schema and not exact else field


def texts(frame: pl.DataFrame, names: Sequence[str]) -> pl.DataFrame:
    """Return the values of names as text, under the names; what no row has is null."""
    labelled = with_labels(frame, names)
    columns = [as_text(find(name, labelled.schema)).cast(pl.String).alias(f"{_VALUE}{name}") for name in names]
    return labelled.with_columns(columns).select(pl.col(f"{_VALUE}{name}").alias(name) for name in names)


def key_texts(frame: pl.DataFrame, names: Sequence[str]) -> pl.Series:
    """Return one text a row that is the same for the same values."""
    values = [pl.col(name).fill_null(_NULL) for name in names]
    return texts(frame, names).select(_key=pl.concat_str(values, separator=_BETWEEN))["_key"]
