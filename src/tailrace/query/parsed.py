"""Labels from lines: by expressions where those are exact, else by a Python reader, once per distinct line.

Lines of files were taken apart when they were stored and never come here. Of many lines that are pushed, those that
look alike are read a label at a time (`Quick`: about a million lines a second with one or two labels); the rest, and
queries that want many labels, by the reader, which reads about 170,000 distinct JSON lines of 220 bytes and ten
members per second.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol, TypeAlias, runtime_checkable

import polars as pl

from tailrace.batch import sanitize_name
from tailrace.query import values
from tailrace.query.result import META, PARSED

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tailrace.query.needs import Needs
    from tailrace.query.rows import Rows

Pairs: TypeAlias = "list[tuple[str, str]]"
Reader: TypeAlias = "Callable[[str], tuple[Pairs, str | None]]"
"""Line to pairs in order (names not yet sanitised) and why the rest could not be read, or None."""
Quick: TypeAlias = "Callable[[pl.Series, Needs], tuple[pl.DataFrame, pl.Series]]"
"""Lines, and what is needed of them, to a column per label, and which lines were read."""

QUICK_LINES: Final = 2_000
QUICK_LABELS: Final = 32
"""At least so many lines, and at most so many labels, are worth an expression per label."""


@runtime_checkable
class Parsing(Protocol):
    """A stage that leaves lines alone which the store took apart by the same parser."""

    def skips(self, stored: str | None) -> bool:
        """Tell whether the fields of lines stored with this `_format` are the parser's labels already."""
        ...


def stored_as(rows: Rows, test: Callable[[str | None], bool]) -> pl.Series:
    """Return which rows were stored with a `_format` that passes a test; none, once their line has changed."""
    if "_format" not in rows.frame.columns:
        return pl.Series([False]).new_from_index(0, rows.frame.height)
    formats = rows.frame["_format"]
    good = [name for name in formats.unique() if test(name)]
    return formats.is_in(good).fill_null(value=False)


def read_lines(
    rows: Rows,
    stage: Parsing,
    read: Reader,
    error: str,
    after: Needs,
    fields: Mapping[str, pl.Series] | None = None,
    quick: Quick | None = None,
) -> Rows:
    """Add what a reader finds in each line that the stage does not skip; `fields` are not to be found again."""
    lines = rows.frame["_line"]
    skipped = stored_as(rows, stage.skips)
    if skipped.any():
        lines = lines.zip_with(~skipped, lines.clear(1))
    if quick and len(lines) >= QUICK_LINES and len(after.names) <= QUICK_LABELS:
        found, whys = _quickly(lines, quick, read, after)
    else:
        found, whys = pairs_of(lines, read, after)
    for name, known in (fields or {}).items():
        if name in found.columns:
            found = found.with_columns(found[name].zip_with(~known, lines.clear(1)).alias(name))
    return with_failures(rows.with_parsed(found), whys, error)


def _quickly(lines: pl.Series, quick: Quick, read: Reader, after: Needs) -> tuple[pl.DataFrame, pl.Series]:
    """Read lines by expressions, and by the reader those that do not fit."""
    found, fits = quick(lines, after)
    found = found.select(column for column in found if column.null_count() < len(column))
    rest, whys = pairs_of(lines.zip_with(~fits, lines.clear(1)), read, after)
    both = set(found.columns) & set(rest.columns)
    merged = [pl.coalesce(pl.lit(found[name]), pl.lit(rest[name])).alias(name) for name in both]
    whole = pl.concat([found, rest.drop(both)], how="horizontal") if found.width else rest
    return whole.with_columns(merged), whys


def with_failures(rows: Rows, whys: pl.Series, error: str) -> Rows:
    """Mark the rows that could not be read, and why."""
    if whys.null_count() == len(whys):
        return rows
    return rows.with_error(pl.lit(whys.is_not_null()), error, pl.lit(whys))


def pairs_of(
    lines: pl.Series, read: Reader, wanted: Needs | set[str], *, last: bool = False
) -> tuple[pl.DataFrame, pl.Series]:
    """Return a column per wanted label, and why a line was not read; of equal names the first counts, or the last."""
    distinct = lines.drop_nulls().unique()
    columns: dict[str, list[str | None]] = {}
    places: dict[str, list[str | None] | None] = {}  # key of a line to its label's column, None = not wanted
    failures: list[str | None] = []
    for row, line in enumerate(distinct):
        pairs, why = read(line)
        failures.append(why)
        for key, value in pairs:
            if key not in places:
                name = sanitize_name(key)
                here = name in wanted if isinstance(wanted, set) else wanted.wants(name)
                places[key] = columns.setdefault(name, []) if name and here else None
            column = places[key]
            if column is None:
                continue
            if len(column) > row:  # an equal name earlier in the line
                if last:
                    column[row] = value
                continue
            column.extend([None] * (row - len(column)))
            column.append(value)
    size = len(distinct)
    found = {name: texts + [None] * (size - len(texts)) for name, texts in sorted(columns.items())}
    table = pl.DataFrame(
        {"\0line": distinct, "\0why": failures, **found},
        schema={"\0line": pl.String, "\0why": pl.String, **dict.fromkeys(found, pl.String)},
    )
    spread = pl.DataFrame({"\0line": lines}).join(table, on="\0line", how="left", maintain_order="left")
    return spread.drop("\0line", "\0why"), spread["\0why"]


def per_line(lines: pl.Series, read: Callable[[str], str | None]) -> pl.Series:
    """Return what a reader makes of each line, called once per distinct one."""
    return pl.DataFrame({"line": lines}).select(values.per_distinct(pl.col("line"), read, pl.String()))["line"]


def with_extracts(
    rows: Rows, found: Mapping[str, pl.Series], here: pl.Series, stored: pl.Series, *, clears: bool = False
) -> Rows:
    """Set the labels that a parser was asked for, in the rows that it could read (`here`).

    A label that is missing in the line is there, and empty; `clears` says whether also where an earlier parser set it.
    A label of the stream or of metadata keeps its value, and the one found is called `<name>_extracted`. What the
    store made of the line itself (`stored`) is no metadata.
    """
    for name, value in found.items():
        rows = _with_extract(rows, name, value, here, stored, clears=clears)
    return rows


def _with_extract(rows: Rows, name: str, value: pl.Series, here: pl.Series, stored: pl.Series, *, clears: bool) -> Rows:
    frame = rows.frame
    owned = rows.series(rows.owned(name))
    if META + name in frame.columns:
        owned = owned | (frame[META + name].is_not_null() & ~stored)
    before = frame[PARSED + name] if PARSED + name in frame.columns else value.clear(1).new_from_index(0, len(value))
    text = value.fill_null("") if clears else value.zip_with(value.is_not_null(), before).fill_null("")
    done = rows.assigned(name, text, here & ~owned)
    moved = here & owned & value.is_not_null()
    return done.assigned(name + "_extracted", value, moved) if moved.any() else done
