"""The source of a named pipe: what programs write into it, one after the other or at once.

Comes in: a path. Goes out: blocks. A pipe has no position: what was read is nowhere any more, and a crash loses what
was not durable yet. Only the beginning of a line that waits for its end is kept over an orderly stop. The pipe is
opened again when its last writer leaves, always before the old descriptor is closed, since bytes in a pipe live only
as long as someone has it open. Whatever is at the path and is no pipe is not opened.
"""

from __future__ import annotations

import base64
import os
import stat
import threading
from typing import TYPE_CHECKING, Annotated, Final, Literal

from pydantic import Field, field_validator

from tailrace import limits
from tailrace.contracts import Followed
from tailrace.sources.flow import FlowSettings, Inlet
from tailrace.sources.tail.labels import service_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tailrace.clock import Clock
    from tailrace.contracts import Block

_FLAGS: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_REST_BYTES: Final = 64 * limits.KIB
"""Longest beginning of a line that the checkpoint takes: it is written with every batch."""

RETRY_S: Final = 1.0
"""How often a pipe that is not there is looked for."""


class FifoSettings(FlowSettings):
    """Read a named pipe: what programs write into it."""

    type: Literal["fifo"] = "fifo"
    """The kind of source."""

    name: Annotated[str, Field(min_length=1)] = "fifo"
    """Name of this source: the label `source` of its lines. Unique in a configuration."""

    path: Annotated[str, Field(min_length=1)]
    """The pipe, as `mkfifo` made it. One that is not there yet is waited for."""

    @field_validator("path")
    @classmethod
    def _home(cls, value: str) -> str:
        return os.path.abspath(os.path.expanduser(value))  # noqa: PTH100, PTH111  as paths of files are read


class FifoSource:
    """Reads one named pipe; implements `contracts.Source`."""

    def __init__(self, settings: FifoSettings, *, name: str, clock: Clock, host: str) -> None:
        self.name = name
        self._path = settings.path
        self._clock = clock
        labels = {"host": host, "source": name, "filename": self._path, "service_name": service_of(self._path)}
        self._flow = settings.flow(self._path, labels)
        self._inlet: Inlet | None = None
        self._id = (0, 0)  # device and inode of the open pipe
        self._moved = False  # another pipe stands at the path; what is in the open one is read first
        self._why = ""
        self._look_s = float("-inf")  # when the path was looked at last
        self._marked = b""

    def restore(self, state: Mapping[str, object]) -> None:
        """Go on with the line that had begun at the last stop."""
        try:
            self._flow.rest = self._marked = base64.b64decode(str(state.get("rest", "")))
        except ValueError:
            self._flow.rest = self._marked = b""

    def read(self, budget_bytes: int, timeout_s: float) -> Sequence[Block]:
        """Return what came; waits for news up to `timeout_s`."""
        self._look()
        if self._inlet is None:
            self._clock.wait(threading.Event(), min(timeout_s, RETRY_S))  # nobody sets it: to wait by the clock
            return []
        try:
            data = self._inlet.read(min(budget_bytes, limits.READ_TURN_BYTES), timeout_s)
        except OSError as error:
            self._lose(error.strerror or str(error))
            return []
        left = self._inlet.ended or (self._moved and not data)
        if left:  # nobody will end the line that is open
            self._reopen()
        return self._flow.take(data, self._clock.now_ns(), final=left)

    def mark(self) -> Mapping[str, object]:
        """Return the beginning of a line that has no end yet, if it changed."""
        rest = self._flow.rest if len(self._flow.rest) <= _REST_BYTES else b""
        if rest == self._marked:
            return {}
        self._marked = rest
        return {"rest": base64.b64encode(rest).decode() or None}

    @property
    def done(self) -> bool:
        """Never: another writer may come."""
        return False

    def backlog_bytes(self) -> int:
        """Return nothing: what waits in a pipe is not known."""
        return 0

    def status(self) -> Sequence[Followed]:
        """Return what is read, or why not."""
        state = "following" if self._inlet is not None else "unreadable"
        return [Followed(self._path, self._flow.offset, self._flow.end, state, self._why)]

    @property
    def counters(self) -> Mapping[str, int]:
        """Return the descriptors in use."""
        return {"open_files": int(self._inlet is not None)}

    def close(self) -> None:
        """Release the pipe."""
        self._lose("")

    def adopt(self, old: object) -> None:
        """Take over the pipe of a source that is not read any more: writers notice nothing."""
        if isinstance(old, FifoSource) and old._path == self._path:  # noqa: SLF001  of its own kind
            self._inlet, old._inlet = old._inlet, None  # noqa: SLF001
            self._id = old._id  # noqa: SLF001
            self._flow.go_on(old._flow)  # noqa: SLF001

    # --- the pipe -------------------------------------------------------------------------------

    def _look(self) -> None:
        """Make sure that what is open is what stands at the path, now and then."""
        now_s = self._clock.monotonic_s()
        if now_s - self._look_s < RETRY_S:
            return
        self._look_s = now_s
        try:
            found = os.stat(self._path)  # noqa: PTH116
        except OSError as error:
            if self._inlet is None:
                self._why = error.strerror or str(error)
            return  # it was unlinked: who has it open may still write
        if not stat.S_ISFIFO(found.st_mode):
            self._why = "not a named pipe" if self._inlet is None else ""
            return
        if self._inlet is None:
            self._reopen()
        else:
            self._moved = self._id != (found.st_dev, found.st_ino)

    def _reopen(self) -> None:
        """Open the path, then close what was open before."""
        try:
            handle = os.open(self._path, _FLAGS)
            found = os.fstat(handle)
        except OSError as error:
            self._lose(error.strerror or str(error))
            return
        if not stat.S_ISFIFO(found.st_mode):
            os.close(handle)
            self._lose("not a named pipe")
            return
        self._lose("")
        self._inlet, self._id = Inlet(handle, self._clock), (found.st_dev, found.st_ino)

    def _lose(self, why: str) -> None:
        if self._inlet is not None:
            os.close(self._inlet.handle)
        self._inlet, self._why, self._moved = None, why, False
