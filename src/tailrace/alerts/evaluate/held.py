"""The lines of some streams and times, held in memory: read once, asked by many rules.

Comes in: a snapshot, an engine, and which streams, columns and times are wanted. Goes out: `Held`, the rows in order
of their streams, and which of them somebody asks for; `copies` makes of these what a query reads.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

import narwhals as nw
import polars as pl

from tailrace.batch import stream_labels
from tailrace.query.matching import accepts, matches
from tailrace.query.needs import Needs
from tailrace.query.rows import Rows

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from tailrace.contracts import Engine, Segments, Snapshot
    from tailrace.query.syntax import Matcher, Selector, Stage

ALWAYS: Final = ("_time_ns", "_stream", "_line", "_format")
"""Columns that are read in any case."""

_NOTHING: Final = Needs()


class Streams:
    """The label sets of some streams, and which of them a selector means: by look-ups, not by a look at each."""

    def __init__(self, texts: Iterable[str]) -> None:
        self.texts = sorted(texts)
        self._places: dict[str, dict[str, set[int]]] = {}
        self._found: dict[Selector, tuple[int, ...]] = {}
        for place, text in enumerate(self.texts):
            for name, value in stream_labels(text).items():
                self._places.setdefault(name, {}).setdefault(value, set()).add(place)

    def chosen(self, selector: Selector) -> tuple[int, ...]:
        """Return the places in `texts` of the streams that all matchers accept."""
        if selector not in self._found:
            parts = sorted((self._accepted(matcher) for matcher in selector.matchers), key=len)
            kept = set(range(len(self.texts))) if not parts else set.intersection(*parts)
            self._found[selector] = tuple(sorted(kept))
        return self._found[selector]

    def _accepted(self, matcher: Matcher) -> set[int]:
        values = self._places.get(matcher.name, {})
        if matcher.op == "=" and matcher.value:
            return values.get(matcher.value, set())
        texts = pl.DataFrame({"value": list(values)}, schema={"value": pl.String})
        passing = texts.filter(matches(matcher, pl.col("value")))["value"].to_list()
        found = set[int]().union(*(values[value] for value in passing))
        if accepts(matcher, ""):
            found |= set(range(len(self.texts))).difference(*values.values())
        return found


@dataclass(frozen=True, slots=True)
class Asked:
    """What one asker reads: the streams of a selector, and of their lines those that pass filters."""

    selector: Selector
    filters: tuple[Stage, ...] = ()


@dataclass(frozen=True)
class Held:
    """Rows of a span of time, in order of their streams; `_n` is the place of a row's stream in `streams`."""

    snapshot: Snapshot
    streams: Streams
    rows: pl.DataFrame
    start_ns: int
    end_ns: int

    @classmethod
    def read(
        cls,
        snapshot: Snapshot,
        engine: Engine,
        segments: Segments,
        streams: Streams,
        wanted: Collection[int],
        columns: Iterable[str],
        span: tuple[int, int],
    ) -> Held:
        """Read the lines of the streams at some places, in `span[0] <= t < span[1]`."""
        start_ns, end_ns = span
        types = {name: snapshot.columns[name] for name in (*ALWAYS, *columns) if name in snapshot.columns}
        time = nw.col("_time_ns")
        kept = (time >= start_ns) & (time < end_ns)
        if len(wanted) < len(streams.texts):
            kept &= nw.col("_stream").is_in([streams.texts[place] for place in sorted(wanted)])
        rows = engine.collect(engine.scan(segments, types).filter(kept))
        order = pl.DataFrame({"_stream": streams.texts}, schema={"_stream": pl.String}).with_row_index("_n")
        numbered = rows.join(order, on="_stream", how="inner", maintain_order="left")
        return cls(snapshot, streams, numbered.sort("_n", maintain_order=True), start_ns, end_ns)

    def within(self, start_ns: int, end_ns: int) -> Held:
        """Return the rows of a part of the span."""
        if (start_ns, end_ns) == (self.start_ns, self.end_ns):
            return self
        time = pl.col("_time_ns")
        rows = self.rows.filter((time >= start_ns) & (time < end_ns))
        return Held(self.snapshot, self.streams, rows, start_ns, end_ns)

    @cached_property
    def _spans(self) -> dict[int, tuple[int, int]]:
        """Return first row and rows of each stream, by its place in `streams`."""
        counted = self.rows.group_by("_n", maintain_order=True).agg(rows=pl.len().cast(pl.Int64))
        placed = counted.with_columns(at=pl.col("rows").cum_sum() - pl.col("rows"))
        return {number: (at, rows) for number, rows, at in placed.iter_rows()}

    @cached_property
    def _found(self) -> dict[Asked, pl.Series]:
        return {}

    def places(self, asked: Asked) -> pl.Series:
        """Return which rows an asker reads."""
        if asked not in self._found:
            self._found[asked] = self._places(asked)
        return self._found[asked]

    def _places(self, asked: Asked) -> pl.Series:
        spans = [self._spans[number] for number in self.streams.chosen(asked.selector) if number in self._spans]
        joined: list[tuple[int, int]] = []
        for at, rows in spans:
            if joined and sum(joined[-1]) == at:
                joined[-1] = (joined[-1][0], joined[-1][1] + rows)
            else:
                joined.append((at, rows))
        numbers = [pl.int_range(at, at + rows, dtype=pl.UInt32, eager=True) for at, rows in joined]
        places = pl.concat(numbers) if numbers else pl.Series(dtype=pl.UInt32)
        if not asked.filters or not joined:
            return places
        lines = pl.concat([self.rows["_line"].slice(at, rows) for at, rows in joined])
        left = Rows(pl.DataFrame({"_line": lines, "_place": places}))
        for stage in asked.filters:
            left = stage.apply(left, _NOTHING)
        return left.frame["_place"]
