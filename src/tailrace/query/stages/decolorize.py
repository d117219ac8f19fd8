"""`| decolorize`: removes ANSI escape sequences from the line."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Final

import polars as pl

if TYPE_CHECKING:
    from tailrace.query.cursor import Cursor, Source
    from tailrace.query.needs import Needs
    from tailrace.query.pushdown import Scan
    from tailrace.query.rows import Rows

# ESC or its one-byte form, an introducer, then either text up to a bell or numbers and the final byte.
ESCAPES: Final = (
    r"[\x{1b}\x{9b}][\[\]()#;?]*"
    r"(?:(?:[a-zA-Z0-9]*(?:;[-a-zA-Z0-9/#&.:=?%@~_]*)*)?\x{07}"
    r"|(?:[0-9]{1,4}(?:;[0-9]{0,4})*)?[0-9A-PR-TZcf-nq-uy=><~])"
)


@dataclass(frozen=True, slots=True)
class Decolorize:
    """Removes what only a terminal understands."""

    keyword: ClassVar[str] = "decolorize"
    at: int = field(default=0, compare=False, repr=False)

    @classmethod
    def parse(cls, cursor: Cursor) -> Decolorize:
        """Read the stage."""
        return cls(cursor.next().at)

    def check(self, source: Source) -> None:
        """Accept it: there is nothing to be wrong."""

    def needs(self, after: Needs) -> Needs:
        """Read the line if it is read afterwards."""
        return after

    def push(self, scan: Scan, after: Needs) -> bool:
        """Leave it to the rows, unless nothing reads the line."""
        scan.line_changed = True
        return not after.line

    def apply(self, rows: Rows, after: Needs) -> Rows:  # noqa: ARG002 - the stage makes no labels
        """Clean the line."""
        if "_line" not in rows.frame.columns:
            return rows
        return rows.with_line(pl.col("_line").str.replace_all(ESCAPES, ""))

    def __str__(self) -> str:
        return "| decolorize"
