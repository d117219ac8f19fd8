"""Parse a record of several lines by its first one.

Parsers read lines. Of a record with several they get the first: it has the time, the level and the fields; `whole`
gives the other lines back to what the parser made of it. A JSON document that is spread over lines is the exception: it
goes to the parser as one line, its newlines as blanks, which mean the same there.
"""

from __future__ import annotations

import polars as pl

_DOCUMENT = r"(?s)^\s*(?:\{.*\}|\[.*\])\s*$"


def heads(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the rows with one line each; what is left of the others is in `_whole`, `_rest` and `_head`."""
    several = rows["_line"].str.contains("\n", literal=True)
    if not several.any():
        return rows
    text = pl.col("_line")
    parts = text.str.splitn("\n", 2).struct
    document = text.str.contains(_DOCUMENT)
    flat = text.str.replace_all("\n", " ", literal=True)
    tall = rows.filter(several).with_columns(
        text.alias("_whole"),
        pl.when(~document).then(parts.field("field_1")).alias("_rest"),
        pl.when(document).then(flat).otherwise(parts.field("field_0")).alias("_line"),
    )
    # Apart, as these expressions would be worked out for all lines, which takes as long as finding the records.
    tall = tall.with_columns(_head=text)
    return pl.concat([rows.filter(~several), tall], how="diagonal").sort("_row")


def whole(rows: pl.DataFrame) -> pl.DataFrame:
    """Return parsed rows with all their lines."""
    if "_whole" not in rows.columns:
        return rows
    line = pl.col("_line")
    together = (
        pl.when(pl.col("_whole").is_null() | (pl.col("_rest").is_null() & (line != pl.col("_head"))))
        .then(line)
        .when(line == pl.col("_head"))
        .then(pl.col("_whole"))
        .otherwise(line + "\n" + pl.col("_rest"))
    )
    return rows.with_columns(together.alias("_line")).drop("_whole", "_rest", "_head")
