"""A configuration that changes while an agent runs: read again, checked, built aside, swapped between two batches.

Comes in: a request (SIGHUP), or the news that the file is another one. Goes out: a `Change` for the agent, or every
mistake of the file, and then nothing changes. Sources whose settings are the same are left alone; one whose settings
changed is replaced by a new one of the same name, which goes on at the same offsets. What cannot be changed in a
running program is said, and waits for the next start.
"""

from __future__ import annotations

import threading
from concurrent.futures import CancelledError
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tailrace.agent.running import Change
from tailrace.agent.wiring import Reducing, make_parsers, make_reducing, make_source
from tailrace.clock import NS_PER_S
from tailrace.errors import TailraceError

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future
    from pathlib import Path

    from tailrace.clock import Clock
    from tailrace.config.load import Loaded
    from tailrace.config.model import Config, SourceSettings
    from tailrace.contracts import Source
    from tailrace.telemetry import Accounts

WATCH_S: Final = 1.0
"""How often the file is looked at; an editor's half-written state has passed when it looks the same twice."""

FIXED: Final = (
    *("data", "table", "objects", "control", "listen", "agent", "sinks", "spool_bytes", "receivers", "intake"),
    *("store", "alerts", "metrics", "engine", "access", "tls"),
)
"""Keys that only the next start takes over."""

Look = tuple[int, int, int, int] | None
"""What tells one state of a file from another: device, inode, size and time of change; None if there is none."""


@dataclass(frozen=True, slots=True)
class Difference:
    """What is to be done to get from one configuration to another."""

    leave: tuple[str, ...]
    come: tuple[SourceSettings, ...]
    fixed: tuple[str, ...]  # keys that changed and cannot be taken over
    spec: bool = False  # whether the reduction is another one

    def __bool__(self) -> bool:
        """Tell whether anything is to be done."""
        return bool(self.leave or self.come or self.spec)


def difference(old: Config, new: Config) -> Difference:
    """Return what changed. Another `host` is another label on every line, so it changes every source."""
    before = {source.name: source for source in old.sources}
    after = {source.name: source for source in new.sources}
    same_host = old.host == new.host
    parsers = [{one.name: one for one in config.spec.parsers} for config in (old, new)]
    declared = {name for one in parsers for name in one if parsers[0].get(name) != parsers[1].get(name)}
    same = {
        name
        for name in before.keys() & after.keys()
        if same_host and before[name] == after[name] and not declared.intersection(_formats(after[name]))
    }
    return Difference(
        leave=tuple(name for name in before if name not in same),
        come=tuple(source for name, source in after.items() if name not in same),
        fixed=tuple(key for key in FIXED if getattr(old, key) != getattr(new, key)),
        spec=old.spec != new.spec,
    )


def _formats(source: SourceSettings) -> list[str]:
    """Return the formats that a source names."""
    return str(getattr(source, "format", "")).split("|")


class Reload:
    """Keeps an agent in step with its configuration file; owns one thread between `start` and `stop`.

    `load` reads the file again. `reducing` is what is in force, also after changes.
    """

    def __init__(
        self,
        loaded: Loaded,
        load: Callable[[], Loaded],
        reducing: Reducing,
        change: Callable[[Change], Future[None]],
        *,
        accounts: Accounts,
        clock: Clock,
        announce: Callable[[str], None],
    ) -> None:
        self.reducing = reducing
        self._config = loaded.config
        self._files = loaded.files
        self._load = load
        self._change = change
        self._accounts = accounts
        self._clock = clock
        self._announce = announce
        self._asked = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="reload", daemon=True)
        self._seen = self._looks()  # when the file was read last
        self._good = True
        self._good_ns = clock.now_ns()
        accounts.gauge(
            "tailrace_config_last_reload_successful",
            "Whether the configuration was good when it was read last.",
            lambda: [({}, float(self._good))],
        )
        accounts.gauge(
            "tailrace_config_last_reload_seconds",
            "When the configuration that is in force was read, as Unix time.",
            lambda: [({}, self._good_ns / NS_PER_S)],
        )

    def start(self) -> None:
        """Begin to watch the file."""
        self._thread.start()

    def stop(self) -> None:
        """End the watch; a change that is under way is the agent's business."""
        self._stopping.set()
        self._asked.set()

    def close(self) -> None:
        """Close the channels that are in force; the agent has ended."""
        self.reducing.close()

    def ask(self) -> None:
        """Have the file read again soon, changed or not; safe in a handler of signals."""
        self._asked.set()

    def now(self) -> bool:
        """Read the file and bring the agent in step; tells whether the file was good."""
        self._seen = self._looks()  # before it is read: what changes meanwhile is read again
        try:
            loaded = self._load()
            wanted = difference(self._config, loaded.config)
            change, reducing = self._build(wanted, loaded.config)
        except TailraceError as error:
            self._settle(good=False)
            self._announce(f"the configuration was not taken over, the old one stays in force:\n{error}")
            return False
        for key in wanted.fixed:
            self._announce(f"$.{key}: changed; a running program keeps the old value until its next start")
        if wanted:
            self._swap(change, reducing)
        self._files = loaded.files
        # What could not be taken over is compared with what is in force, so that it is said at every reload.
        self._config = loaded.config.model_copy(update={key: getattr(self._config, key) for key in FIXED})
        self._settle(good=True)
        self._announce(_told(wanted))
        return True

    def _build(self, wanted: Difference, config: Config) -> tuple[Change, Reducing]:
        """Make what is new, aside: nothing of it is in force yet."""
        come: list[Source] = []
        try:
            come.extend(make_source(config, one, self._clock) for one in wanted.come)
            reducing = make_reducing(config.spec, self._accounts) if wanted.spec else self.reducing
        except BaseException:
            for source in come:
                source.close()
            raise
        retired = self.reducing.close if wanted.spec else _nothing
        change = Change(
            wanted.leave,
            come,
            reducing.reduction,
            make_parsers(config.spec),
            swap_reduction=wanted.spec,
            retired=retired,
        )
        return change, reducing

    def _swap(self, change: Change, reducing: Reducing) -> None:
        try:
            self._change(change).result()
        except CancelledError:
            if change.swap_reduction:
                reducing.close()
            raise
        self.reducing = reducing

    def _settle(self, *, good: bool) -> None:
        self._good = good
        if good:
            self._good_ns = self._clock.now_ns()
        text = "Readings of the configuration while the program runs, by result."
        self._accounts.count("tailrace_config_reloads_total", text, result="good" if good else "bad")

    # --- the thread -----------------------------------------------------------------------------

    def _run(self) -> None:
        before = self._seen
        while not self._stopping.is_set():
            asked = self._clock.wait(self._asked, WATCH_S)
            if self._stopping.is_set():
                return
            looks = self._looks()
            settled, before = looks == before, looks
            if asked or (settled and looks != self._seen):
                self._asked.clear()
                self._try()

    def _try(self) -> None:
        try:
            self.now()
        except CancelledError:  # the agent stops
            return

    def _looks(self) -> list[Look]:
        return [_look(path) for path in self._files]


def _nothing() -> None:
    """Retire nothing: the reduction is the same."""


def _look(path: Path) -> Look:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _told(wanted: Difference) -> str:
    """Say in one line what a reload did."""
    come = {source.name for source in wanted.come}
    parts = {
        "changed": [name for name in wanted.leave if name in come],
        "new": [name for name in come if name not in wanted.leave],
        "removed": [name for name in wanted.leave if name not in come],
    }
    said = ["the spec changed"] if wanted.spec else []
    said += [f"{what} {', '.join(sorted(names))}" for what, names in parts.items() if names]
    return f"configuration read again: {'; '.join(said) if said else 'nothing changed'}"
