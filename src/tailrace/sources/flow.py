"""Bytes that come once, from a pipe or a program, cut into blocks of whole lines.

Comes in: pieces of bytes as they arrive, and how they are to be read. Goes out: blocks; the beginning of a line waits
for its end. Shared by the sources that have no files. Offsets count the bytes since the flow began.
"""

from __future__ import annotations

import os
import select
from typing import TYPE_CHECKING, Annotated, Final, Literal

from pydantic import Field

from tailrace import limits
from tailrace.contracts import Block, Origin, Reading
from tailrace.settings import Format, Settings
from tailrace.sources.multiline import MultilineRules, rules_of
from tailrace.sources.tail.lines import cut

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tailrace.clock import Clock

GATHER_S: Final = 0.05
"""After the first bytes more are waited for: a fast writer fills a pipe of 64 KiB hundreds of times in that time."""


class FlowSettings(Settings):
    """What all sources without files can be told about their lines."""

    format: Format = "auto"
    """Format of the lines: `auto` decides from the first lines; or the name of a parser."""

    raw: Literal["auto", "keep"] = "auto"
    """`keep` stores the exact text of structured records; `auto` stores their message, beside the fields."""

    timezone: str = "local"
    """Zone of time stamps that name none: `local`, `UTC` or a name such as `Europe/Berlin`."""

    labels: dict[str, str] = Field(default_factory=dict)
    """Further labels of every line; they replace the ones of the same name that this source gives."""

    max_line_bytes: Annotated[int, Field(ge=1024, le=64 * limits.MIB)] = limits.LINE_BYTES
    """A longer line is cut into linked parts of this size."""

    multiline: MultilineRules = ()
    """Lines that make one record: a preset such as `java` or `auto`, or rules. Without it each line is a record."""

    def reading(self) -> Reading:
        """Return how the lines are to be parsed."""
        return Reading(self.format, self.raw, self.timezone, rules_of(self.multiline))

    def flow(self, key: str, labels: Mapping[str, str]) -> Flow:
        """Return the flow of a source with these settings; its own labels replace the given ones."""
        origin = Origin(key, {**labels, **self.labels}, self.reading())
        return Flow(origin, self.max_line_bytes)


class Flow:
    """One flow of bytes, on its way into blocks."""

    def __init__(self, origin: Origin, max_line: int) -> None:
        self.offset = 0  # of the rest
        self.rest = b""
        self._origin = origin
        self._parts = 0
        self._max_line = max_line

    @property
    def end(self) -> int:
        """How many bytes came so far."""
        return self.offset + len(self.rest)

    def take(self, data: bytes, now_ns: int, *, final: bool = False) -> list[Block]:
        """Return the blocks that the next bytes complete; with `final` the rest too, as a line without a newline."""
        data = self.rest + data if self.rest else data
        made = cut(data, parts=self._parts, max_line=self._max_line, final=final)
        blocks = [
            Block(self._origin, self.offset + span.start, data[span.start : span.end], now_ns, span.part, span.last)
            for span in made.spans
        ]
        self.rest, self._parts = data[made.used :], made.parts
        self.offset += made.used
        return blocks

    def go_on(self, old: Flow) -> None:
        """Continue another flow, in the middle of a line if need be."""
        self.offset, self.rest, self._parts = old.offset, old.rest, old._parts

    def forget_rest(self) -> None:
        """Leave out the beginning of a line: it will come again as a whole."""
        self.rest, self._parts = b"", 0


class Inlet:
    """The reading end of a pipe that may be silent for long."""

    def __init__(self, handle: int, clock: Clock) -> None:
        self.handle = handle
        self.ended = False  # whoever writes is gone
        self._clock = clock
        self._poll = select.poll()
        self._poll.register(handle, select.POLLIN)

    def read(self, budget_bytes: int, timeout_s: float) -> bytes:
        """Return what came: wait for the first bytes up to `timeout_s`, then a little for more."""
        pieces: list[bytes] = []
        left = budget_bytes
        wait_s, end_s = timeout_s, 0.0
        while left > 0 and not self.ended and self._poll.poll(max(0.0, wait_s) * 1000):
            try:
                piece = os.read(self.handle, min(left, limits.MIB))
            except BlockingIOError:
                break
            self.ended = not piece
            pieces.append(piece)
            left -= len(piece)
            now_s = self._clock.monotonic_s()
            end_s = end_s or now_s + min(GATHER_S, timeout_s)
            wait_s = end_s - now_s
        return b"".join(pieces)
