"""`| unpack`: labels and line from an object that a shipper packed them into."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Final

import polars as pl

from tailrace.batch import sanitize_name
from tailrace.query.json_labels import clean
from tailrace.query.rows import Rows

if TYPE_CHECKING:
    from tailrace.query.cursor import Cursor, Source
    from tailrace.query.needs import Needs
    from tailrace.query.pushdown import Scan

ENTRY: Final = "_entry"
_WHY: Final = "the line is not a JSON object"


@dataclass(frozen=True, slots=True)
class Unpack:
    """Takes the text members of an object as labels, and its member `_entry` as the line; without one, nothing."""

    keyword: ClassVar[str] = "unpack"
    at: int = field(default=0, compare=False, repr=False)

    @classmethod
    def parse(cls, cursor: Cursor) -> Unpack:
        """Read the stage."""
        return cls(cursor.next().at)

    def check(self, source: Source) -> None:
        """Accept it: there is nothing to be wrong."""

    def needs(self, after: Needs) -> Needs:
        """Read the line, if it or any label is read afterwards."""
        return after.plus(line=True, parses=True) if after.labels or after.line else after

    def push(self, scan: Scan, after: Needs) -> bool:
        """Leave it to the rows, unless neither the line nor a label is read."""
        idle = not (after.labels or after.line)
        scan.line_changed = True
        scan.labels_changed |= not idle
        scan.may_fail |= not idle
        return idle

    def apply(self, rows: Rows, after: Needs) -> Rows:
        """Unpack each distinct line once."""
        distinct = rows.frame["_line"].drop_nulls().unique()
        columns: dict[str, list[str | None]] = {}
        entries: list[str | None] = []
        failures: list[str | None] = []
        for row, line in enumerate(distinct):
            members, why = _unpacked(line)
            failures.append(why)
            entries.append(members.pop(ENTRY, None))
            for name, value in members.items():
                if after.wants(name):
                    column = columns.setdefault(name, [])
                    column.extend([None] * (row - len(column)))
                    column.append(value)
        filled = {name: values + [None] * (len(distinct) - len(values)) for name, values in sorted(columns.items())}
        table = pl.DataFrame({"\0line": distinct, "\0entry": entries, "\0why": failures, **filled}, strict=False)
        schema = pl.Schema(dict.fromkeys(table.columns, pl.String()))
        spread = rows.frame.select(pl.col("_line").alias("\0line")).join(
            table.cast(schema), on="\0line", how="left", maintain_order="left"
        )
        done = rows.with_parsed(spread.drop("\0line", "\0entry", "\0why"))
        if any(entry is not None for entry in entries):
            done = done.with_line(pl.coalesce(pl.lit(spread["\0entry"]), "_line"))
        if not any(failures):
            return done
        marked = Rows(done.frame.with_columns(spread["\0why"].alias("_why")))
        marked = marked.with_error(pl.col("_why").is_not_null(), "JSONParserErr", pl.col("_why"))
        return Rows(marked.frame.drop("_why"))

    def __str__(self) -> str:
        return "| unpack"


def _unpacked(line: str) -> tuple[dict[str, str], str | None]:
    """Return the text members of a packed line by label name, none if it was not packed, and why it is not read."""
    if not line:
        return {}, None
    if not line.startswith("{"):
        return {}, _WHY
    try:
        members = json.loads(line, strict=False)
    except (ValueError, RecursionError):
        return {}, _WHY
    if not isinstance(members.get(ENTRY), str):
        return {}, None
    texts = [(name, value) for name, value in members.items() if isinstance(value, str)]
    found: dict[str, str] = {}
    for name, value in texts:
        label = ENTRY if name == ENTRY else sanitize_name(name)
        if label:
            found.setdefault(label, clean(value))
    return found, None
