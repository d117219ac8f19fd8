"""The lines of a page as values, with their labels by where they come from; nothing here knows of HTML. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from tailrace.query.result import LINES_SCHEMA, META, PARSED, STREAM
from tailrace.web.explorer.search.address import Address, key_of
from tailrace.web.times import iso

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import polars as pl

LEVEL: Final = "detected_level"
OPENED_CHARS: Final = 16_384
"""Longer texts are not looked into for JSON."""
LATENESS_NS: Final = 60 * 1_000_000_000
"""A line that was read so long after its own time is called late in its panel."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line. `skip` rows of its time stand above it; `count` lines were folded into it, `last` is the oldest."""

    time_ns: int
    level: str
    line: str
    offset: int | None
    observed_ns: int | None
    stream_text: str
    stream: Mapping[str, str]
    fields: Mapping[str, str]
    parsed: Mapping[str, str]
    skip: int = 0
    count: int = 1
    last: Row | None = None

    @property
    def key(self) -> str:
        """What tells it from other lines of its time."""
        return key_of(self.stream_text, self.offset, self.line)

    @property
    def address(self) -> Address:
        """Where it is found again."""
        return Address(self.time_ns, self.key)

    @property
    def foot(self) -> Row:
        """The line at its lower end: another one only if lines were folded."""
        return self.last or self

    @property
    def late_ns(self) -> int | None:
        """How long after its own time it was read; None if that is not known."""
        return None if self.observed_ns is None else self.observed_ns - self.time_ns

    def value(self, name: str) -> str | None:
        """Return a label, wherever it comes from; None if the line lacks it."""
        if name == LEVEL:
            return self.level or None
        return next((held[name] for held in (self.parsed, self.fields, self.stream) if name in held), None)


def rows_of(frame: pl.DataFrame, at_ns: int | None = None, skip: int = 0) -> list[Row]:
    """Return the rows of an answer, newest first, as values: for one page of them.

    `skip` rows of the time `at_ns` stand above the first.
    """
    names = frame.columns
    groups = {
        prefix: [(at, name.removeprefix(prefix)) for at, name in enumerate(names) if name.startswith(prefix)]
        for prefix in (STREAM, META, PARSED)
    }
    time, line, level, offset, observed, stream = (names.index(name) for name in LINES_SCHEMA)

    def held(record: tuple[str | None, ...], prefix: str) -> dict[str, str]:
        return {name: value for at, name in groups[prefix] if (value := record[at]) is not None}

    rows = []
    above_ns, above = at_ns, skip - 1
    for record in frame.iter_rows():
        above = above + 1 if record[time] == above_ns else 0
        above_ns = record[time]
        rows.append(
            Row(
                record[time],
                record[level] or "",
                record[line] or "",
                record[offset],
                record[observed],
                record[stream] or "",
                held(record, STREAM),
                held(record, META),
                held(record, PARSED),
                above,
            )
        )
    return rows


def folded(rows: Sequence[Row]) -> list[Row]:
    """Return the rows with neighbours that say the same, of one stream and level, as one."""
    found: list[Row] = []
    for row in rows:
        head = found[-1] if found else None
        if head and (head.line, head.level, head.stream_text) == (row.line, row.level, row.stream_text):
            found[-1] = replace(head, count=head.count + 1, last=row)
        else:
            found.append(row)
    return found


def record(row: Row) -> dict[str, object]:
    """Return a line with all its labels."""
    held = {
        "time": iso(row.time_ns),
        "time_ns": str(row.time_ns),
        "level": row.level,
        "line": row.line,
        "stream": dict(row.stream),
        "fields": dict(row.fields),
        "parsed": dict(row.parsed),
    }
    return {name: value for name, value in held.items() if value}


def record_text(row: Row) -> str:
    """Return a line with all its labels as indented JSON; texts that are JSON themselves are shown as such."""
    held = record(row)
    shown = {
        name: {key: _opened(text) for key, text in one.items()} for name, one in held.items() if isinstance(one, dict)
    }
    return json.dumps({**held, "line": _opened(row.line), **shown}, ensure_ascii=False, indent=2)


def _opened(text: str) -> object:
    """Return what a text holds if it is a JSON object or list, else the text."""
    if not text.startswith(("{", "[")) or len(text) > OPENED_CHARS:
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
