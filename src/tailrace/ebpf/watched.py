"""Processes as the kernel tells of them: every fork, exec and exit, so that also the shortest one is known.

Comes in: what the programs of `process_programs` write, and `/proc` once, after they are attached, for those that live
already. Goes out: answers from a table. What the ring could not hold is counted; answers about that time are inferred,
and the living are looked up in `/proc` again.
"""

from __future__ import annotations

import struct
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from tailrace.clock import NS_PER_S
from tailrace.ebpf import process_programs as programs
from tailrace.ebpf.bpf import Handles, possible_processors
from tailrace.ebpf.btf import of_this_kernel
from tailrace.ebpf.containers import Containers
from tailrace.ebpf.names import path_of
from tailrace.ebpf.proc_files import boot_ns, living, read, text
from tailrace.ebpf.processes import UNSET, Process
from tailrace.ebpf.ring import Ring
from tailrace.ebpf.table import ProcessTable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tailrace.clock import Clock
    from tailrace.ebpf.process_programs import Told

RING_BYTES: Final = 4 << 20
"""Room for about 9,000 short processes between two drains."""

REFRESH_S: Final = 1.0
"""After this a living process is looked at again when it is asked for: it may be another user by now."""

_TRACEPOINTS: Final = {
    "sched_process_fork": programs.on_fork,
    "sched_process_exec": programs.on_exec,
    "sched_process_exit": programs.on_exit,
}
_KEY: Final = b"\0" * 4
_EACH_DRAIN: Final = 10_000


class WatchedProcesses:
    """Told by the kernel; implements `processes.Processes`. Raises `BpfError` or `MissingError` where it cannot be."""

    name = "ebpf"
    why = ""

    def __init__(self, clock: Clock, *, ring_bytes: int = RING_BYTES) -> None:
        self._clock = clock
        self._table = ProcessTable()
        self._containers = Containers(clock)
        self._handles = Handles()
        try:
            self._start(ring_bytes)
        except BaseException:
            self._handles.close()
            raise
        self._read = self._lost = 0
        self._unknown = 0
        self._gaps: list[tuple[int, int]] = []  # spans in which something may have been missed
        self._drained_ns = self._clock.now_ns()
        self._asked: dict[int, float] = {}  # when a living process was looked at
        self._prime()

    def _start(self, ring_bytes: int) -> None:
        kernel, handles = of_this_kernel(), self._handles
        ring = handles.ring(ring_bytes)
        self._counters = handles.map("percpu_array", 4, 16, 1)
        record = handles.map("percpu_array", 4, programs.RECORD.size, 1)
        maps = programs.Maps(ring, record.handle, self._counters.handle)
        loaded = [(handles.load(make(kernel, maps), point), point) for point, make in _TRACEPOINTS.items()]
        self._ring = Ring(ring, ring_bytes)
        for program, point in loaded:
            handles.attach(program, point)

    def drain(self) -> None:
        """Take what the kernel told since the last time; marks a time in which it had to leave something out."""
        begun_ns = boot_ns()
        while records := self._ring.read(_EACH_DRAIN):
            self._read += len(records)
            for record in records:
                self._take(programs.decode(record), begun_ns)
        now_ns = self._clock.now_ns()
        lost = self._count(programs.LOST)
        if lost != self._lost:
            self._lost = lost
            self._gaps = [*self._gaps[-99:], (self._drained_ns, now_ns)]
            self._prime()
        self._drained_ns = now_ns
        self._table.evict(now_ns)

    def who(self, pid: int, at_ns: int) -> Process | None:
        """Return the process that had an id at a time."""
        found = self._table.who(pid, at_ns)
        if found is None:
            found = read(pid)
            if found is None or found.since_ns > at_ns + NS_PER_S:
                self._unknown += 1
                return None
            self._table.begin(found)
        elif self._table.living(pid) is found:
            found = self._refreshed(found)
        if any(start <= at_ns <= end for start, end in self._gaps):
            return replace(found, confidence="inferred")
        return found

    @property
    def counters(self) -> Mapping[str, int]:
        """Records that were read and lost, ids that nobody knew, and how many are known now."""
        return {"read": self._read, "lost": self._lost, "unknown": self._unknown, "known": len(self._table)}

    def close(self) -> None:
        """Detach, and free what is in the kernel."""
        self._ring.close()
        self._handles.close()

    # --- the table ------------------------------------------------------------------------------

    def _take(self, told: Told, boot: int) -> None:
        at_ns = boot + told.boot_ns
        if told.kind == programs.EXIT:
            self._table.end(told.pid, at_ns, told.uid)
            return
        container = self._containers.of(told.cgroup)
        before = self._table.last(told.pid if told.kind == programs.EXEC else told.parent_pid)
        if not container and before is not None:
            container = before.container_id  # of the parent: control groups of version 1 are not told
        path, arguments = path_of(told.path) or text(told.given), _arguments(told.words)
        if told.kind == programs.FORK:
            path, arguments = (before.executable, before.arguments) if before else ("", ())
        login = None if told.login_uid == UNSET else told.login_uid
        self._asked.pop(told.pid, None)
        self._table.begin(
            Process(
                told.pid,
                told.parent_pid,
                text(told.name),
                path,
                arguments,
                told.uid,
                told.gid,
                login,
                container,
                at_ns,
                "exact" if told.kind == programs.EXEC or before else "inferred",
            )
        )

    def _prime(self) -> None:
        """Take what lives and is not known, or is known otherwise: programs are attached by now."""
        alive = set(living())
        now_ns = self._clock.now_ns()
        for pid in self._table.pids():
            if pid not in alive and (gone := self._table.last(pid)):
                self._table.end(pid, now_ns, gone.uid)
        for pid in alive:
            known = self._table.living(pid)
            found = read(pid) if known is None or self._lost else None
            if found is not None and (known is None or known.executable != found.executable):
                self._table.begin(found)

    def _refreshed(self, known: Process) -> Process:
        """Look at the user of a living process again, at most once a second: nobody tells of `setuid`."""
        now_s = self._clock.monotonic_s()
        if now_s - self._asked.get(known.pid, float("-inf")) < REFRESH_S:
            return known
        if len(self._asked) > _EACH_DRAIN:
            self._asked.clear()
        self._asked[known.pid] = now_s
        found = read(known.pid)
        if found is None or (found.uid, found.gid) == (known.uid, known.gid):
            return known
        known = replace(known, uid=found.uid, gid=found.gid)
        self._table.correct(known)
        return known

    def _count(self, place: int) -> int:
        value = self._counters.get(_KEY) or b""
        return sum(struct.unpack_from("=Q", value, 16 * cpu + place)[0] for cpu in range(possible_processors()))


def _arguments(words: bytes) -> tuple[str, ...]:
    return tuple(text(word) for word in words.rstrip(b"\0").split(b"\0")) if words else ()
