"""`| logfmt`: labels from the `key=value` pairs of a line."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from tailrace.query.logfmt_labels import read_pairs
from tailrace.query.parsed import read_lines

if TYPE_CHECKING:
    from tailrace.query.cursor import Cursor, Source
    from tailrace.query.needs import Needs
    from tailrace.query.pushdown import Scan
    from tailrace.query.rows import Rows


@dataclass(frozen=True, slots=True)
class Logfmt:
    """Reads the line as `key=value` pairs."""

    keyword: ClassVar[str] = "logfmt"
    at: int = field(default=0, compare=False, repr=False)

    @classmethod
    def parse(cls, cursor: Cursor) -> Logfmt:
        """Read the stage."""
        at = cursor.next().at
        if cursor.token.kind in ("name", "flag"):
            raise cursor.error(
                "`logfmt` with parameters is LogQL, but not in this version of Tailrace",
                hint="all pairs become labels; use `| keep` to choose",
            )
        return cls(at)

    def check(self, source: Source) -> None:
        """Accept it: there is nothing to be wrong."""

    @classmethod
    def skips(cls, stored: str | None) -> bool:
        """Tell whether lines of this `_format` have these labels as fields already."""
        return stored is not None and stored.partition(":")[0] == "logfmt"

    def needs(self, after: Needs) -> Needs:
        """Read the line, unless no label is wanted: then nothing is parsed and bad lines count."""
        return after.plus(line=True) if after.labels else after

    def push(self, scan: Scan, after: Needs) -> bool:
        """Do nothing for lines that were taken apart when they were stored, or when no label is wanted."""
        return not after.labels or scan.already_parsed(self)

    def apply(self, rows: Rows, after: Needs) -> Rows:
        """Add the labels of each line that the store did not take apart."""
        return read_lines(rows, self, read_pairs, "LogfmtParserErr", after)

    def __str__(self) -> str:
        return "| logfmt"
