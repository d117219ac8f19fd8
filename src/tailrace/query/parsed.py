"""Labels from lines by a Python reader: called once per distinct line, its labels become columns.

For the two parsers whose text no expression reads without losing something (`1e3`, escapes, first of two equal
keys). Lines of files were taken apart when they were stored and never come here; measured on lines pushed
over the Loki API: about 170,000 distinct JSON lines of 220 bytes and ten members per second.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeAlias, runtime_checkable

import polars as pl

from tailrace.batch import sanitize_name
from tailrace.query.rows import Rows

if TYPE_CHECKING:
    from collections.abc import Callable

    from tailrace.query.needs import Needs

Pairs: TypeAlias = "list[tuple[str, str]]"
Reader: TypeAlias = "Callable[[str], tuple[Pairs, str | None]]"
"""Line to pairs in order (names not yet sanitised) and why the rest could not be read, or None."""


@runtime_checkable
class Parsing(Protocol):
    """A stage that leaves lines alone which the store took apart by the same parser."""

    @classmethod
    def skips(cls, stored: str | None) -> bool:
        """Tell whether the fields of lines stored with this `_format` are the parser's labels already."""
        ...


def read_lines(rows: Rows, stage: Parsing, read: Reader, error: str, after: Needs) -> Rows:
    """Add what a reader finds in each line that the stage does not skip."""
    frame = rows.frame
    lines = frame["_line"]
    if "_format" in frame.columns:
        skipped = [name for name in frame["_format"].unique() if stage.skips(name)]
        lines = frame.select(
            pl.when(~pl.col("_format").is_in(skipped).fill_null(value=False)).then("_line")
        ).to_series()
    distinct = lines.drop_nulls().unique()
    if distinct.is_empty():
        return rows
    columns: dict[str, list[str | None]] = {}
    places: dict[str, list[str | None] | None] = {}  # key of a line to its label's column, None = not wanted
    failures: list[str | None] = []
    for row, line in enumerate(distinct):
        pairs, why = read(line)
        failures.append(why)
        for key, value in pairs:
            if key not in places:
                name = sanitize_name(key)
                places[key] = columns.setdefault(name, []) if name and after.wants(name) else None
            column = places[key]
            if column is None or len(column) > row:  # longer: an equal name earlier in the line, which stays
                continue
            column.extend([None] * (row - len(column)))
            column.append(value)
    size = len(distinct)
    found = {name: values + [None] * (size - len(values)) for name, values in sorted(columns.items())}
    table = pl.DataFrame(
        {"\0line": distinct, "\0why": failures, **found},
        schema={"\0line": pl.String, "\0why": pl.String, **dict.fromkeys(found, pl.String)},
    )
    spread = pl.DataFrame({"\0line": lines}).join(table, on="\0line", how="left", maintain_order="left")
    rows = rows.with_parsed(spread.drop("\0line", "\0why"))
    if not any(failures):
        return rows
    failed = Rows(rows.frame.with_columns(spread["\0why"].alias("_why")))
    failed = failed.with_error(pl.col("_why").is_not_null(), error, pl.col("_why"))
    return Rows(failed.frame.drop("_why"))
