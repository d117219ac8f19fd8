"""The programs that tell of processes: one at each of fork, exec and exit, and the records that they write.

Comes in: where members of the kernel's structures are, and the maps. Goes out: instructions; `decode` makes a `Told` of
a record. A fork of a thread is not told, and an exit only when the last thread of a process goes.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tailrace.ebpf.assembler import Helper, Program
from tailrace.ebpf.walk import FAULT, FLAGS, USED, Record, emit_text, emit_walk

if TYPE_CHECKING:
    from tailrace.ebpf.btf import Offsets

FORK, EXEC, EXIT = 1, 2, 3

RECORD: Final = Record(head=80, room=8_192)
_HEAD: Final = struct.Struct("=IIQIIIIIIQ16sIII4x")
_TIME, _KIND, _PID, _PARENT, _UID, _GID, _LOGIN, _CGROUP, _COMM = 8, 16, 20, 24, 28, 32, 36, 40, 48
_GIVEN_END, _PATH_END, _WORDS_END = 64, 68, 72
_TEXT_BYTES: Final = 4_096
_WORDS_BYTES: Final = 2_048
_COMM_BYTES: Final = 16
TOLD, LOST = 0, 8
"""Places of the counters in their one value per processor."""


@dataclass(frozen=True, slots=True)
class Told:
    """What the kernel told of one process."""

    kind: int
    boot_ns: int
    pid: int
    parent_pid: int
    uid: int
    gid: int
    login_uid: int
    cgroup: int
    name: bytes
    given: bytes = b""  # name of the program as it was asked for
    path: bytes = b""  # its names from the inside out, a NUL behind each
    words: bytes = b""  # argv, a NUL behind each; may be cut


def decode(record: bytes) -> Told:
    """Return what a record says."""
    _, _, boot_ns, kind, pid, parent, uid, gid, login, cgroup, name, given, path, words = _HEAD.unpack_from(record)
    data = record[RECORD.head :]
    return Told(
        kind,
        boot_ns,
        pid,
        parent,
        uid,
        gid,
        login,
        cgroup,
        name.split(b"\0")[0],
        data[:given].rstrip(b"\0"),
        data[given:path],
        data[path:words],
    )


@dataclass(frozen=True, slots=True)
class Maps:
    """Descriptors of what the programs write to."""

    ring: int
    record: int
    counters: int


def on_exec(kernel: Offsets, maps: Maps) -> bytes:
    """Return the program for `sched_process_exec`, whose arguments are task, old id and linux_binprm."""
    p = Program()
    _begin(p, maps, EXEC, task=0)
    p.load(8, 8, 9, 0)
    _describe(p, kernel)
    p.load(8, 8, 9, 16)  # linux_binprm
    p.read_kernel(8, -8, 8, kernel.of("linux_binprm", "filename"))
    emit_text(p, RECORD, (10, -8), _TEXT_BYTES, Helper.READ_KERNEL_TEXT, "given", failed="no given")
    p.label("no given").load(4, 1, 6, USED).store(4, 6, _GIVEN_END, 1)
    p.read_kernel(8, -8, 8, kernel.of("linux_binprm", "file"))
    p.load(8, 8, 10, -8)
    p.read_kernel(8, -16, 8, kernel.of("file", "f_path:path", "dentry"))
    p.read_kernel(8, -24, 8, kernel.of("file", "f_path:path", "mnt"))
    p.copy(1, 6).load(8, 2, 10, -16).load(8, 3, 10, -24).function("walk")
    p.load(4, 1, 6, USED).store(4, 6, _PATH_END, 1)
    _words(p, kernel)
    p.load(4, 1, 6, USED).store(4, 6, _WORDS_END, 1)
    _end(p, maps)
    emit_walk(p, kernel, RECORD)
    return p.build()


def on_fork(kernel: Offsets, maps: Maps) -> bytes:
    """Return the program for `sched_process_fork`, whose arguments are the parent's task and the child's."""
    p = Program()
    p.copy(9, 1).load(8, 8, 1, 8)
    p.read_kernel(4, -8, 8, kernel.of("task_struct", "tgid")).read_kernel(4, -16, 8, kernel.of("task_struct", "pid"))
    p.load(4, 1, 10, -8).load(4, 2, 10, -16).when_of(1, "ne", 2, "out")
    p.copy(1, 9)
    _begin(p, maps, FORK, task=8)
    p.load(8, 8, 9, 8)
    _describe(p, kernel)
    _end(p, maps)
    return p.build()


def on_exit(kernel: Offsets, maps: Maps) -> bytes:
    """Return the program for `sched_process_exit`, whose argument is the task."""
    p = Program()
    p.copy(9, 1).load(8, 8, 1, 0)
    p.read_kernel(8, -8, 8, kernel.of("task_struct", "signal")).load(8, 8, 10, -8)
    p.read_kernel(4, -16, 8, kernel.of("signal_struct", "live"))
    p.load(4, 1, 10, -16).when(1, "ne", 0, "out")
    p.copy(1, 9)
    _begin(p, maps, EXIT, task=0)
    p.load(8, 8, 9, 0)
    _describe(p, kernel)
    _end(p, maps)
    return p.build()


def _begin(p: Program, maps: Maps, kind: int, *, task: int) -> None:
    """Put the context into register 9, its task into 8, this processor's record, with an empty head, into 6."""
    p.copy(9, 1).load(8, 8, 9, task)
    p.put(4, 10, -4, 0).lookup(maps.record, -4).when(0, "eq", 0, "out").copy(6, 0)
    for place in range(0, RECORD.head, 8):
        p.put(8, 6, place, 0)
    p.put(4, 6, _KIND, kind)
    p.call(Helper.BOOT_NS).store(8, 6, _TIME, 0)
    p.call(Helper.UID_GID).store(4, 6, _UID, 0).alu("rsh", 0, 32).store(4, 6, _GID, 0)
    p.call(Helper.CGROUP).store(8, 6, _CGROUP, 0)


def _describe(p: Program, kernel: Offsets) -> None:
    """Write what the task in register 8 says of itself."""
    p.read_kernel(4, -8, 8, kernel.of("task_struct", "tgid")).load(4, 1, 10, -8).store(4, 6, _PID, 1)
    p.read_kernel(4, -8, 8, kernel.of("task_struct", "loginuid")).load(4, 1, 10, -8).store(4, 6, _LOGIN, 1)
    p.copy(1, 6).alu("add", 1, _COMM).mov(2, _COMM_BYTES).copy(3, 8)
    p.alu("add", 3, kernel.of("task_struct", "comm")).call(Helper.READ_KERNEL)
    p.read_kernel(8, -8, 8, kernel.of("task_struct", "real_parent")).load(8, 8, 10, -8)
    p.read_kernel(4, -8, 8, kernel.of("task_struct", "tgid")).load(4, 1, 10, -8).store(4, 6, _PARENT, 1)


def _words(p: Program, kernel: Offsets) -> None:
    """Append argv: the new stack can be read already."""
    p.call(Helper.TASK).copy(8, 0)
    p.read_kernel(8, -8, 8, kernel.of("task_struct", "mm")).load(8, 8, 10, -8)
    p.read_kernel(8, -16, 8, kernel.of("mm_struct", "arg_start"))
    p.read_kernel(8, -24, 8, kernel.of("mm_struct", "arg_end"))
    p.load(4, 7, 6, USED).when(7, "gt", RECORD.room - 1, "no words")
    p.load(8, 3, 10, -16).load(8, 2, 10, -24).alu_of("sub", 2, 3)
    p.when(2, "lt", _WORDS_BYTES, "all words").mov(2, _WORDS_BYTES)
    p.load(4, 1, 6, FLAGS).alu("or", 1, FAULT).store(4, 6, FLAGS, 1)
    p.label("all words").copy(8, 2)
    p.copy(1, 6).alu("add", 1, RECORD.head).alu_of("add", 1, 7).call(Helper.READ_USER)
    p.when(0, "ne", 0, "no words").alu_of("add", 7, 8).store(4, 6, USED, 7).label("no words")


def _end(p: Program, maps: Maps) -> None:
    """Write the record to the ring, and count it."""
    p.load(4, 3, 6, USED).when(3, "gt", RECORD.room + _TEXT_BYTES, "out").alu("add", 3, RECORD.head)
    p.map(1, maps.ring).copy(2, 6).mov(4, 0).call(Helper.RING_OUTPUT).copy(8, 0)
    p.put(4, 10, -4, 0).lookup(maps.counters, -4).when(0, "eq", 0, "out")
    p.mov(1, 1).when(8, "ne", 0, "lost").add_to(0, TOLD, 1).jump("out")
    p.label("lost").add_to(0, LOST, 1)
    p.label("out").mov(0, 0).exit()
