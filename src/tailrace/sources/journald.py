"""The source of the systemd journal: a `journalctl` that follows it, and the cursor of the last entry as the position.

Comes in: settings, and what `journalctl -o json --follow` writes. Goes out: blocks of whole entries, one JSON object a
line, for the parser `journald`. The cursor of the last entry that was handed out is the position, so every entry comes
once, over restarts too. When `journalctl` is not there, is not allowed to read, or ends, the reason is in the status
and it is started again after a growing pause. A cursor that the journal does not know any more, since its files were
removed, is replaced by the time of its entry: in doubt an entry is read.
"""

from __future__ import annotations

import json
import os
import subprocess
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import Field

from tailrace import limits
from tailrace.contracts import Followed, Origin, Reading
from tailrace.settings import Settings
from tailrace.sources.flow import Flow, Inlet

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tailrace.clock import Clock
    from tailrace.contracts import Block

PROGRAM: Final = "journalctl"
BACK_OFF_S: Final = (1.0, 60.0)
"""First and longest pause before `journalctl` is started again; each is twice the last."""

GOOD_S: Final = 10.0
"""One that has run so long did its work: the next pause is the first again."""

ENTRY_BYTES: Final = 16 * limits.MIB
"""A longer entry is cut into parts, which are stored as they are: a core dump is not a line."""

_SAID_BYTES: Final = 4 * limits.KIB
_STOP_S: Final = 2.0


class JournaldSettings(Settings):
    """Read the systemd journal of this machine, by its own program `journalctl`."""

    type: Literal["journald"] = "journald"
    """The kind of source."""

    name: Annotated[str, Field(min_length=1)] = "journald"
    """Name of this source: the label `source` of its lines, and the key of its position. Unique in a configuration."""

    units: tuple[str, ...] = ()
    """Units to read, as `nginx.service` or `docker*`; an empty list reads everything."""

    matches: tuple[str, ...] = ()
    """Fields that entries must have, as `PRIORITY=3` or `_TRANSPORT=kernel`; see `man journalctl`."""

    directory: str | None = None
    """Folder of journal files to read instead of the journal of this machine, as `/var/log/journal/remote`."""

    read_from: Literal["start", "end"] = "start"
    """Where to begin at the first start: with the oldest entry that the journal has, or with the next one."""

    raw: Literal["auto", "keep"] = "auto"
    """`keep` stores the entry's JSON text as the line; `auto` stores its message, beside the fields."""

    labels: dict[str, str] = Field(default_factory=dict)
    """Further labels of every line. `service_name` is the entry's unit unless it is given here."""


@dataclass(frozen=True, slots=True)
class Place:
    """The last entry that was handed out: its cursor, and its time in microseconds in case that is gone."""

    cursor: str = ""
    time_us: int = 0


class JournaldSource:
    """Follows the journal; implements `contracts.Source`. `program` is there for tests."""

    def __init__(
        self, settings: JournaldSettings, *, name: str, clock: Clock, host: str, program: str = PROGRAM
    ) -> None:
        self.name = name
        self._settings = settings
        self._clock = clock
        self._program = program
        labels = {"host": host, "source": name, "service_name": name, **settings.labels}
        self._flow = Flow(Origin("journal", labels, Reading("journald", settings.raw)), ENTRY_BYTES)
        self._place = self._marked = Place()
        self._lost_cursor = False  # the journal does not know it: go by the time
        self._process: subprocess.Popen[bytes] | None = None
        self._inlet: Inlet | None = None
        self._said = b""  # the end of what it wrote to standard error
        self._why = "not started yet"
        self._started_s = 0.0
        self._due_s = float("-inf")  # when it may be started
        self._pause_s = BACK_OFF_S[0]
        self._starts = 0

    def restore(self, state: Mapping[str, object]) -> None:
        """Start behind the entry that was handed out last."""
        cursor, time_us = state.get("cursor"), state.get("time_us")
        if isinstance(cursor, str) and isinstance(time_us, int):
            self._place = self._marked = Place(cursor, time_us)

    def read(self, budget_bytes: int, timeout_s: float) -> Sequence[Block]:
        """Return the next entries; waits for news up to `timeout_s`."""
        if self._inlet is None and not self._start():
            self._clock.wait(threading.Event(), timeout_s)  # nobody sets it: to wait by the clock
            return []
        assert self._inlet is not None
        data = self._inlet.read(min(budget_bytes, limits.READ_TURN_BYTES), timeout_s)
        self._listen()
        blocks = self._flow.take(data, self._clock.now_ns())
        self._remember(blocks)
        if self._inlet.ended:
            self._fail()
        return blocks

    def mark(self) -> Mapping[str, object]:
        """Return the place of the last entry, if it changed."""
        if self._place == self._marked:
            return {}
        self._marked = self._place
        return {"cursor": self._place.cursor, "time_us": self._place.time_us}

    @property
    def done(self) -> bool:
        """Never: it follows."""
        return False

    def backlog_bytes(self) -> int:
        """Return nothing: how much the journal has is not told."""
        return 0

    def status(self) -> Sequence[Followed]:
        """Return whether the journal is read, or why not."""
        state = "unreadable" if self._process is None else "following"
        path = self._settings.directory or "journal"
        return [Followed(path, self._flow.offset, self._flow.end, state, self._why)]

    @property
    def counters(self) -> Mapping[str, int]:
        """Return how often `journalctl` was started again."""
        return {"restarts": max(0, self._starts - 1)}

    def close(self) -> None:
        """End the program."""
        process, self._process, self._inlet = self._process, None, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()

    # --- the program ----------------------------------------------------------------------------

    def command(self) -> list[str]:
        """Return the words that start it."""
        settings, words = self._settings, [self._program, "--output=json", "--all", "--follow", "--no-pager"]
        if settings.directory:
            words.append(f"--directory={settings.directory}")
        words += [f"--unit={unit}" for unit in settings.units]
        if self._place.cursor and not self._lost_cursor:
            words += ["--no-tail", f"--after-cursor={self._place.cursor}"]
        elif self._place.cursor:
            seconds, micros = divmod(self._place.time_us, 1_000_000)
            words += ["--no-tail", f"--since=@{seconds}.{micros:06d}"]
        else:
            words.append("--no-tail" if settings.read_from == "start" else "--lines=0")
        return words + list(settings.matches)

    def _start(self) -> bool:
        """Start the program if it is time; tells whether it runs."""
        now_s = self._clock.monotonic_s()
        if now_s < self._due_s:
            return False
        self._started_s, self._said = now_s, b""
        self._flow.forget_rest()
        try:
            process = subprocess.Popen(  # noqa: S603  the words are ours and the operator's
                self.command(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={**os.environ, "LC_ALL": "C.UTF-8"},
            )
        except OSError as error:
            missing = isinstance(error, FileNotFoundError)
            self._wait(f"there is no {self._program} here" if missing else f"{self._program}: {error.strerror}")
            return False
        assert process.stdout is not None
        assert process.stderr is not None
        os.set_blocking(process.stderr.fileno(), False)
        self._process, self._why = process, ""
        self._inlet = Inlet(process.stdout.fileno(), self._clock)
        self._starts += 1
        return True

    def _listen(self) -> None:
        """Keep the end of what the program says beside the entries: else its pipe would fill up."""
        assert self._process is not None
        assert self._process.stderr is not None
        try:
            while piece := os.read(self._process.stderr.fileno(), _SAID_BYTES):
                self._said = (self._said + piece)[-_SAID_BYTES:]
        except BlockingIOError:
            pass

    def _fail(self) -> None:
        """Note why the program ended."""
        assert self._process is not None
        self._process.wait()
        self._listen()
        said = self._said.decode(errors="replace").strip().splitlines()
        why = f"{self._program} ended with {self._process.returncode}" + (f": {said[-1].strip()}" if said else "")
        self.close()
        if self._place.cursor and "cursor" in why:
            self._lost_cursor = True
        self._wait(why)

    def _wait(self, why: str) -> None:
        """Try again later, ever later while it does not work."""
        now_s = self._clock.monotonic_s()
        if now_s - self._started_s >= GOOD_S:
            self._pause_s = BACK_OFF_S[0]
        self._why, self._due_s = why, now_s + self._pause_s
        self._pause_s = min(2 * self._pause_s, BACK_OFF_S[1])

    def _remember(self, blocks: Sequence[Block]) -> None:
        """Take the place of the last whole entry: one entry is decoded, however many there are."""
        data = next((block.data for block in reversed(blocks) if block.part is None), None)
        if data is None:
            return
        entry = _entry(data[data.rfind(b"\n", 0, len(data) - 1) + 1 :])
        try:
            self._place = Place(str(entry["__CURSOR"]), int(entry["__REALTIME_TIMESTAMP"]))
        except (KeyError, TypeError, ValueError):
            return  # no entry: the position stays before it
        self._lost_cursor = False


def _entry(line: bytes) -> dict[str, Any]:  # JSON of another program
    try:
        entry = json.loads(line)
    except ValueError:
        return {}
    return entry if isinstance(entry, dict) else {}
