"""Reduce a stream of file events by an aggregation spec; implements `contracts.Reduction`.

Comes in: rows of file events among any others. Rows whose `name` some filter names end here, counted under the filters'
id; what they add up to is sent to the filters' channels when their batch is durable. All other rows go on as they
are. Several filters may see one event. State is what each filter counted and its open window, under a name that is made
of what the filter says: it is part of the agent's position, so a crash neither loses nor repeats a count, and another
filter in the same place begins anew.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.batch import stream_text
from tailrace.contracts import Reduced
from tailrace.limits import STEP_KEYS
from tailrace.reduce.rows import as_frame
from tailrace.reduce.traceleft.clock import EventClock, moment
from tailrace.reduce.traceleft.outputs import OUTPUTS, Windows
from tailrace.reduce.traceleft.rule import EventRule
from tailrace.reduce.traceleft.sigma import EXPIRY_S, Sigma
from tailrace.syscalls.events import EVENTS, argument
from tailrace.syscalls.hashing import event_hash
from tailrace.syscalls.text import event_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tailrace.contracts import Channel
    from tailrace.reduce.rows import Row
    from tailrace.reduce.traceleft.document import Document, EventPart

RULE: Final = "aggregation_spec"
"""The id under which events are counted that ended in a filter."""

_STATE: Final = "aggregation/"
_SECOND_NS: Final = 1_000_000_000


class Filter:
    """One event filter at work."""

    def __init__(self, number: int, part: EventPart, key: str) -> None:
        self.part = part
        self.name = f"events[{number}]"
        self.counters: Counter[str] = Counter()
        """Events of the name, those that the rule took, those that the function let pass, and alerts."""
        self._key = key
        self._rule = EventRule(part.rule, part.name)
        given = part.function.values
        self._sigma = Sigma(
            frequency=given.get("frequency", 1),
            threshold=given.get("threshold", 0),
            window_s=given.get("window", 1),
            max_keys=given.get("max_keys", STEP_KEYS),
            expiry_s=given.get("expiry", EXPIRY_S),
        )
        self._windows = Windows(OUTPUTS[part.output.metrics], part.output.values)
        self._clock = EventClock()
        self._marked: object = None

    def take(self, events: pl.DataFrame) -> Sequence[Row]:
        """Take events of the filter's name; returns alerts."""
        self.counters["events"] += len(events)
        rows = events.filter(self._rule.mask(events))
        if not len(rows):
            return ()
        times = self._clock.rising(rows)
        passing = self._sigma.passing(key_of(rows, self.part.name), times // _SECOND_NS)
        self.counters["taken"] += len(rows)
        self.counters["passed"] += int(passing.sum())
        self.counters["forgotten keys"] = self._sigma.evicted
        return self._told(self._windows.take(rows, times, passing, self._values(rows)))

    def due(self, now_ns: int) -> Sequence[Row]:
        """Return the alert of a window that is over by the time."""
        return self._told(self._windows.due(now_ns))

    def end(self) -> Sequence[Row]:
        """Return the alert of the open window."""
        return self._told(self._windows.end())

    def _told(self, alerts: Sequence[Row]) -> Sequence[Row]:
        self.counters["alerts"] += len(alerts)
        return alerts

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
        changes: dict[str, object] = {f"{self._key}/{key}": value for key, value in self._sigma.mark().items()}
        state = [self._clock.newest_ns, self._windows.mark()]
        if state != self._marked:
            changes[self._key] = self._marked = state
        return changes

    def restore(self, state: Mapping[str, object]) -> set[str]:
        """Go on from a state; returns the names in it that are this filter's."""
        prefix = f"{self._key}/"
        keys = {key for key in state if key.startswith(prefix)}
        self._sigma.restore({key.removeprefix(prefix): state[key] for key in keys})
        self._marked = state.get(self._key)
        if isinstance(self._marked, list):
            self._clock.newest_ns, window = self._marked
            self._windows.restore(window)
        return {self._key, *keys}


class TraceReduction:
    """The filters of one document, and the channels that their alerts go to, by id."""

    def __init__(self, document: Document, channels: Mapping[str, Channel]) -> None:
        keys = _keys(document.events)
        self.filters = [Filter(number, part, keys[number]) for number, part in enumerate(document.events)]
        self._names = sorted({part.name for part in document.events})
        self._channels = channels
        self._alerts: list[tuple[str, pl.DataFrame]] = []
        self._forgotten: dict[str, object] = {}

    def restore(self, state: Mapping[str, object]) -> None:
        """Go on from a state; what belongs to no filter any more is forgotten."""
        known = {key for one in self.filters for key in one.restore(state)}
        self._forgotten = {key: None for key in state if key.startswith(_STATE) and key not in known}

    def reduce(self, frame: pl.DataFrame, now_ns: int) -> Reduced:
        """Return the rows that no filter names; the others are counted."""
        self._take_due(now_ns)
        named = self.named(frame)
        if not named.any():
            return Reduced(frame)
        events = frame.filter(named)
        for one in self.filters:
            mine = events.filter(pl.col("name") == one.part.name)
            if len(mine):
                self._tell(one, one.take(mine))
        lines, size = int(events["_in_lines"].sum()), int(events["_in_bytes"].sum())
        return Reduced(frame.filter(~named), [(RULE, lines, size)])

    def named(self, frame: pl.DataFrame) -> pl.Series:
        """Return which rows are events that a filter names."""
        if "name" not in frame.columns:
            return pl.repeat(value=False, n=len(frame), dtype=pl.Boolean, eager=True)
        return frame["name"].cast(pl.String).is_in(self._names).fill_null(value=False)

    def flush(self, now_ns: int, *, final: bool) -> Reduced:
        """End windows that are due; with `final` all."""
        if final:
            self.stop()
        self._take_due(now_ns)
        return Reduced(pl.DataFrame())

    def stop(self) -> None:
        """End all windows: nobody knows when, or whether, there is another start to tell them."""
        for one in self.filters:
            self._tell(one, one.end())

    def mark(self) -> Mapping[str, object]:
        """Return the changes of state since the last mark."""
        changes, self._forgotten = self._forgotten, {}
        return {**changes, **{key: value for one in self.filters for key, value in one.mark().items()}}

    def edition(self) -> Callable[[], None]:
        """Return what sends the alerts since the last edition."""
        alerts, self._alerts = self._alerts, []

        def publish() -> None:
            for channel, alert in alerts:
                self._channels[channel].send(alert)

        return publish

    @property
    def counters(self) -> Mapping[str, Mapping[str, int]]:
        """What each filter did, by its name: events, and those that were taken and passed, alerts, forgotten keys."""
        return {one.name: dict(one.counters) for one in self.filters}

    def _take_due(self, now_ns: int) -> None:
        for one in self.filters:
            self._tell(one, one.due(now_ns))

    def _tell(self, one: Filter, alerts: Sequence[Row]) -> None:
        part = one.part
        labels = {"source": "file_events", "event": part.name, "stream": part.stream, "group": part.group}
        for alert in alerts:
            row = as_frame([alert])
            row = row.with_columns(hash=pl.lit(event_hash(row), pl.UInt64), _time_ns=pl.lit(moment(row)))
            row = row.with_columns(_stream=pl.lit(stream_text(labels)), _line=pl.lit(event_text(row)))
            self._alerts.append((part.channel, row))


def _keys(parts: Sequence[EventPart]) -> list[str]:
    """Return the name of each filter's state: the same as long as the filter says the same."""
    texts = [part.model_dump_json() for part in parts]
    digests = [hashlib.blake2b(text.encode(), digest_size=8).hexdigest() for text in texts]
    return [f"{_STATE}{digest}-{digests[:number].count(digest)}" for number, digest in enumerate(digests)]


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
