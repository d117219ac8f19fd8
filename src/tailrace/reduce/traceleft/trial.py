"""Try the filters of an aggregation spec on a sample: what each took, let pass and would tell. Nothing is sent."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.reduce.step import divided
from tailrace.reduce.traceleft.reduction import RULE, TraceReduction

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tailrace.reduce.traceleft.document import Document


@dataclass(slots=True)
class FilterTrial:
    """What one event filter of an aggregation spec did with the sample."""

    name: str
    event: str
    rule: str
    channel: str
    did: dict[str, int] = field(default_factory=dict)  # events, taken, passed, alerts
    examples: list[str] = field(default_factory=list)  # of alerts


class FilterTrials:
    """The event filters of a spec, and the alerts that they would send."""

    def __init__(self, document: Document, examples: int) -> None:
        self._lines = self._bytes = 0
        self._tried = [
            FilterTrial(f"events[{number}]", part.name, part.rule, part.channel)
            for number, part in enumerate(document.events)
        ]
        # Each filter alone: so it is known whose alerts they are.
        self._alone = [
            TraceReduction(document.model_copy(update={"events": (part,)}), {part.channel: _Shown(found, examples)})
            for part, found in zip(document.events, self._tried, strict=True)
        ]

    def take(self, frame: pl.DataFrame, now_ns: int) -> pl.DataFrame:
        """Return the rows that no filter names."""
        gone = pl.repeat(value=False, n=len(frame), dtype=pl.Boolean, eager=True)
        for alone in self._alone:
            alone.reduce(frame, now_ns)
            alone.edition()()
            gone |= alone.named(frame)
        ended, rest = divided(frame, gone)
        self._lines += int(ended["_in_lines"].sum())
        self._bytes += int(ended["_in_bytes"].sum())
        return rest

    def end(self, now_ns: int) -> tuple[list[FilterTrial], dict[str, tuple[int, int]]]:
        """Return what each filter did, and the lines and bytes that ended in them, by the id they are counted under."""
        for alone, found in zip(self._alone, self._tried, strict=True):
            alone.flush(now_ns, final=True)
            alone.edition()()
            found.did = dict(alone.filters[0].counters)
        return self._tried, {RULE: (self._lines, self._bytes)}


class _Shown:
    """A channel that keeps a few alerts as text."""

    counters: Final[Mapping[str, int]] = {}

    def __init__(self, found: FilterTrial, most: int) -> None:
        self.name = found.channel
        self._found = found
        self._most = most

    def send(self, rows: pl.DataFrame) -> None:
        """Keep the text of alerts."""
        alerts = [f"COUNT {row['_count']}: {row['_line'].rstrip()}" for row in rows.iter_rows(named=True)]
        self._found.examples += alerts[: max(0, self._most - len(self._found.examples))]

    def close(self) -> None:
        """Nothing is open."""
