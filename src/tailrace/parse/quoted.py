r"""Records of tables that go on over lines: a cell in quotes may hold newlines.

Comes in: the lines of CSV and TSV files, in order. Goes out: one row per record, at the place of its first line. A line
with an odd number of quotes, whose last one begins a cell, opens a record; the next line with an odd number closes it.
An open record is held over turns and restarts, per file, while its end may still come. A quote that is not closed
within `limits.QUOTED_LINES` was not meant: then, as after the wait, its lines are rows of their own again. However the
lines are cut into turns, the records are the same. Cost: one count of quotes per line, more only where one is odd.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.contracts import Multiline
from tailrace.limits import QUOTED_LINES
from tailrace.parse.multiline.borders import Rule
from tailrace.parse.multiline.group import Grouper
from tailrace.parse.multiline.presets import Shape

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tailrace.contracts import Origin
    from tailrace.parse.held import Held, Key

TABLES: Final = ("csv", "tsv")
"""Formats whose records may go on over lines."""

OPENS: Final = r'(?:^|[,;\t ])"(?:[^"]|"")*$'
"""A cell that begins with a quote and does not end with one."""

_EVEN: Final = r'^[^"]*(?:"[^"]*"[^"]*)*$'
_SHAPE: Final = Shape(
    classes=(("V", _EVEN), ("S", OPENS)),
    records=rf"SV{{0,{QUOTED_LINES - 2}}}[SO]?|.",
    closed=rf"^[VO]$|^SV*[SO]$|^SV{{{QUOTED_LINES - 2}}}$",
    hints=('"',),
    exact=True,
)
_RULE: Final = Rule("", negate=False, shapes={"quoted": _SHAPE})
_MULTILINE: Final = Multiline()


def is_table(form: str) -> bool:
    """Tell whether a format, maybe with its columns declared, is one of a table."""
    return form.partition(":")[0] in TABLES


class Quoted:
    """Makes records of the lines of tables; the open ones are in `held`."""

    def __init__(self, held: Held) -> None:
        self._held = held
        self._grouper = Grouper(held)

    def concerns(self, lines: pl.DataFrame) -> bool:
        """Tell whether any line may open, close or go on with a record."""
        odd = pl.col("_line").str.count_matches('"', literal=True) % 2 == 1
        return len(self._held) > 0 or bool(lines.select(odd.any()).item())

    def records(self, rows: pl.DataFrame, form: str, origins: Sequence[Origin]) -> pl.DataFrame:
        """Return the records that ended."""
        # By file, not by name: a new file begins with a header.
        alone = [replace(origin, labels={"filename": origin.key}) for origin in origins]
        frame = self._grouper.group(rows, _MULTILINE, alone, rule=_RULE, wrapper=form)
        return _apart(frame.drop("_part", "_part_last", "_linked", strict=False))

    def complete(self, keys: Sequence[Key]) -> tuple[pl.DataFrame, list[str], list[Origin]]:
        """Return the lines of records that are not waited for any more, their formats, and where they come from."""
        forms = [record.wrapper for key in keys if (record := self._held.get(key)) is not None]
        frame, origins = self._grouper.complete(keys)
        return _apart(frame.drop("_part", "_part_last", "_linked").drop("_time_ns")), forms, origins


def _apart(rows: pl.DataFrame) -> pl.DataFrame:
    """Return rows whose quotes were never closed line by line."""
    text = pl.col("_line")
    odd = text.str.contains("\n", literal=True) & (text.str.count_matches('"', literal=True) % 2 == 1)
    split = rows.with_row_index("_record").filter(odd)
    if not len(split):
        return rows
    lines = split.with_columns(text.str.split("\n")).explode("_line").with_columns(_size=text.str.len_bytes())
    # What ends a line is one byte or two, and the last line of a file may lack it.
    count, extra = pl.len(), pl.col("_in_bytes").first() - pl.col("_size").sum()
    end = pl.when(extra > count).then(2).otherwise(1)
    lines = lines.with_columns(
        end.over("_record").alias("_end"), pl.col("_size").cum_sum().over("_record").alias("_to")
    )
    place = pl.int_range(pl.len()).over("_record")
    before = pl.col("_to") - pl.col("_size") + place * pl.col("_end")
    last = place == pl.len().over("_record") - 1
    lines = lines.with_columns(
        pl.col("_offset") + before,
        pl.when(last).then(pl.col("_in_bytes") - before).otherwise(pl.col("_size") + pl.col("_end")).alias("_in_bytes"),
        pl.lit(1, pl.Int64).alias("_in_lines"),
    )
    return pl.concat([rows.filter(~odd), lines.select(rows.columns)], how="vertical_relaxed").sort(
        "_row", maintain_order=True
    )
