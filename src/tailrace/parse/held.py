"""Records that wait for their end: held back, bounded, and kept over a restart.

A record that is open at the end of a turn (the parts of a container's line, the lines of a stack trace) is one `Open`
per file chain and output, with the text so far and where it began. `Held` keeps them, tells what changed as JSON for
the checkpoint, and says whose wait is over. What is held is in no frame, so its lines and bytes stay pending.

Changes are staged: `commit` makes them real when the turn could be prepared, `rollback` forgets them when it could not.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, Final, Literal, cast

import polars as pl

from tailrace.batch import stream_labels, stream_text
from tailrace.contracts import Origin, Reading
from tailrace.limits import LINK_S, OPEN_RECORD_BYTES, OPEN_RECORDS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Key = tuple[str, str]
"""A file chain, see `chain_of`, and the output (`stdout`, `stderr`, or nothing for a plain file)."""


Due = Literal["all", "waited", "over"]
"""Which records are given out: all, those whose wait is over, or only what is held beyond the limits."""


@dataclass(frozen=True, slots=True)
class Open:
    """A record without its end. With no `lines` it is only the memory that parts of it were given out."""

    stream: str  # as its first line has it, like the text of `_stream`
    line: str
    raw: bytes | None  # the exact bytes of `line` if they are not UTF-8
    time_ns: int | None  # of the first line, like the next three
    observed_ns: int
    offset: int | None
    lines: int  # of input, in `line`
    bytes: int
    size: int  # bytes of text since the beginning of the record, parts that were given out included
    pieces: int  # lines or parts, likewise
    chunk: int  # in which stretch of the record `line` is; each stretch is a part when the record grows too long
    parts: int  # that were given out
    last_ns: int  # when its last line was read; negative after a restart: the wait begins anew
    wait_ns: int  # after which it is not waited for any more
    file: str  # key of the file of its last line
    format: str
    raw_mode: str
    timezone: str
    wrapper: str = ""  # format that a container's record was taken out of
    note: str = ""  # what whoever holds it must know to go on
    flaw: str | None = None  # what is wrong with it, apart from what its parser will say
    columns: Mapping[str, Any] = field(default_factory=dict)  # values of columns: text, numbers, truth

    def origin(self) -> Origin:
        """Return where it came from, as far as it matters to parse it."""
        reading = Reading(self.format, cast("Any", self.raw_mode), self.timezone)
        return Origin(self.file, stream_labels(self.stream), reading)

    def state(self) -> dict[str, object]:
        """Return what the checkpoint keeps."""
        values = ((name, getattr(self, name)) for name in _NAMES)  # `asdict` copies, which takes ten times as long
        state = {name: value for name, value in values if value not in (None, "", {})}
        if self.raw is not None:
            state["raw"] = base64.b64encode(self.raw).decode()
        return state

    @classmethod
    def of(cls, state: object) -> Open:
        """Return a record as `state` tells, with its wait to begin anew; raises if it tells something else."""
        given = {"raw": None, "time_ns": None, "offset": None, "line": "", **cast("dict[str, Any]", state)}
        if given["raw"] is not None:
            given["raw"] = base64.b64decode(given["raw"])
        if not all(type(given[name]) is kind for kind, names in _KINDS.items() for name in names):
            raise TypeError("a value of another type")
        return cls(**{**given, "last_ns": -1})


_NAMES: Final = tuple(each.name for each in fields(Open))
_KINDS: Final = {
    str: ("stream", "line", "file", "format", "raw_mode", "timezone"),
    int: ("observed_ns", "lines", "bytes", "size", "pieces", "chunk", "parts", "wait_ns"),
}


def chain_of(origin: Origin) -> str:
    """Return the name of the chain of files that an origin belongs to.

    Files of a chain are followed under one name. Other labels do not count: those of a pod may change in the middle.
    """
    return origin.labels.get("filename") or stream_text(origin.labels)


class Held:
    """The open records of one source, for one reason; `name` is in front of their keys in the checkpoint."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._open: dict[Key, Open] = {}
        self._staged: dict[Key, Open | None] = {}
        self._changed: set[Key] = set()
        self._lines = self._bytes = 0

    def __len__(self) -> int:
        """Return how many records are open."""
        return len(self._open)

    def get(self, key: Key) -> Open | None:
        """Return the open record of a key."""
        return self._staged[key] if key in self._staged else self._open.get(key)

    def put(self, key: Key, record: Open | None) -> None:
        """Hold another record for the key, or none."""
        self._staged[key] = record

    def commit(self) -> None:
        """Make what was put real."""
        for key, record in self._staged.items():
            before = self._open.pop(key, None)
            if before is record:
                continue
            self._count(before, -1)
            self._count(record, 1)
            self._changed.add(key)
            if record is not None:
                self._open[key] = record
        self._staged.clear()

    def rollback(self) -> None:
        """Forget what was put."""
        self._staged.clear()

    def wrappers(self) -> dict[str, str]:
        """Return the format of the files whose lines were taken out of a wrapping."""
        return {record.file: record.wrapper for record in self._open.values() if record.wrapper}

    def pending(self) -> tuple[int, int]:
        """Return the lines and bytes of input that are held."""
        return self._lines, self._bytes

    def _count(self, record: Open | None, sign: int) -> None:
        if record is not None:
            self._lines += sign * record.lines
            self._bytes += sign * record.bytes

    def due(self, now_ns: int, which: Due) -> list[Key]:
        """Return the keys whose record has waited for long enough, and the oldest while too much is held.

        A memory of parts expires here.
        """
        over = len(self._open) - OPEN_RECORDS
        excess = self._bytes - OPEN_RECORD_BYTES
        keys: list[Key] = []
        for key, record in list(self._open.items()):
            waited = now_ns - record.last_ns
            if record.last_ns < 0 or waited < 0:  # after a restart, or the clock was set back
                self._open[key], waited = replace(record, last_ns=now_ns), 0
            waits = {"all": False, "waited": waited < record.wait_ns, "over": True}[which]
            if not record.lines:
                if waited >= LINK_S * 1e9 or over > 0:
                    over -= 1
                    self.put(key, None)
            elif not waits or over > 0 or excess > 0:
                over -= 1
                excess -= record.bytes
                keys.append(key)
        return keys

    # --- the checkpoint -------------------------------------------------------------------------

    def mark(self) -> dict[str, object]:
        """Return what changed since the last mark."""
        changed, self._changed = self._changed, set()
        marks: dict[str, object] = {}
        for chain, output in changed:
            record = self._open.get((chain, output))
            marks[f"{self.name}:{output}:{chain}"] = None if record is None else record.state()
        return marks

    def restore(self, name: str, state: object) -> bool:
        """Take back a record by the name that `mark` gave it; tells whether it was one of these."""
        owner, _, rest = name.partition(":")
        output, separator, chain = rest.partition(":")
        if owner != self.name or not separator:
            return False
        try:
            record = Open.of(state)
        except (KeyError, TypeError, ValueError):
            self._changed.add((chain, output))  # not of our making: forgotten with the next mark
            return True
        self._open[chain, output] = record
        self._count(record, 1)
        return True


def rows_of(records: Sequence[Open], first: int = 0) -> pl.DataFrame:
    """Return held records as rows with their place, counted from `first`, as `_origin`, and as odd `_row`."""
    places = range(first, first + len(records))
    names = dict.fromkeys(name for record in records for name in record.columns)
    columns = {
        "_row": pl.Series([2 * place + 1 for place in places], dtype=pl.UInt32),
        "_origin": pl.Series(places, dtype=pl.UInt32),
        "_stream": pl.Series([record.stream for record in records], dtype=pl.String),
        "_line": pl.Series([record.line for record in records], dtype=pl.String),
        "_time_ns": pl.Series([record.time_ns for record in records], dtype=pl.Int64),
        "_observed_ns": pl.Series([record.observed_ns for record in records], dtype=pl.Int64),
        "_offset": pl.Series([record.offset for record in records], dtype=pl.Int64),
        "_in_lines": pl.Series([record.lines for record in records], dtype=pl.Int64),
        "_in_bytes": pl.Series([record.bytes for record in records], dtype=pl.Int64),
    }
    if any(record.raw is not None for record in records):
        columns["_raw"] = pl.Series([record.raw for record in records], dtype=pl.Binary)
    return pl.DataFrame(columns | {name: _values([record.columns.get(name) for record in records]) for name in names})


def _values(values: Sequence[object]) -> pl.Series:
    """Return a field's values as one column, as text if they are of several types."""
    kinds = {type(value) for value in values if value is not None}
    return pl.Series(values) if len(kinds) == 1 else pl.Series([None if v is None else str(v) for v in values])
