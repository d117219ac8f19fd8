"""`tailrace trace` without a table, wired: events are shown as they are read, or reduced by a spec and told.

Comes in: settings and a spec. Goes out: frames of rows to show, alerts to the channels of the spec. Nothing is stored,
so an alert is told as soon as it is there.
"""

from __future__ import annotations

import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.agent.signals import stop_on_signals
from tailrace.agent.wiring import make_reducing
from tailrace.batch import complete, stream_text
from tailrace.clock import SystemClock
from tailrace.reduce.spec import Spec
from tailrace.reduce.traceleft.bounds import beginnings
from tailrace.sources.trace.battery import first_text
from tailrace.sources.trace.choose import open_counting, open_reader
from tailrace.sources.trace.columns import ORDER
from tailrace.sources.trace.documents import message
from tailrace.sources.trace.source import EVENTS
from tailrace.telemetry import Accounts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tailrace.agent.wiring import Reducing
    from tailrace.clock import Clock
    from tailrace.sources.trace.settings import TraceSettings

_WAIT_S: Final = 0.2
_COUNT_S: Final = 1.0


def show(
    settings: TraceSettings,
    spec: Spec,
    host: str,
    shown: Callable[[Sequence[pl.DataFrame]], None],
    lost: Callable[[int], None],
    started: Callable[[Callable[[], None]], None],
) -> Mapping[str, int]:
    """Trace until told to stop; returns what was counted.

    `shown` gets frames of one event each, `lost` how many events were lost since it was told last; `started` is called
    when calls are traced, with what stops it.
    """
    clock, stopping = SystemClock(), threading.Event()
    reader = open_reader(settings, clock, _texts(spec))
    with ExitStack() as ending:
        ending.callback(reader.close)
        reduced = _Reduced(make_reducing(spec, Accounts()), host, settings, clock) if spec != Spec() else None
        if reduced is not None:
            ending.callback(reduced.close)
        told = 0

        def take(frames: Sequence[pl.DataFrame]) -> None:
            nonlocal told
            if reader.lost != told:
                lost(reader.lost - told)
                told = reader.lost
            frames = frames if reduced is None else reduced.take(frames)
            if frames:
                shown(frames)

        with stop_on_signals(stopping.set):
            started(stopping.set)
            while not stopping.is_set():
                take(reader.read(_WAIT_S, EVENTS))
        reader.stop()
        while frames := reader.rest(EVENTS):
            take(frames)
        if reduced is not None and (last := reduced.end()):
            shown(last)
        return dict(reader.counters)


def count(
    settings: TraceSettings,
    shown: Callable[[pl.DataFrame], None],
    started: Callable[[Callable[[], None]], None],
) -> int:
    """Count in the kernel until told to stop; `shown` gets the numbers of each second. Returns what was not counted."""
    clock, stopping = SystemClock(), threading.Event()
    counting = open_counting(settings, clock)
    try:
        with stop_on_signals(stopping.set):
            started(stopping.set)
            while not clock.wait(stopping, _COUNT_S):
                shown(counting.read())
        shown(counting.read())
        return counting.refused
    finally:
        counting.close()


def _texts(spec: Spec) -> dict[str, tuple[str, ...]]:
    """Return what the first text of each event must begin with for some filter of an aggregation spec to take it."""
    events = [] if spec.aggregation is None else spec.aggregation.events
    found: dict[str, tuple[str, ...]] = {}
    for name in {event.name for event in events}:
        number = first_text(name)
        texts = beginnings([event.rule for event in events if event.name == name], name, number) if number else None
        if texts is not None:
            found[name] = texts
    return found


class _Reduced:
    """What a spec makes of events."""

    def __init__(self, reducing: Reducing, host: str, settings: TraceSettings, clock: Clock) -> None:
        assert reducing.reduction is not None
        self._reducing = reducing
        self._reduction = reducing.reduction
        self._clock = clock
        labels = {"host": host, "source": settings.name, "service_name": settings.name, **settings.labels}
        self._stream = stream_text(labels)

    def take(self, frames: Sequence[pl.DataFrame]) -> list[pl.DataFrame]:
        """Return the rows that the spec lets through, alerts are sent."""
        now_ns = self._clock.now_ns()
        left = [self._reduction.reduce(self._rows(frame, now_ns), now_ns).frame for frame in frames]
        left.append(self._reduction.flush(now_ns, final=False).frame)
        self._reduction.edition()()
        return [_event(frame) for frame in left if len(frame)]

    def end(self) -> list[pl.DataFrame]:
        """Return what was held; everything is told."""
        left = self._reduction.flush(self._clock.now_ns(), final=True).frame
        self._reduction.stop()
        self._reduction.edition()()
        return [_event(left)] if len(left) else []

    def close(self) -> None:
        """Let the channels send what they have."""
        self._reducing.close()

    def _rows(self, frame: pl.DataFrame, now_ns: int) -> pl.DataFrame:
        """Return events as rows on their way to a table."""
        line = message(frame).alias("_line")
        rows = frame.drop(ORDER, strict=False).rename({"time_ns": "_time_ns"})
        return complete(
            rows.with_columns(line, _stream=pl.lit(self._stream), _observed_ns=pl.lit(now_ns))
        ).with_columns(_in_lines=pl.lit(1, pl.Int64), _in_bytes=line.str.len_bytes().cast(pl.Int64))


def _event(rows: pl.DataFrame) -> pl.DataFrame:
    """Return rows as events again."""
    return rows.rename({"_time_ns": "time_ns"})
