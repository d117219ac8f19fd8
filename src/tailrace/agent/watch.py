"""`tailrace watch`, wired: one source of file events, shown as it reads, or stored like the lines of any source."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from tailrace.agent import alone
from tailrace.agent.feed import FINISH_S
from tailrace.agent.signals import stop_on_signals
from tailrace.agent.wiring import make_source
from tailrace.clock import SystemClock
from tailrace.sources.file_events.source import FileEventsSource

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tailrace.config.model import Config
    from tailrace.contracts import Block, Followed
    from tailrace.sources.file_events.settings import FileEventsSettings

GROUP = "watch"
"""Under this name the position is kept, beside those of imports."""

_TURN_BYTES = 1 << 20
_WAIT_S = 0.2


def show(
    settings: FileEventsSettings,
    host: str,
    heard: Callable[[Sequence[Block]], None],
    started: Callable[[Sequence[Followed], Sequence[str]], None],
) -> None:
    """Hand out events as they happen until told to stop; nothing is stored."""
    stopping = threading.Event()
    clock = SystemClock()
    source = FileEventsSource(settings, name=settings.name, clock=clock, host=host)
    source.listen(heard, started)
    source.restore({})
    try:
        with stop_on_signals(stopping.set):
            while not stopping.is_set():
                source.read(_TURN_BYTES, _WAIT_S)
            source.finish()
            until_s = clock.monotonic_s() + FINISH_S
            while not source.done and clock.monotonic_s() < until_s:
                source.read(_TURN_BYTES, _WAIT_S)
    finally:
        source.close()


def store(
    config: Config,
    settings: FileEventsSettings,
    heard: Callable[[Sequence[Block]], None] | None,
    started: Callable[[Sequence[Followed], Sequence[str]], None],
) -> int:
    """Store events until told to stop, and return how many became durable."""
    clock = SystemClock()
    source = make_source(config, settings, clock)
    assert isinstance(source, FileEventsSource)
    source.listen(heard, started)
    return alone.store(config, source, clock, group=GROUP)
