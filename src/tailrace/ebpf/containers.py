"""Which container a control group is: the kernel gives its number, the folder of that number has the name.

Comes in: the number of a control group, as programs have it. Goes out: the id of the container, empty outside of one.
The folders are looked through when a number is new, at most once a second.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tailrace.ebpf.proc_files import container_of

if TYPE_CHECKING:
    from tailrace.clock import Clock

ROOTS: Final = (Path("/sys/fs/cgroup/unified"), Path("/sys/fs/cgroup"))
"""Where the unified hierarchy is: beside the old ones, or alone."""

AGAIN_S: Final = 1.0


class Containers:
    """Containers by the number of their control group."""

    def __init__(self, clock: Clock, root: Path | None = None) -> None:
        self._clock = clock
        self._root = root or next((one for one in ROOTS if (one / "cgroup.procs").exists()), ROOTS[-1])
        self._known: dict[int, str] = {}
        self._looked_s = float("-inf")

    def of(self, number: int) -> str:
        """Return the id of the container, empty if it is none."""
        found = self._known.get(number)
        if found is not None:
            return found
        now_s = self._clock.monotonic_s()
        if now_s - self._looked_s < AGAIN_S:
            return ""
        self._looked_s = now_s
        self._known = {Path(folder).stat().st_ino: container_of(folder) for folder in _folders(self._root)}
        return self._known.setdefault(number, "")


def _folders(root: Path) -> list[str]:
    """Return all folders; those that go away meanwhile are left out."""
    return [folder for folder, _, _ in os.walk(root) if Path(folder).is_dir()]
