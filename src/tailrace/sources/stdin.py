"""The source of standard input: what another program writes into ours, until it ends.

Comes in: bytes of one descriptor. Goes out: blocks. There is no position: what was read is nowhere any more, so a crash
loses what was not durable yet, and nothing is ever read twice.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Final, Literal

from pydantic import Field

from tailrace import limits
from tailrace.contracts import Followed
from tailrace.sources.flow import FlowSettings, Inlet

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tailrace.clock import Clock
    from tailrace.contracts import Block

PATH: Final = "-"
"""How standard input is named where paths are."""


class StdinSettings(FlowSettings):
    """Read standard input to its end: `program | tailrace collect -`."""

    type: Literal["stdin"] = "stdin"
    """The kind of source."""

    name: Annotated[str, Field(min_length=1)] = "stdin"
    """Name of this source: the label `source` of its lines, and their `service_name` unless `labels` says another."""


class StdinSource:
    """Reads a descriptor to its end; implements `contracts.Source`."""

    def __init__(
        self, settings: StdinSettings, *, name: str, clock: Clock, host: str, handle: int | None = None
    ) -> None:
        self.name = name
        self._clock = clock
        self._inlet = Inlet(sys.stdin.fileno() if handle is None else handle, clock)
        self._flow = settings.flow("stdin", {"host": host, "source": name, "service_name": name})
        self._why = ""

    def restore(self, state: Mapping[str, object]) -> None:
        """Begin; there is nothing to go back to."""

    def read(self, budget_bytes: int, timeout_s: float) -> Sequence[Block]:
        """Return what came; waits for news up to `timeout_s`."""
        try:
            data = self._inlet.read(min(budget_bytes, limits.READ_TURN_BYTES), timeout_s)
        except OSError as error:  # a terminal that is gone, a folder
            self._inlet.ended, self._why, data = True, error.strerror or str(error), b""
        return self._flow.take(data, self._clock.now_ns(), final=self._inlet.ended)

    def mark(self) -> Mapping[str, object]:
        """Return no position."""
        return {}

    @property
    def done(self) -> bool:
        """Whether the end was reached and everything is handed out."""
        return self._inlet.ended and not self._flow.rest

    def backlog_bytes(self) -> int:
        """Return nothing: what waits in a pipe is not known."""
        return 0

    def status(self) -> Sequence[Followed]:
        """Return how far it is."""
        state = "unreadable" if self._why else "finished" if self._inlet.ended else "following"
        return [Followed(PATH, self._flow.offset, self._flow.end, state, self._why)]

    @property
    def counters(self) -> Mapping[str, int]:
        """Return nothing but lines."""
        return {}

    def close(self) -> None:
        """Leave the descriptor to the process that was given it."""

    def adopt(self, old: object) -> None:
        """Take over the beginning of a line that has no end yet."""
        if isinstance(old, StdinSource):
            self._inlet = old._inlet  # noqa: SLF001  of its own kind
            self._flow.go_on(old._flow)  # noqa: SLF001
