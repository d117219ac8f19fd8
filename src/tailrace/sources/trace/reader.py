"""What a trace reads, with names put to its processes, and a row for each time in which something was lost.

Comes in: a trace at work, and the table of processes. Goes out: frames of events, one for each wanted event, and
frames of gaps. The accounts are held against each other once a second.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final, Protocol

import polars as pl

from tailrace.clock import NS_PER_S
from tailrace.sources.trace.columns import Host, decode
from tailrace.sources.trace.tracing import lost, unbalanced

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tailrace.clock import Clock
    from tailrace.ebpf.processes import Processes
    from tailrace.sources.trace.tables import Tables

GAP: Final = "lost_events"
"""The name of the row that tells of a loss."""

GATHER_S: Final = 0.05
"""After the first event more are waited for: whole columns cost little more than one row."""

_LOOK_NS: Final = NS_PER_S
_LOOKS: Final = 8  # until an account that does not close is believed


class Trace(Protocol):
    """A trace at work, as `tracing.Tracing` is."""

    tables: Tables

    def read(self, timeout_s: float, most: int) -> list[bytes]:
        """Return the next records."""
        ...

    def stop(self) -> None:
        """Write no further records; those that are there can still be read."""
        ...

    def look_at_places(self) -> None:
        """Look at the wanted folders again."""
        ...

    @property
    def counters(self) -> dict[str, int]:
        """What was counted."""
        ...

    @property
    def waiting_bytes(self) -> int:
        """How much is not read yet."""
        ...

    def close(self) -> None:
        """End."""
        ...


class TraceReader:
    """Reads one trace that runs; one thread uses it."""

    def __init__(self, trace: Trace, processes: Processes, clock: Clock) -> None:
        self._trace = trace
        self._processes = processes
        self._clock = clock
        self._lost = 0
        self._wrong = ""
        self._decode_errors = 0
        self._stored = 0
        self._looked_ns = clock.now_ns()

    def read(self, timeout_s: float, most: int) -> list[pl.DataFrame]:
        """Return the next events, at most about so many, and gaps; waits for the first up to `timeout_s`."""
        records = self._trace.read(timeout_s, most)
        if records and len(records) < most and timeout_s > GATHER_S:
            self._clock.wait(threading.Event(), GATHER_S)  # nobody sets it: to wait by the clock
            records += self._trace.read(0, most - len(records))
        frames = [self._named(frame) for frame in decode(records, self._trace.tables, Host.now())]
        self._stored += sum(len(frame) for frame in frames)
        return frames + self._look()

    def stop(self) -> None:
        """Trace no further; what was written can still be read."""
        self._trace.stop()

    def rest(self, most: int) -> list[pl.DataFrame]:
        """Return what waits and the last gap, before the end."""
        self._looked_ns = 0
        return self.read(0, most)

    @property
    def counters(self) -> Mapping[str, int]:
        """What the trace counted, and what was made of it."""
        counters = {**self._trace.counters, "decode_error": self._decode_errors, "rows": self._stored}
        return {**counters, **{f"processes_{name}": value for name, value in self._processes.counters.items()}}

    @property
    def lost(self) -> int:
        """How many events were lost so far."""
        return lost(self._trace.counters)

    @property
    def wrong(self) -> str:
        """Which account did not close when it was looked at last; empty if all did."""
        return self._wrong

    def close(self) -> None:
        """End the trace and forget the processes."""
        self._trace.close()
        self._processes.close()

    def _named(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Add which program each process ran, and its container: both as of the last event with the same name."""
        self._processes.drain()
        groups = frame.group_by("pid", "comm").agg(at_ns=pl.col("time_ns").max())
        found = [self._processes.who(pid, at_ns) for pid, _, at_ns in groups.iter_rows()]
        groups = groups.with_columns(
            exe=pl.Series([one and (one.executable or None) for one in found], dtype=pl.String),
            container_id=pl.Series([one and (one.container_id or None) for one in found], dtype=pl.String),
        ).drop("at_ns")
        return frame.join(groups, on=["pid", "comm"], how="left", maintain_order="left", nulls_equal=True)

    def _look(self) -> list[pl.DataFrame]:
        """Once a second hold the accounts against each other; returns a row if something was lost since."""
        now_ns = self._clock.now_ns()
        if now_ns - self._looked_ns < _LOOK_NS:
            return []
        before_ns, self._looked_ns = self._looked_ns or now_ns - _LOOK_NS, now_ns
        self._trace.look_at_places()
        self._processes.drain()  # also while nothing is traced: its ring is small
        self._wrong = self._unbalanced()
        total = self.lost
        if total == self._lost:
            return []
        gone, self._lost = total - self._lost, total
        return [gap(before_ns, now_ns, gone)]

    def _unbalanced(self) -> str:
        """Hold the accounts against each other; a call that is being counted just then is no mistake."""
        wrong = ""
        for _ in range(_LOOKS):
            wrong = unbalanced(self._trace.counters, self._trace.waiting_bytes)
            if not wrong:
                break
        return wrong


def gap(from_ns: int, to_ns: int, count: int) -> pl.DataFrame:
    """Return the row that tells how many events were lost in a time."""
    start, end = (pl.from_epoch(pl.lit(at), "ns").dt.strftime("%Y-%m-%dT%H:%M:%S%.9fZ") for at in (from_ns, to_ns))
    return pl.select(
        time_ns=pl.lit(to_ns),
        name=pl.lit(GAP),
        event_action=pl.lit("gap"),
        event_provider=pl.lit("ebpf"),
        event_start=start,
        event_end=end,
        lost=pl.lit(count),
        level=pl.lit("warn"),
    )


def in_order(frames: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Return rows of several events in the order in which they happened."""
    return pl.concat(frames, how="diagonal_relaxed").sort("time_ns", maintain_order=True)
