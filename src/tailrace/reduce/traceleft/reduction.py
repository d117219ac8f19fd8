"""Reduce a stream of file events by an aggregation spec; implements `contracts.Reduction`.

Comes in: rows of file events among any others. Rows whose `name` some filter names end here, counted under the filters'
id; what they add up to is sent to the filters' channels when their batch is durable. All other rows go on as they
are. Several filters may see one event. State is what each filter counted and its open window: it is part of the
agent's position, so a crash neither loses nor repeats a count.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl

from tailrace.batch import stream_text
from tailrace.contracts import Reduced
from tailrace.reduce.traceleft.outputs import OUTPUTS, Windows
from tailrace.reduce.traceleft.rule import EventRule
from tailrace.reduce.traceleft.sigma import KEYS, Sigma
from tailrace.syscalls.events import EVENTS, argument
from tailrace.syscalls.text import event_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tailrace.contracts import Channel
    from tailrace.reduce.traceleft.document import Document, EventPart

RULE: Final = "aggregation_spec"
"""The id under which events are counted that ended in a filter."""

_SECOND_NS: Final = 1_000_000_000


class _Filter:
    """One event filter at work."""

    def __init__(self, number: int, part: EventPart) -> None:
        values = part.function.values
        self.part = part
        self.key = f"aggregation/events[{number}]"
        self.rule = EventRule(part.rule, part.name)
        self.sigma = Sigma(
            values.get("frequency", 1),
            values.get("threshold", 0),
            max(1, values.get("window", 1)),
            max(1, values.get("max_keys", KEYS)),
        )
        self.windows = Windows(OUTPUTS[part.output.metrics], part.output.values)
        self.marked: object = None

    def take(self, events: pl.DataFrame) -> list[dict[str, Any]]:
        """Take events of the filter's name; returns alerts."""
        rows = events.filter(self.rule.mask(events))
        if not len(rows):
            return []
        passing = self.sigma.passing(key_of(rows, self.part.name), rows["_time_ns"] // _SECOND_NS)
        return self.windows.take(rows, passing, self._values(rows))

    def _values(self, rows: pl.DataFrame) -> pl.Series | None:
        name = self.part.output.values.get("field", "")
        if not name:
            return None
        arguments = EVENTS[self.part.name]
        for number, wanted in enumerate(arguments, 1):
            if name in (wanted.name, f"arg{number}"):
                return argument(rows, self.part.name, number)
        if name in rows.columns:
            return rows[name]
        return pl.Series([None], dtype=pl.String).new_from_index(0, len(rows))

    def mark(self) -> dict[str, object]:
        """Return what changed since the last mark."""
        changes: dict[str, object] = {f"{self.key}/{key}": value for key, value in self.sigma.mark().items()}
        window = self.windows.mark()
        if window != self.marked:
            changes[self.key] = self.marked = window
        return changes

    def restore(self, state: Mapping[str, object]) -> None:
        """Go on from a state."""
        prefix = f"{self.key}/"
        self.sigma.restore({key.removeprefix(prefix): v for key, v in state.items() if key.startswith(prefix)})
        self.marked = state.get(self.key)
        self.windows.restore(self.marked)


class TraceReduction:
    """The filters of one document, and the channels that their alerts go to, by id."""

    def __init__(self, document: Document, channels: Mapping[str, Channel]) -> None:
        self._filters = [_Filter(number, part) for number, part in enumerate(document.events)]
        self._names = sorted({part.name for part in document.events})
        self._channels = channels
        self._alerts: list[tuple[str, pl.DataFrame]] = []

    def restore(self, state: Mapping[str, object]) -> None:
        """Go on from a state; called once, before the first `reduce`."""
        for one in self._filters:
            one.restore(state)

    def reduce(self, frame: pl.DataFrame, now_ns: int) -> Reduced:
        """Return the rows that no filter names; the others are counted."""
        self._take_due(now_ns)
        if "name" not in frame.columns:
            return Reduced(frame)
        named = frame["name"].cast(pl.String).is_in(self._names).fill_null(value=False)
        if not named.any():
            return Reduced(frame)
        events = frame.filter(named)
        for one in self._filters:
            mine = events.filter(pl.col("name") == one.part.name)
            if len(mine):
                self._tell(one, one.take(mine))
        lines, size = int(events["_in_lines"].sum()), int(events["_in_bytes"].sum())
        return Reduced(frame.filter(~named), [(RULE, lines, size)])

    def flush(self, now_ns: int, *, final: bool) -> Reduced:
        """End windows that are due; with `final` all."""
        if final:
            for one in self._filters:
                self._tell(one, one.windows.end())
        self._take_due(now_ns)
        return Reduced(pl.DataFrame())

    def mark(self) -> Mapping[str, object]:
        """Return the changes of state since the last mark."""
        return {key: value for one in self._filters for key, value in one.mark().items()}

    def edition(self) -> Callable[[], None]:
        """Return what sends the alerts since the last edition."""
        alerts, self._alerts = self._alerts, []

        def publish() -> None:
            for channel, alert in alerts:
                self._channels[channel].send(alert)

        return publish

    @property
    def counters(self) -> Mapping[str, int]:
        """How many keys were forgotten because there were too many, by filter."""
        return {one.key: one.sigma.evicted for one in self._filters}

    def _take_due(self, now_ns: int) -> None:
        for one in self._filters:
            self._tell(one, one.windows.due(now_ns))

    def _tell(self, one: _Filter, alerts: Sequence[dict[str, Any]]) -> None:
        part = one.part
        labels = {"source": "file_events", "event": part.name, "stream": part.stream, "group": part.group}
        for alert in alerts:
            row = pl.DataFrame([alert], infer_schema_length=None)
            row = row.with_columns(_stream=pl.lit(stream_text(labels)), _line=pl.lit(event_text(row)))
            self._alerts.append((part.channel, row))


def key_of(rows: pl.DataFrame, event: str) -> pl.Series:
    """Return what makes events the same: who did it, what, to what. Not the result, nor what was read or written."""
    who = [
        pl.col(name).cast(pl.String).fill_null("") if name in rows.columns else pl.lit("")
        for name in ("program_id", "pid")
    ]
    what = [
        argument(rows, event, number).cast(pl.String).fill_null("").alias(f"a{number}")
        for number, wanted in enumerate(EVENTS[event], 1)
        if wanted.kind != "buffer"
    ]
    return rows.select(pl.concat_str(*who, *(pl.lit(series) for series in what), separator="\x1f").alias("key"))["key"]
