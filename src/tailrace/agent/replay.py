"""Send rows that were set aside again, to the sink that a configuration has under their sink's name."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from tailrace.agent.wiring import make_one_sink
from tailrace.clock import SystemClock
from tailrace.errors import ConfigError, Problem
from tailrace.patience import Patience
from tailrace.telemetry import Accounts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tailrace.config.model import Config
    from tailrace.sinks.dead_letters import DeadLetters, Letter
    from tailrace.sinks.delivery import Rows


@dataclass(frozen=True, slots=True)
class Replayed:
    """What came of one letter, in rows."""

    delivered: int
    refused: int


@runtime_checkable
class Resends(Protocol):
    """A sink that can say of each row what came of it."""

    def resend(self, rows: Rows) -> Mapping[int, str]:
        """Send rows once more; return the places of those that are refused again, and why."""
        ...


def replay(config: Config, folder: DeadLetters, letter: Letter) -> Replayed:
    """Send the rows of one letter, and keep only what is refused again; `TransientError` if the receiver is away."""
    settings = next((one for one in config.sinks if one.name == letter.sink), None)
    if settings is None:
        what = f"there is no sink {letter.sink!r} any more, which {letter.path} was for"
        raise ConfigError([Problem("$.sinks", what, "give one that name, or drop the letter")])
    clock = SystemClock()
    patience = Patience(clock)
    patience.hurry()  # a person waits: a few attempts, no pauses
    sink = make_one_sink(config, settings, accounts=Accounts(), clock=clock, patience=patience)
    with closing(sink):
        if not isinstance(sink, Resends):
            sink.submit(letter.batch()).result()
            folder.remove(letter)
            return Replayed(letter.rows, 0)
        refused = sink.resend(letter.parcel())
    folder.keep_only(letter, refused)
    return Replayed(letter.rows - len(refused), len(refused))
