"""Calls that are counted in the kernel: exact at any rate, for a fraction of what an event costs; no arguments.

Comes in: wanted events. Goes out: frames with `name`, `call`, `pid`, `comm`, `exe`, and how many calls, failures, and
bytes moved there were since the last look. One program at the end of every call adds to a map whose key is (process,
call); a map that is full refuses further keys, which is counted. Keys of processes that are gone are removed in time.
"""

from __future__ import annotations

import os
import platform
import struct
from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.ebpf.assembler import FRAME, Helper, Program
from tailrace.ebpf.bpf import Handles, Map
from tailrace.ebpf.btf import of_this_kernel
from tailrace.ebpf.proc_files import living
from tailrace.sources.trace import layout as at
from tailrace.sources.trace.programs import MACHINES, Machine
from tailrace.sources.trace.tables import tables

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tailrace.ebpf.btf import Offsets
    from tailrace.ebpf.processes import Processes
    from tailrace.sources.trace.request import Wanted

KEYS: Final = 65_536
"""Pairs of a process and a call that are counted apart."""

_KEY, _VALUE = struct.Struct("=II"), struct.Struct("=QQQ")
_ONE: Final = struct.pack("=I", 0)
_SCHEMA: Final = {
    "name": pl.String, "call": pl.String, "pid": pl.Int64, "comm": pl.String, "exe": pl.String, "count": pl.Int64,
    "bytes": pl.Int64, "errors": pl.Int64,
}  # fmt: skip
MOVES: Final = frozenset({
    "read", "write", "pread64", "pwrite64", "readv", "writev", "preadv", "pwritev", "preadv2", "pwritev2", "sendfile",
    "splice", "copy_file_range",
})  # fmt: skip
"""Calls that return how many bytes they moved."""


class Counting:
    """Counts calls from `start` to `close`; one thread uses it. Raises what a trace raises."""

    def __init__(self, wanted: Sequence[Wanted], processes: Processes, *, keys: int = KEYS) -> None:
        self.tables = tables(wanted, platform.machine())
        self._processes = processes
        self._keys = keys
        self._seen: dict[tuple[int, int], tuple[int, int, int]] = {}
        self._handles = Handles()
        try:
            self._load(keys)
        except BaseException:
            self._handles.close()
            raise

    def _load(self, keys: int) -> None:
        handles = self._handles
        want = handles.map("array", 4, 8, 2 * at.NUMBERS)
        pids = handles.map("hash", 4, 8, max(1, len(self.tables.pids)))
        self._counts = handles.map("hash", _KEY.size, _VALUE.size, keys)
        self._refused = handles.map("percpu_array", 4, 8, 1)
        for index, wanted in self.tables.handlers.items():
            want.put(struct.pack("=I", index), struct.pack("=Q", wanted))
        for pid, bits in self.tables.pids.items():
            pids.put(struct.pack("=I", pid), struct.pack("=Q", bits))
        code = counter(
            of_this_kernel(),
            MACHINES[platform.machine()],
            want=want,
            pids=pids if self.tables.limited == (1 << len(self.tables.wanted)) - 1 else None,
            counts=self._counts,
            refused=self._refused,
            own=os.getpid(),
        )
        self._program = handles.load(code, "count")

    def start(self) -> None:
        """Count from now on."""
        self._handles.attach(self._program, "sys_exit")

    def read(self) -> pl.DataFrame:
        """Return what was counted since the last reading, most first."""
        self._processes.drain()
        rows = []
        for key, value in self._counts.items():
            pid, index = _KEY.unpack(key)
            total = _VALUE.unpack(value)
            before = self._seen.get((pid, index), (0, 0, 0))
            self._seen[pid, index] = total
            count, moved, errors = (new - old for new, old in zip(total, before, strict=True))
            if count:
                rows += self._rows(pid, index, count, moved, errors)
        if len(self._seen) > self._keys // 2:
            self._forget_ended()
        return pl.DataFrame(rows, schema=_SCHEMA, orient="row").sort("count", descending=True, maintain_order=True)

    @property
    def refused(self) -> int:
        """How many calls were not counted, since the map was full."""
        return self._refused.total(_ONE)

    def close(self) -> None:
        """End it."""
        self._handles.close()
        self._processes.close()

    def _forget_ended(self) -> None:
        """Make room: a process that is gone adds nothing any more."""
        alive = set(living())
        for pid, index in [key for key in self._seen if key[0] not in alive]:
            self._counts.remove(_KEY.pack(pid, index))
            del self._seen[pid, index]

    def _rows(self, pid: int, index: int, count: int, moved: int, errors: int) -> list[tuple[object, ...]]:
        call, handlers = self.tables.calls[index], self.tables.handlers[index]
        if self.tables.limited:
            handlers &= ~self.tables.limited | self.tables.pids.get(pid, 0)
        who = self._processes.who(pid, (1 << 63) - 1)
        names = (who.name, who.executable) if who else (None, None)
        shown = moved if call.name in MOVES else None
        wanted = dict.fromkeys(one.event for bit, one in enumerate(self.tables.wanted) if handlers >> bit & 1)
        return [(event, call.name, pid, *names, count, shown, errors) for event in wanted]


def counter(
    kernel: Offsets, machine: Machine, *, want: Map, pids: Map | None, counts: Map, refused: Map, own: int
) -> bytes:
    """Return the program for `sys_exit`, whose arguments are pt_regs and the result."""
    small, key, value, task = -8, -16, -40, -48
    p = Program().copy(6, 1).load(8, 8, 6, 0)
    p.read_kernel(8, task, 8, machine.number).load(8, 7, FRAME, task).when(7, "gt", at.NUMBERS - 1, "out")
    p.call(Helper.TASK).copy(8, 0)
    p.read_kernel(4, task, 8, kernel.of("task_struct", "thread_info:thread_info", machine.compat_member))
    p.load(4, 1, FRAME, task).alu("and", 1, machine.compat_bits).when(1, "eq", 0, "native")
    p.alu("add", 7, at.COMPAT).label("native")
    p.store(4, FRAME, small, 7).lookup(want.handle, small).when(0, "eq", 0, "out")
    p.load(8, 1, 0, 0).when(1, "eq", 0, "out")
    p.call(Helper.PID_TGID).alu("rsh", 0, 32).when(0, "eq", own, "out")
    p.store(4, FRAME, key, 0).store(4, FRAME, key + 4, 7)
    if pids is not None:
        p.lookup(pids.handle, key).when(0, "eq", 0, "out")
    p.load(8, 7, 6, 8)  # the result
    p.mov(9, 0).when(7, "sge", 0, "no error").mov(9, 1).mov(7, 0).label("no error")
    p.lookup(counts.handle, key).when(0, "ne", 0, "add")
    p.mov(1, 1).store(8, FRAME, value, 1).store(8, FRAME, value + 8, 7).store(8, FRAME, value + 16, 9)
    p.map(1, counts.handle).frame(2, key).frame(3, value).mov(4, 1).call(Helper.MAP_UPDATE).when(0, "eq", 0, "out")
    p.lookup(counts.handle, key).when(0, "ne", 0, "add")  # another processor was first
    p.put(4, FRAME, small, 0).lookup(refused.handle, small).when(0, "eq", 0, "out")
    p.load(8, 1, 0, 0).alu("add", 1, 1).store(8, 0, 0, 1).jump("out")
    p.label("add").mov(1, 1).add_to(0, 0, 1).add_to(0, 8, 7).add_to(0, 16, 9)
    return p.label("out").mov(0, 0).exit().build()
