"""The reduction: a spec's metrics, then its steps, over the frames in order.

Comes in: frames with `_in_lines` and `_in_bytes` beside the envelope. Goes out: what the steps let through, with both
columns, and under which step's id the rest ended. What steps remember leaves as marks, under `<id>/<kind>/<key>`: a
step that got another kind under the same id starts anew. What was sent to channels waits for `edition`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.batch import stack
from tailrace.contracts import Reduced
from tailrace.reduce.metrics.state import Metrics
from tailrace.reduce.spec import step_ids
from tailrace.reduce.step import Held
from tailrace.reduce.steps.route import Route

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tailrace.contracts import Channel
    from tailrace.reduce.spec import Spec
    from tailrace.reduce.step import Step

_METRICS: Final = "metrics//"  # in front of the keys of the metrics' state; a step's id and kind are not empty


class Pipeline:
    """Runs the steps of a spec; implements `contracts.Reduction`.

    `channels` has every channel that the spec names, by name; they get their rows when the batch is durable. Without it
    nothing is sent, as a trial wants it. Channels of the type `store` are none: their rows go on as rows.
    """

    def __init__(self, spec: Spec, channels: Mapping[str, Channel] | None = None) -> None:
        ids = step_ids(spec.steps)
        self.steps: list[Step] = [settings.step(name) for settings, name in zip(spec.steps, ids, strict=True)]
        self._prefixes = [f"{name}/{settings.type}/" for settings, name in zip(spec.steps, ids, strict=True)]
        self._channels = channels
        stores = frozenset(channel.name for channel in spec.channels if channel.type == "store")
        for step in self.steps:
            if isinstance(step, Route):
                step.stores = stores
        self.metrics = Metrics(spec.metrics, spec.sessions)
        """What was counted; `families` are for a scraper."""
        self._counts = bool(spec.metrics or spec.sessions)
        self._forgotten: dict[str, object] = {}

    @property
    def counters(self) -> Mapping[str, Mapping[str, int]]:
        """What happened that is no dropped row, by step id: late rows, keys beyond a bound."""
        return {step.id: step.counters for step in self.steps if isinstance(step, Held)}

    def restore(self, state: Mapping[str, object]) -> None:
        """Go on from a state; what no step knows is left alone."""
        unknown = self.metrics.restore(_under(_METRICS, state))
        self._forgotten = {_METRICS + key: None for key in unknown}
        for step, prefix in zip(self.steps, self._prefixes, strict=True):
            if isinstance(step, Held):
                step.restore(_under(prefix, state))

    def reduce(self, frame: pl.DataFrame, now_ns: int) -> Reduced:
        """Return the rows that go on, and what was dropped."""
        dropped: dict[str, tuple[int, int]] = {}
        if self._counts:
            self.metrics.observe(frame, now_ns)
        for step in self.steps:
            frame = _applied(step, frame, now_ns, dropped)
        return Reduced(frame, _listed(dropped))

    def flush(self, now_ns: int, *, final: bool) -> Reduced:
        """Return rows that are due by the time alone, having gone through the steps after the one that made them."""
        dropped: dict[str, tuple[int, int]] = {}
        frame = pl.DataFrame()
        if self._counts:
            self.metrics.flush(now_ns)
        for step in self.steps:
            frame = _applied(step, frame, now_ns, dropped)
            due = step.flush(now_ns, final=final) if isinstance(step, Held) else None
            if due is not None and len(due):
                frame = stack([frame, due]) if len(frame) else due
        return Reduced(frame, _listed(dropped))

    def stop(self) -> None:
        """Do nothing: what steps hold goes on after the next start, as if there had been no stop."""

    def mark(self) -> Mapping[str, object]:
        """Return the changes of all states since the last mark."""
        changes, self._forgotten = self._forgotten, {}
        changes |= {_METRICS + key: value for key, value in self.metrics.mark().items()}
        for step, prefix in zip(self.steps, self._prefixes, strict=True):
            if isinstance(step, Held):
                changes |= {prefix + key: value for key, value in step.mark().items()}
        return changes

    def edition(self) -> Callable[[], None]:
        """Return what shows the metrics as they are now, and sends the rows that were routed to channels."""
        show = self.metrics.edition()
        sent = [each for step in self.steps if isinstance(step, Route) for each in step.sent()]

        channels = {} if self._channels is None else {name: self._channels[name] for name, _ in sent}

        def publish() -> None:
            show()
            for name, rows in sent:
                if name in channels:
                    channels[name].send(rows)

        return publish


def _under(prefix: str, state: Mapping[str, object]) -> dict[str, object]:
    return {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}


def _applied(step: Step, frame: pl.DataFrame, now_ns: int, dropped: dict[str, tuple[int, int]]) -> pl.DataFrame:
    """Return what a step lets through of a frame; adds to what was dropped."""
    if not len(frame):
        return frame
    reduced = step.apply(frame, now_ns)
    for name, lines, size in reduced.dropped:
        before = dropped.get(name, (0, 0))
        dropped[name] = (before[0] + lines, before[1] + size)
    return reduced.frame


def _listed(dropped: Mapping[str, tuple[int, int]]) -> tuple[tuple[str, int, int], ...]:
    return tuple((name, lines, size) for name, (lines, size) in dropped.items())
