"""The source of file events: its position, and its rows as blocks of documents.

Comes in: settings, and what is known of the files from before. Goes out: blocks of documents, one a line, for the
parser `file_integrity`. The position is the next number, the time of the last event, and the gaps that no walk has
closed: after a restart a walk finds what changed meanwhile, compared with what is known, and says so (`restart`). What
is open while it watches is in `watching`.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from tailrace.contracts import Block, Followed, Origin, Reading
from tailrace.ecs import STREAM_SOURCE
from tailrace.sources.file_events.documents import ndjson
from tailrace.sources.file_events.gaps import read, written
from tailrace.sources.file_events.on_their_way import OnTheirWay
from tailrace.sources.file_events.scope import Scope
from tailrace.sources.file_events.watching import Watching

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tailrace.clock import Clock
    from tailrace.sources.file_events.backend import Gap, Known
    from tailrace.sources.file_events.settings import FileEventsSettings

_US: Final = 1_000


class FileEventsSource:
    """Watches files and folders; implements `contracts.Source`."""

    def __init__(self, settings: FileEventsSettings, *, name: str, clock: Clock, host: str) -> None:
        self.name = name
        self._settings = settings
        self._clock = clock
        labels = {"host": host, "source": STREAM_SOURCE, "service_name": name, **settings.labels}
        self._origin = Origin("events", labels, Reading("file_integrity"))
        self._paths = _distinct([os.path.realpath(os.fsencode(os.path.expanduser(path))) for path in settings.paths])
        self._own: tuple[bytes, ...] = ()
        self._known: Known | None = None
        self._heard: Callable[[Sequence[Block]], None] | None = None
        self._started: Callable[[Sequence[Followed], Sequence[str]], None] | None = None
        self._next = self._marked = 0
        self._since_ns = 0  # the last event before this start; 0 = there was none
        self._last_ns = 0
        self._offset = 0
        self._watching: Watching | None = None
        self.on_their_way = OnTheirWay()  # rows that were told, and are not in the table yet
        self._gaps: list[Gap] = []  # that were open when the last process stopped
        self._gaps_marked = False
        self._finishing = self._finished = False

    def prepare(self, *, own: Sequence[str | os.PathLike[str]] = (), known: Known | None = None) -> None:
        """Say which folders are our own, to be left out, and what is known of files; before the first reading."""
        self._own = tuple(os.path.realpath(os.fsencode(path)) for path in own)
        self._known = known

    def listen(
        self,
        heard: Callable[[Sequence[Block]], None] | None,
        started: Callable[[Sequence[Followed], Sequence[str]], None],
    ) -> None:
        """Have blocks shown as they are read, and be told the status once everything is watched."""
        self._heard, self._started = heard, started

    def restore(self, state: Mapping[str, object]) -> None:
        """Go on with the numbers behind the last event that was stored."""
        number, time_ns = state.get("sequence"), state.get("time_ns")
        if isinstance(number, int) and isinstance(time_ns, int):
            self._next = self._marked = number
            self._since_ns = time_ns
        self._gaps = read(state.get("gaps"))
        self._gaps_marked = bool(self._gaps)

    def adopt(self, old: object) -> None:
        """Take over what one of the same name told, and is not in the table yet."""
        if isinstance(old, FileEventsSource):
            self.on_their_way = old.on_their_way

    def stored(self, state: Mapping[str, object]) -> None:
        """Take that a mark and everything before it is durable; from any thread."""
        number = state.get("sequence")
        if isinstance(number, int):
            self.on_their_way.stored(number)

    def finish(self) -> None:
        """Begin nothing more: hand out what waits in the kernel, and be done then."""
        self._finishing = True

    def read(self, budget_bytes: int, timeout_s: float) -> Sequence[Block]:  # noqa: ARG002  a reading is bounded
        """Return the next events; waits for news up to `timeout_s`."""
        if self._finishing and self._watching is None:
            self._finished = True
            return []
        if self._watching is None:
            self._watching = self._begin()
            if self._started is not None:
                self._started(self.status(), self.notes())
        frames = self._watching.turn(timeout_s, last=self._finishing)
        self._finished = self._finishing and not frames and not self._watching.more
        if not frames:
            return []
        self._last_ns = self._clock.now_ns()
        blocks = []
        for frame in frames:
            data = ndjson(frame, nested=self._heard is not None)  # people see them
            blocks.append(Block(self._origin, self._offset, data, self._last_ns))
            self._offset += len(data)
        if self._heard is not None:
            self._heard(blocks)
        return blocks

    def mark(self) -> Mapping[str, object]:
        """Return the next number, the time of the last event and the open gaps, if there were any events."""
        number = self._next if self._watching is None else self._watching.number
        if number == self._marked:
            return {}
        self._marked = number
        mark: dict[str, object] = {"sequence": number, "time_ns": self._last_ns}
        gaps = [] if self._watching is None else self._watching.open_gaps()
        if gaps or self._gaps_marked:
            mark["gaps"] = written(gaps) or None
        self._gaps_marked = bool(gaps)
        return mark

    @property
    def done(self) -> bool:
        """Only after `finish`: it follows."""
        return self._finished

    def backlog_bytes(self) -> int:
        """Return nothing: what waits in the kernel has no bytes yet."""
        return 0

    def status(self) -> Sequence[Followed]:
        """Return what is watched, and what is not and why."""
        return [] if self._watching is None else self._watching.status(self._offset)

    def notes(self) -> Sequence[str]:
        """Return where another back end than the best one watches, and why."""
        return [] if self._watching is None else self._watching.notes()

    @property
    def counters(self) -> Mapping[str, int]:
        """Return what happened that is no event, and how many events came from where."""
        return {} if self._watching is None else self._watching.counters()

    def close(self) -> None:
        """Release every watch."""
        watching, self._watching = self._watching, None
        if watching is not None:
            watching.close()

    def _begin(self) -> Watching:
        # Numbers rise over restarts, also if the last ones were not stored: they begin at the clock's microseconds.
        start = max(self._next, self._clock.now_ns() // _US)
        scope = Scope(self._paths, self._settings.exclude, self._own)
        return Watching(
            self._settings,
            scope,
            clock=self._clock,
            known=self._known,
            on_their_way=self.on_their_way,
            number=start,
            since_ns=self._since_ns,
            gaps=self._gaps,
        )


def _distinct(paths: Sequence[bytes]) -> list[bytes]:
    """Return paths without those below another one, in their order."""
    return [
        path
        for place, path in enumerate(paths)
        if path not in paths[:place]
        and not any(other != path and path.startswith(other.rstrip(b"/") + b"/") for other in paths)
    ]
