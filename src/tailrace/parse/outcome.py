"""What every parser of text adds to its rows: fields, time, level, format, and the error of lines that do not fit.

Comes in: the lines, what was found, and which rows fit. Goes out: a frame as `contracts.Parser` says. Rows that do not
fit get none of the fields; blank lines are no error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from tailrace.parse import level

if TYPE_CHECKING:
    from collections.abc import Sequence


def outcome(
    lines: pl.DataFrame,
    name: str,
    error: str,
    *,
    fits: pl.Series,
    fields: Sequence[pl.Series],
    times: pl.Series,
    levels: pl.Series,
    text_level: bool = True,
) -> pl.DataFrame:
    """Return the rows with everything added.

    With `text_level` a row without a level gets that of the first word in its line that names one.
    """
    if text_level and levels.null_count():
        rows = levels.is_null().arg_true()
        levels = levels.scatter(rows, level.from_text(lines["_line"][rows]))
    whole = bool(fits.all())
    kept = [series for series in fields if series.null_count() < len(series)]
    good = pl.lit(fits)
    wanted: list[pl.Series | pl.Expr] = [*kept]
    if not whole:
        wanted = [pl.when(good).then(pl.lit(series)).alias(series.name) for series in kept]
    given = "_time_ns" in lines.columns  # the stamp of a container runtime
    return lines.with_columns(
        *([] if given else [times.alias("_time_ns")]),
        *wanted,
        levels.alias("_level"),
        pl.when(good).then(pl.lit(name)).alias("_format"),
        *([] if whole else [pl.when(~good & pl.col("_line").str.contains(r"\S")).then(pl.lit(error)).alias("_error")]),
    )


def empty(dtype: type[pl.DataType], length: int) -> pl.Series:
    """Return a column of nulls."""
    return pl.Series([None], dtype=dtype).new_from_index(0, length)
