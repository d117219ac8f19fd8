"""Which back end watches what: each is tried, in order, and the first that works for a mount has it.

Comes in: roots, what the settings want. Goes out: back ends that watch already, and what nobody watches, with the
reason. Nothing is concluded from versions or names, except that file systems whose changes come over a network are
polled: an event back end works there, and tells the changes of this machine alone.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from tailrace.sources.file_events.fanotify import Fanotify

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tailrace.clock import Clock
    from tailrace.sources.file_events.backend import Backend, Known
    from tailrace.sources.file_events.devices import Devices
    from tailrace.sources.file_events.mounts import Mount, Mounts
    from tailrace.sources.file_events.scope import Scope
    from tailrace.sources.file_events.settings import BackendName

_ORDER: Final = ("fanotify", "inotify", "poll")


@dataclass(slots=True)
class Chosen:
    """The back ends of some roots."""

    backends: list[Backend] = field(default_factory=list)
    why: dict[bytes, str] = field(default_factory=dict)  # of roots that got less than the best: what refused, and how
    refused: dict[bytes, str] = field(default_factory=dict)  # roots that nobody watches, and why


class Chooser:
    """Makes back ends."""

    def __init__(
        self,
        wanted: BackendName,
        scope: Scope,
        *,
        clock: Clock,
        devices: Devices,
        known: Known | None,
        poll_s: float,
    ) -> None:
        self._wanted = wanted
        self._scope = scope
        self._clock = clock
        self._devices = devices
        self._known = known
        self._poll_s = poll_s

    def choose(self, roots: Sequence[bytes], mounts: Mounts) -> Chosen:
        """Return back ends for roots; those on one mount share one."""
        chosen = Chosen()
        groups: dict[bytes, tuple[Mount | None, list[bytes]]] = {}
        for root in roots:
            mount = mounts.holding(root)
            groups.setdefault(mount.point if mount else b"", (mount, []))[1].append(root)
        for mount, group in groups.values():
            self._try(mount, group, chosen)
        return chosen

    def poll(self, roots: Sequence[bytes]) -> Backend:
        """Return what polls folders that another back end cannot watch."""
        from tailrace.sources.file_events.poll import Poll

        return Poll(self._scope, roots, self._clock, self._devices, known=self._known, period_s=self._poll_s)

    def _try(self, mount: Mount | None, roots: list[bytes], chosen: Chosen) -> None:
        names = _ORDER if self._wanted == "auto" else (self._wanted,)
        if self._wanted == "auto" and mount is not None and (mount.remote or mount.pseudo):
            names = ("poll",)
            chosen.why.update(dict.fromkeys(roots, f"not every change of {mount.kind} is an event here"))
        reasons = []
        for name in names:
            try:
                chosen.backends.append(self._made(name, roots))
            except OSError as error:
                place = f" at {error.filename}" if error.filename else ""
                reasons.append(f"{name}: {error.strerror or error}{place}")
                continue
            if reasons:
                chosen.why.update(dict.fromkeys(roots, "; ".join(reasons)))
            return
        if len(roots) > 1:  # one of them may be to blame
            for root in roots:
                self._try(mount, [root], chosen)
        else:
            chosen.refused[roots[0]] = "; ".join(reasons)

    def _made(self, name: str, roots: Sequence[bytes]) -> Backend:
        if name == "fanotify":
            return Fanotify(self._scope, roots, self._clock)
        if name == "inotify":
            from tailrace.sources.file_events.inotify import Inotify

            return Inotify(self._scope, roots, self._clock)
        missing = [root for root in roots if not os.path.lexists(root)]
        if missing and not os.path.isdir(os.path.dirname(missing[0])):
            raise FileNotFoundError(2, "no such file or folder", os.fsdecode(missing[0]))
        return self.poll(roots)
