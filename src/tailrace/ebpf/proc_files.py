"""Processes by looking into `/proc`: what works for everyone, for processes that still live.

Comes in: a process id. Goes out: a `Process`, kept for a second while it lives, and for `KEEP_S` after it was last
seen. A process that ended before anybody asked is unknown.
"""

from __future__ import annotations

import os
import re
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tailrace.ebpf.processes import UNSET, Process

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tailrace.clock import Clock

KEEP_S: Final = 30.0
"""Time for which a process is remembered after its end: events of it may still wait to be resolved."""

FRESH_S: Final = 1.0
"""After this a living process is looked at again: it may run another program by now."""

_TICK_NS: Final = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
_CONTAINER: Final = re.compile(r"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")
_STAT_PARENT, _STAT_START = 1, 19  # places in `stat` behind the name, from 0
_MOST_BYTES: Final = 4_096


@dataclass(frozen=True, slots=True)
class _Seen:
    process: Process
    at_s: float


class ProcProcesses:
    """Looks at `/proc` when asked; implements `processes.Processes`."""

    name = "proc"

    def __init__(self, clock: Clock, *, why: str, proc: Path = Path("/proc")) -> None:
        self.why = why
        self._clock = clock
        self._proc = proc
        self._seen: dict[int, _Seen] = {}
        self._unknown = 0

    def drain(self) -> None:
        """Forget processes that were seen too long ago."""
        now_s = self._clock.monotonic_s()
        self._seen = {pid: seen for pid, seen in self._seen.items() if now_s - seen.at_s < KEEP_S}

    def who(self, pid: int, at_ns: int) -> Process | None:
        """Return the process that has an id now, or had it when it was seen last."""
        now_s = self._clock.monotonic_s()
        seen = self._seen.get(pid)
        if seen is not None and now_s - seen.at_s < FRESH_S and seen.process.since_ns <= at_ns:
            return seen.process
        found = read(pid, self._proc)
        if found is not None and found.since_ns <= at_ns + _TICK_NS:
            self._seen[pid] = _Seen(found, now_s)
            return found
        if seen is not None and seen.process.since_ns <= at_ns:
            return replace(seen.process, confidence="inferred")
        self._unknown += 1
        return None

    @property
    def counters(self) -> Mapping[str, int]:
        """How many questions had no answer."""
        return {"unknown": self._unknown}

    def close(self) -> None:
        """Forget everything."""
        self._seen.clear()


def read(pid: int, proc: Path = Path("/proc")) -> Process | None:
    """Return a living process as `/proc` describes it; None if there is none, or it ends while it is looked at."""
    folder = proc / str(pid)
    try:
        stat = (folder / "stat").read_bytes()
        status = _status((folder / "status").read_text(errors="replace"))
    except (OSError, ValueError):
        return None
    name, _, rest = stat.partition(b"(")[2].rpartition(b")")
    numbers = rest.split()
    if status.get("Tgid", str(pid)) != str(pid):  # a thread
        return None
    return Process(
        pid=pid,
        parent_pid=int(numbers[_STAT_PARENT]),
        name=text(name),
        executable=_executable(folder),
        arguments=_arguments(folder),
        uid=int(status["Uid"].split()[0]),
        gid=int(status["Gid"].split()[0]),
        login_uid=_login_uid(folder),
        container_id=container_of(_text(folder / "cgroup")),
        since_ns=boot_ns() + int(numbers[_STAT_START]) * _TICK_NS,
        confidence="inferred",
    )


def living(proc: Path = Path("/proc")) -> Iterator[int]:
    """Yield the ids of all processes that live now."""
    return (int(entry) for entry in os.listdir(proc) if entry.isdecimal())  # noqa: PTH208  names, not paths


def boot_ns() -> int:
    """Return the wall clock's time at which the kernel's clock began, which also runs while the machine sleeps."""
    return time.time_ns() - time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def container_of(cgroup: str) -> str:
    """Return the id of the container that a control group belongs to, empty if none.

    >>> container_of("/system.slice/docker-" + "ab" * 32 + ".scope")[:6]
    'ababab'
    """
    found = _CONTAINER.findall(cgroup)
    return found[-1] if found else ""


def text(name: bytes) -> str:
    r"""Return a name as text; bytes that are no UTF-8 as `\xff`."""
    return name.decode("utf-8", "backslashreplace")


def _status(text: str) -> dict[str, str]:
    pairs = (line.partition(":") for line in text.splitlines())
    return {key: value.strip() for key, _, value in pairs}


def _executable(folder: Path) -> str:
    try:
        return text(os.readlink(os.fsencode(folder / "exe"))).removesuffix(" (deleted)")  # noqa: PTH115  bytes
    except OSError:  # a thread of the kernel, or another user's process
        return ""


def _arguments(folder: Path) -> tuple[str, ...]:
    try:
        with (folder / "cmdline").open("rb") as file:
            data = file.read(_MOST_BYTES)
    except OSError:
        return ()
    return tuple(map(text, data.rstrip(b"\0").split(b"\0"))) if data else ()


def _login_uid(folder: Path) -> int | None:
    value = _text(folder / "loginuid").strip()
    return int(value) if value.isdecimal() and int(value) != UNSET else None


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
