"""The agent as a test lives it: source, chain and checkpoint in one thread, with a table that can be slow or down.

What the real agent does in threads happens here when it is told to: `read` hands lines to the chain, `send` plans a
batch, `commit` makes the oldest batch durable in the table, and `acknowledge` tells the checkpoint. A `kill` forgets
everything in between, as the end of a process does; batches that were on their way may still arrive.
"""

from __future__ import annotations

import os
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tailrace.parse.chain import Chain
from tailrace.sources.tail import TailSettings, TailSource
from tailrace.sources.tail.checkpoint import Checkpoint, Marks
from tailrace.telemetry import Accounts

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path

    from tailrace.clock import Clock
    from tailrace.parse.chain import Parsed

NAME = "files"
HELD = f"{NAME}/parse"


@dataclass
class Rows:
    """Lines as they left the chain, and the input that they were made of."""

    texts: list[str] = field(default_factory=list)
    lines: int = 0
    bytes: int = 0
    marks: Marks = field(default_factory=dict)

    def add(self, parsed: Parsed) -> None:
        frame = parsed.frame
        self.texts += frame["_line"].to_list()
        self.lines += int(frame["_in_lines"].sum())
        self.bytes += int(frame["_in_bytes"].sum())


class Table:
    """What is stored for good, by the number of its batch; what is on its way arrives in order."""

    def __init__(self) -> None:
        self.stored: list[tuple[int, list[str]]] = []
        self.sent: list[tuple[int, Rows]] = []

    @property
    def last(self) -> int | None:
        return self.stored[-1][0] if self.stored else None

    def texts(self) -> list[str]:
        return [text for _, texts in self.stored for text in texts]

    def commit(self) -> tuple[int, Rows]:
        number, rows = self.sent.pop(0)
        if rows.texts:  # a plan without a batch only waits for those before it
            assert self.last is None or number > self.last, f"batch {number} is stored a second time"
            self.stored.append((number, rows.texts))
        return number, rows


class Life:
    """One agent over all its processes."""

    def __init__(self, settings: TailSettings, state: Path, clock: Clock, *, events: bool, open_files: int) -> None:
        self.table = Table()
        self.lost_bytes = 0  # as counted by the processes that are gone
        self._settings, self._state, self._clock = settings, state, clock
        self._events, self._open_files = events, open_files
        self.start()

    def start(self) -> None:
        self.checkpoint = Checkpoint.open(self._state, agent_name="a")
        self.checkpoint.recover(self.table.last)
        self.source = TailSource(
            self._settings, name=NAME, clock=self._clock, host="h", events=self._events, open_files=self._open_files
        )
        self.source.restore(dict(self.checkpoint.state.get(NAME, {})))
        self.chain = Chain()
        self.chain.restore(self.checkpoint.state.get(HELD, {}))
        self.accounts = Accounts()
        self.accounts.read(NAME, *self.chain.pending())
        self.gathered = Rows()
        self.unsettled: list[tuple[int, Rows]] = []  # durable in the table, not yet acknowledged

    def read(self, trouble: AbstractContextManager[object] | None = None) -> None:
        """Read until nothing comes any more."""
        quiet = 0
        while quiet < 2:
            with trouble or nullcontext():
                blocks = self.source.read(1 << 20, 0)
            quiet = 0 if blocks else quiet + 1
            if blocks:
                parsed = self.chain.parse(blocks)
                self.accounts.read(NAME, parsed.lines, parsed.bytes)
                self.gathered.add(parsed)
            self._mark()
            if trouble:
                break
        rest = self.chain.flush(self._clock.now_ns(), final=False) if any(self.chain.pending()) else None
        if rest is not None and rest.frame.height:
            self.gathered.add(rest)
            self._mark()

    def _mark(self) -> None:
        changes = {NAME: dict(self.source.mark()), HELD: dict(self.chain.mark())}
        for name, marks in changes.items():
            self.gathered.marks.setdefault(name, {}).update(marks)

    def send(self) -> None:
        """Plan what was read and send it off."""
        if not self.gathered.texts and not any(self.gathered.marks.values()):
            return
        rows, self.gathered = self.gathered, Rows()
        number = self.checkpoint.plan(rows.marks, batch=bool(rows.texts)).number
        self.table.sent.append((number, rows))

    def commit(self) -> None:
        """The table makes the oldest batch durable; the word about it is still on its way."""
        if self.table.sent:
            self.unsettled.append(self.table.commit())

    def acknowledge(self) -> None:
        """The word about what is durable arrives."""
        for number, rows in self.unsettled:
            self.checkpoint.settle(number)
            self.accounts.settle(NAME, "stored", rows.lines, rows.bytes)
        self.unsettled = []

    def settle(self) -> None:
        """Make everything that was read durable."""
        self.send()
        while self.table.sent:
            self.commit()
        self.acknowledge()

    def kill(self, arriving: int = 0) -> None:
        """End as by `kill -9`; so many of the batches that are on their way still arrive."""
        for _ in range(min(arriving, len(self.table.sent))):
            self.table.commit()
        self.table.sent.clear()
        self._end()

    def stop(self) -> None:
        """End as by SIGTERM."""
        self.settle()
        self.check_account()
        self.checkpoint.close()
        self._end()

    def _end(self) -> None:
        self.lost_bytes += self.source.counters["possibly_lost_bytes"]
        self.source.close()
        if self.checkpoint._lock >= 0:
            os.close(self.checkpoint._lock)
            self.checkpoint._lock = -1

    def delivered(self) -> list[str]:
        """Return everything that is stored, and what is on its way there."""
        sent = [text for _, rows in self.table.sent for text in rows.texts]
        return self.table.texts() + sent + self.gathered.texts

    def check_account(self) -> None:
        """`read = stored + reduced + rejected + pending`, and pending is what can be pointed at."""
        account = self.accounts.of(NAME)
        assert account.closed(), account
        waiting = [self.gathered, *(rows for _, rows in self.table.sent), *(rows for _, rows in self.unsettled)]
        held_lines, held_bytes = self.chain.pending()
        assert account.lines["pending"] == held_lines + sum(rows.lines for rows in waiting)
        assert account.bytes["pending"] == held_bytes + sum(rows.bytes for rows in waiting)
