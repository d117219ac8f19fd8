"""`| logfmt`: labels from the `key=value` pairs of a line; `| logfmt label="key"`: some of them only."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Final

import polars as pl

from tailrace.batch import sanitize_name
from tailrace.query import logfmt_shapes, parsed
from tailrace.query.logfmt_labels import read_pairs
from tailrace.query.result import META
from tailrace.query.rows import ERRORS
from tailrace.query.stages.extracts import Extract, parse_extracts

if TYPE_CHECKING:
    from tailrace.query.cursor import Cursor, Source
    from tailrace.query.needs import Needs
    from tailrace.query.pushdown import Scan
    from tailrace.query.rows import Rows

ERROR: Final = "LogfmtParserErr"
_FLAGS: Final = ("--strict", "--keep-empty")


@dataclass(frozen=True, slots=True)
class Logfmt:
    """Reads the line as `key=value` pairs; `strict` stops at a bad one, `keep_empty` takes keys without a value."""

    keyword: ClassVar[str] = "logfmt"
    strict: bool = False
    keep_empty: bool = False
    extracts: tuple[Extract, ...] = ()
    at: int = field(default=0, compare=False, repr=False)

    @classmethod
    def parse(cls, cursor: Cursor) -> Logfmt:
        """Read the stage."""
        at = cursor.next().at
        flags: set[str] = set()
        while cursor.token.kind == "flag":
            if cursor.token.text not in _FLAGS:
                raise cursor.error(f"unknown flag {cursor.token}", hint=f"flags: {', '.join(_FLAGS)}")
            flags.add(cursor.next().text)
        return cls("--strict" in flags, "--keep-empty" in flags, parse_extracts(cursor), at)

    def check(self, source: Source) -> None:
        """Refuse an extract without a key."""
        for extract in self.extracts:
            if not _key(extract):
                raise source.error("this is no key of a pair", extract.at, 'for example | logfmt status="code"')

    def skips(self, stored: str | None) -> bool:
        """Tell whether lines of this `_format` have these labels as fields already."""
        plain = not (self.strict or self.keep_empty or self.extracts)
        return plain and self._stored(stored)

    @classmethod
    def _stored(cls, stored: str | None) -> bool:
        return stored is not None and stored.partition(":")[0] == "logfmt"

    def needs(self, after: Needs) -> Needs:
        """Read the line, unless no label is wanted: then nothing is parsed and bad lines count."""
        return after.plus(line=True, parses=True) if after.labels else after

    def push(self, scan: Scan, after: Needs) -> bool:
        """Do nothing for lines that were taken apart when they were stored, or when no label is wanted."""
        return not after.labels or scan.already_parsed(self)

    def apply(self, rows: Rows, after: Needs) -> Rows:
        """Add the labels of each line; one that the store took apart keeps those that it has."""
        read = partial(read_pairs, strict=self.strict, keep_empty=self.keep_empty or bool(self.extracts))
        if not self.extracts:
            plain = None if self.strict or self.keep_empty else _quick
            return parsed.read_lines(rows, self, read, ERROR, after, self._fields(rows), plain)
        lines = rows.frame["_line"]
        keys = {extract.label: sanitize_name(_key(extract)) for extract in self.extracts}
        found, whys = self._picked(lines, read, set(keys.values()))
        absent = lines.clear(1).new_from_index(0, len(lines))
        values = {label: found[key] if key in found.columns else absent for label, key in keys.items()}
        stored = parsed.stored_as(rows, self._stored)
        every = pl.Series([True]).new_from_index(0, len(lines))
        rows = parsed.with_extracts(rows, values, every, stored, clears=True)
        return parsed.with_failures(rows, whys, ERROR)

    def _picked(self, lines: pl.Series, read: parsed.Reader, keys: set[str]) -> tuple[pl.DataFrame, pl.Series]:
        """Return the values of some keys, of equal ones the last, and why a line was not read to its end."""
        if self.strict or len(lines) < parsed.QUICK_LINES:
            return parsed.pairs_of(lines, read, keys, last=True)
        found, fits = logfmt_shapes.read_only(lines, keys)
        rest, whys = parsed.pairs_of(lines.zip_with(~fits, lines.clear(1)), read, keys, last=True)
        merged = [
            pl.coalesce(pl.lit(found[name]), pl.lit(rest[name])).alias(name) if name in rest.columns else found[name]
            for name in found.columns
        ]
        return found.select(merged), whys

    def _fields(self, rows: Rows) -> dict[str, pl.Series]:
        """Return, per field, in which rows the store made it of a pair: it is not parsed a second time."""
        stored = parsed.stored_as(rows, self._stored)
        if not stored.any():
            return {}
        names = [column for column in rows.frame.columns if column.startswith(META)]
        return {column.removeprefix(META): stored & rows.frame[column].is_not_null() for column in names}

    def __str__(self) -> str:
        flags = [flag for flag, given in zip(_FLAGS, (self.strict, self.keep_empty), strict=True) if given]
        return " ".join(["| logfmt", *flags, ", ".join(map(str, self.extracts))]).rstrip()


def _quick(lines: pl.Series, after: Needs) -> tuple[pl.DataFrame, pl.Series]:
    if after.every:
        return logfmt_shapes.read_every(lines, after.wants)
    names = {name for full in after.names for name in (full, full.removesuffix("_extracted"))}
    return logfmt_shapes.read(lines, names - ERRORS)


def _key(extract: Extract) -> str:
    """Return the key of a pair, which may stand in quotes of its own."""
    place = extract.place.strip()
    return place[1:-1] if len(place) > 1 and place[0] == place[-1] == '"' else place
