"""Columns from keys and values: what logfmt, CEF, LEEF, structured data and CSV share.

Comes in: one row per pair, `_row` (of its line), `key`, `value`. Goes out: one row per line, one text column per key.
Names become column names; those that cannot (too long, nothing but signs) and those past `columns_for` the
rows are left out: the line itself keeps them. Cost: one join per distinct key, nothing per line.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import polars as pl

from tailrace.batch import columns_for, field_column, sanitize_name
from tailrace.limits import FIELD_NAME_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable


def column(key: str) -> str | None:
    """Return the column of a key, None if its name is no name."""
    name = sanitize_name(key)
    return field_column(name) if name.strip("_") and len(name) <= FIELD_NAME_BYTES else None


def spread(pairs: pl.DataFrame, rows: pl.Series, name: Callable[[str], str | None] = column) -> pl.DataFrame:
    """Return one row per entry of `rows` with a text column per key; of equal keys in a line the first counts."""
    pairs = pairs.drop_nulls("key")
    columns = {key: name(key) for key in pairs["key"].unique(maintain_order=True)}
    owned = dict([(key, column) for key, column in columns.items() if column is not None][: columns_for(len(rows))])
    target = pl.col("key").replace_strict(owned, default=None, return_dtype=pl.String)
    pairs = pairs.with_columns(target).drop_nulls("key").unique(["_row", "key"], keep="first", maintain_order=True)
    frame = rows.alias("_row").to_frame()
    for key, part in pairs.partition_by("key", as_dict=True, maintain_order=True).items():
        values = part.select("_row", pl.col("value").alias(str(key[0])))
        frame = frame.join(values, on="_row", how="left", maintain_order="left")
    return frame.drop("_row")


def lists(pairs: pl.DataFrame) -> pl.DataFrame:
    """Return the pairs with keys that come again in a line as one JSON list."""
    counted = pairs.with_columns(pl.len().over("_row", "key").alias("many"))
    if not (counted["many"] > 1).any():
        return pairs
    many = counted.filter(pl.col("many") > 1).group_by("_row", "key", maintain_order=True).agg("value")
    texts = [json.dumps(values, ensure_ascii=False, separators=(",", ":")) for values in many["value"].to_list()]
    listed = many.with_columns(pl.Series("value", texts, dtype=pl.String))
    return pl.concat([counted.filter(pl.col("many") == 1).drop("many"), listed.select(pairs.columns)])
