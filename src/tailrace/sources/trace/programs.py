"""The programs that trace: one at the beginning of every system call, one at its end, one that tidies up.

Comes in: where members of the kernel's structures are, the maps, and which filters there are at all. Goes out:
instructions. The first keeps the arguments of a wanted call, and looks at a descriptor that the call will close; the
second reads texts and files, since only then everything is in memory and a new descriptor exists, asks the filters,
and writes the record. A call that nobody wants costs one look into a table, twice.

A handler is one event that somebody asked for; 64 at most, so that sets of them are numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from tailrace.ebpf.assembler import FRAME, Helper, Program
from tailrace.ebpf.walk import CUT, FAULT, FLAGS, USED, emit_walk
from tailrace.sources.trace import layout as at
from tailrace.sources.trace.layout import RECORD
from tailrace.sources.trace.lookups import (
    INET,
    INET6,
    clear,
    emit_base,
    emit_describe,
    emit_file,
    emit_text_function,
    match,
    pick_argument,
    pick_number,
)

if TYPE_CHECKING:
    from tailrace.ebpf.btf import Offsets

_REGISTERS: Final = -248  # 128 bytes of pt_regs in the frame
_START: Final = -96  # what is kept of the beginning: index, spec, handlers, arguments
START_BYTES: Final = 72
_THREAD_KEY, _SMALL_KEY, _VALUE = -104, -112, -120


@dataclass(frozen=True, slots=True)
class Machine:
    """What differs between processors: places in pt_regs, and how a 32-bit program is told."""

    arguments: tuple[int, ...]
    number: int
    compat_arguments: tuple[int, ...]
    compat_member: str
    compat_bits: int


MACHINES: Final = {
    "x86_64": Machine((112, 104, 96, 56, 72, 64), 120, (40, 88, 96, 104, 112, 32), "status", 2),
    "aarch64": Machine((0, 8, 16, 24, 32, 40), 280, (0, 8, 16, 24, 32, 40), "flags", 1 << 22),
}


@dataclass(frozen=True, slots=True)
class Maps:
    """Descriptors of the maps."""

    quick: int  # array: number of a call, to not 0 if it is wanted at all
    want: int  # array: number, plus COMPAT, to spec and handlers
    start: int  # hash: thread, to what is kept
    held: int  # hash: thread, to the first bytes of a record
    record: int  # per processor
    counters: int  # per processor
    ring: int
    pids: int  # hash: process, to the handlers that are limited to it
    texts: int  # trie: beginning of the first text, to the handlers that want it
    watched: int  # hash: device and inode, to the handlers that want what is in or below it


@dataclass(frozen=True, slots=True)
class Filters:
    """Sets of handlers that a filter has to let pass, and the process that is never traced."""

    own: int
    limited: int = 0  # only some processes
    by_text: int = 0  # only some first texts
    by_place: int = 0  # only some folders
    v4: int = 0
    v6: int = 0


class Tracer:
    """Makes the programs."""

    def __init__(self, kernel: Offsets, maps: Maps, filters: Filters, machine: Machine) -> None:
        self._kernel = kernel
        self._maps = maps
        self._filters = filters
        self._machine = machine

    def on_enter(self) -> bytes:
        """Return the program for `sys_enter`, whose arguments are pt_regs and the number."""
        p, maps, task = Program(), self._maps, -128
        p.copy(9, 1).load(8, 7, 9, 8)
        self._quick(p)
        p.call(Helper.TASK).copy(8, 0)
        p.read_kernel(
            4, task, 8, self._kernel.of("task_struct", "thread_info:thread_info", self._machine.compat_member)
        )
        p.load(4, 1, FRAME, task).alu("and", 1, self._machine.compat_bits).when(1, "eq", 0, "native")
        p.alu("add", 7, at.COMPAT).label("native")
        p.store(4, FRAME, _SMALL_KEY, 7).lookup(maps.want, _SMALL_KEY).when(0, "eq", 0, "out")
        p.load(8, 1, 0, 0).store(8, FRAME, _START + 8, 1)
        p.load(8, 8, 0, 8).when(8, "eq", 0, "out")
        p.call(Helper.PID_TGID).store(8, FRAME, _THREAD_KEY, 0).alu("rsh", 0, 32)
        p.when(0, "eq", self._filters.own, "out")
        self._limit(p)
        p.store(8, FRAME, _START, 7).store(8, FRAME, _START + 16, 8)
        self._keep_arguments(p)
        p.map(1, maps.start).frame(2, _THREAD_KEY).frame(3, _START).mov(4, 0).call(Helper.MAP_UPDATE)
        p.when(0, "ne", 0, "full")
        p.load(8, 1, FRAME, _START + 8).alu("and", 1, 1 << at.EARLY).when(1, "eq", 0, "out")
        self._hold(p)
        p.jump("out").label("full")
        self._count(p, at.START_FULL)
        p.label("out").mov(0, 0).exit()
        emit_file(p, self._kernel)
        emit_describe(p, self._kernel)
        self._walk(p)
        return p.build()

    def on_exit(self) -> bytes:
        """Return the program for `sys_exit`, whose arguments are pt_regs and the result."""
        p, maps = Program(), self._maps
        p.copy(9, 1).load(8, 8, 9, 0)
        p.read_kernel(8, -8, 8, self._machine.number).load(8, 7, FRAME, -8)
        self._quick(p)
        p.load(8, 8, 9, 8)  # the result
        p.call(Helper.PID_TGID).store(8, FRAME, _THREAD_KEY, 0)
        p.lookup(maps.start, _THREAD_KEY).when(0, "eq", 0, "no start").copy(9, 0)
        p.put(4, FRAME, _SMALL_KEY, 0).lookup(maps.record, _SMALL_KEY).when(0, "eq", 0, "out").copy(6, 0)
        self._head(p)
        p.map(1, maps.start).frame(2, _THREAD_KEY).call(Helper.MAP_DELETE)
        self._count(p, at.SEEN)
        self._look_up(p)
        self._filter(p)
        self._send(p)
        p.label("filtered")
        self._count(p, at.FILTERED)
        p.jump("out").label("no start")
        if not self._filters.limited:
            p.load(8, 1, FRAME, _THREAD_KEY).alu("rsh", 1, 32).when(1, "eq", self._filters.own, "out")
            # A number may be wanted of 32-bit programs only; those that begin are not told apart here.
            p.store(4, FRAME, _SMALL_KEY, 7).lookup(maps.want, _SMALL_KEY).when(0, "eq", 0, "out")
            p.load(8, 1, 0, 8).when(1, "eq", 0, "out")
            self._count(p, at.NO_START)
        p.label("out").mov(0, 0).exit()
        emit_file(p, self._kernel)
        emit_describe(p, self._kernel)
        emit_base(p, self._kernel)
        emit_text_function(p)
        self._walk(p)
        return p.build()

    def on_thread_end(self) -> bytes:
        """Return the program for `sched_process_exit`: a thread that ends within a call leaves what was kept of it."""
        p = Program().call(Helper.PID_TGID).store(8, FRAME, -8, 0)
        for kept in (self._maps.start, self._maps.held):
            p.map(1, kept).frame(2, -8).call(Helper.MAP_DELETE)
        return p.mov(0, 0).exit().build()

    # --- the beginning --------------------------------------------------------------------------

    def _quick(self, p: Program) -> None:
        """Leave if nobody wants calls with the number in register 7."""
        p.when(7, "gt", at.NUMBERS - 1, "out")
        p.store(4, FRAME, _SMALL_KEY, 7).lookup(self._maps.quick, _SMALL_KEY).when(0, "eq", 0, "out")
        p.load(8, 1, 0, 0).when(1, "eq", 0, "out")

    def _limit(self, p: Program) -> None:
        """Take the handlers out of register 8 that do not want this process, which is in register 0."""
        if not self._filters.limited:
            return
        p.store(4, FRAME, _SMALL_KEY, 0).lookup(self._maps.pids, _SMALL_KEY)
        p.mov(2, 0).when(0, "eq", 0, "not listed").load(8, 2, 0, 0).label("not listed")
        self._intersect(p, self._filters.limited)
        p.when(8, "eq", 0, "out")

    def _keep_arguments(self, p: Program) -> None:
        """Copy the arguments to what is kept; index is in register 7, the context in 9."""
        p.load(8, 1, 9, 0).store(8, FRAME, _VALUE, 1)
        p.frame(1, _REGISTERS).mov(2, 128).load(8, 3, FRAME, _VALUE).call(Helper.READ_KERNEL)
        p.when(7, "ge", at.COMPAT, "compat arguments")
        for number, place in enumerate(self._machine.arguments):
            p.load(8, 1, FRAME, _REGISTERS + place).store(8, FRAME, _START + 24 + 8 * number, 1)
        p.jump("kept").label("compat arguments")
        for number, place in enumerate(self._machine.compat_arguments):
            p.load(4, 1, FRAME, _REGISTERS + place).store(8, FRAME, _START + 24 + 8 * number, 1)
        p.label("kept")

    def _hold(self, p: Program) -> None:
        """Look at the descriptor that is the first argument, and keep the record until the end of the call."""
        p.put(4, FRAME, _SMALL_KEY, 0).lookup(self._maps.record, _SMALL_KEY).when(0, "eq", 0, "out").copy(6, 0)
        clear(p)
        p.load(8, 1, FRAME, _START + 24).function("file").when(0, "eq", 0, "out")
        p.copy(1, 6).copy(2, 0).function("describe")
        p.map(1, self._maps.held).frame(2, _THREAD_KEY).copy(3, 6).mov(4, 0).call(Helper.MAP_UPDATE)
        p.when(0, "ne", 0, "full")

    # --- the end --------------------------------------------------------------------------------

    def _head(self, p: Program) -> None:
        """Write the head: what is kept is in register 9, the result in 8, the record in 6."""
        kernel = self._kernel
        p.load(8, 1, 9, 8).alu("and", 1, 1 << at.EARLY).when(1, "eq", 0, "nothing held")
        p.lookup(self._maps.held, _THREAD_KEY).when(0, "eq", 0, "nothing held")
        p.copy(1, 6).mov(2, at.HELD).copy(3, 0).call(Helper.READ_KERNEL)
        p.map(1, self._maps.held).frame(2, _THREAD_KEY).call(Helper.MAP_DELETE)
        p.load(4, 1, 6, USED).when(1, "le", at.HELD - RECORD.head, "begun")
        p.put(4, 6, USED, at.HELD - RECORD.head).load(4, 1, 6, FLAGS).alu("or", 1, CUT).store(4, 6, FLAGS, 1)
        p.jump("begun").label("nothing held")
        clear(p)
        p.label("begun").store(8, 6, at.RESULT, 8)
        p.load(8, 8, 9, 8)  # from here on the spec
        p.load(8, 1, 9, 0).store(4, 6, at.INDEX, 1).when(1, "lt", at.COMPAT, "is native")
        p.load(4, 1, 6, FLAGS).alu("or", 1, at.COMPAT_CALL).store(4, 6, FLAGS, 1).label("is native")
        p.load(8, 1, 9, 16).store(8, 6, at.HANDLERS, 1)
        for number in range(6):
            p.load(8, 1, 9, 24 + 8 * number).store(8, 6, at.ARGUMENTS + 8 * number, 1)
        p.load(8, 1, FRAME, _THREAD_KEY).store(8, 6, at.THREAD, 1)
        p.call(Helper.BOOT_NS).store(8, 6, at.TIME, 0)
        p.call(Helper.UID_GID).store(8, 6, at.USER, 0)
        p.call(Helper.CGROUP).store(8, 6, at.CGROUP, 0)
        p.copy(1, 6).alu("add", 1, at.COMM).mov(2, 16).call(Helper.COMM)
        p.call(Helper.TASK).copy(7, 0)
        p.read_kernel(4, -8, 7, kernel.of("task_struct", "loginuid")).load(4, 1, FRAME, -8).store(4, 6, at.LOGIN, 1)
        p.read_kernel(8, -8, 7, kernel.of("task_struct", "real_parent")).load(8, 1, FRAME, -8)
        p.read_kernel(4, -8, 1, kernel.of("task_struct", "tgid")).load(4, 1, FRAME, -8).store(4, 6, at.PARENT, 1)
        p.read_kernel(8, -8, 7, kernel.of("task_struct", "nsproxy")).load(8, 1, FRAME, -8)
        p.read_kernel(8, -8, 1, kernel.of("nsproxy", "mnt_ns")).load(8, 1, FRAME, -8)
        p.read_kernel(4, -8, 1, kernel.of("mnt_namespace", "ns:ns_common", "inum"))
        p.load(4, 1, FRAME, -8).store(4, 6, at.MOUNTS, 1)

    def _look_up(self, p: Program) -> None:
        """Append texts, names and the buffer; the spec is in register 8, the record in 6."""
        p.copy(1, 8).alu("and", 1, 1 << at.EARLY).when(1, "ne", 0, "first done")  # its file is there, and all it has
        for part, text in enumerate((at.TEXT1, at.TEXT2)):
            pick_number(p, text)
            p.when(2, "eq", 0, f"no text {part}").copy(1, 6).function("text").label(f"no text {part}")
            _end_part(p, part)
        self._first_file(p)
        p.label("first done")
        _end_part(p, 2)
        self._second_file(p)
        _end_part(p, 3)
        self._buffer(p)
        _end_part(p, 4)

    def _first_file(self, p: Program) -> None:
        p.copy(1, 8).alu("and", 1, 1 << at.OPENS).when(1, "eq", 0, "opens none")
        p.load(8, 1, 6, at.RESULT).when(1, "sge", 0, "has file")
        p.label("opens none")
        pick_number(p, at.FILE1)
        p.when(2, "eq", 0, "first base")
        pick_argument(p, 2)
        p.label("has file").function("file").when(0, "eq", 0, "first done")
        p.copy(1, 6).copy(2, 0).function("describe").jump("first done")
        p.label("first base").copy(1, 8).alu("and", 1, 1 << at.BASE1).when(1, "eq", 0, "first done")
        pick_number(p, at.FOLDER1)
        p.copy(1, 6).load(1, 3, 6, RECORD.head).function("base")

    def _second_file(self, p: Program) -> None:
        pick_number(p, at.FILE2)
        p.when(2, "eq", 0, "second base")
        pick_argument(p, 2)
        p.function("file").when(0, "eq", 0, "second done")
        p.read_kernel(8, -8, 0, self._kernel.of("file", "f_path:path", "mnt"))
        pick_number(p, at.FILE2)
        pick_argument(p, 2)
        p.function("file").copy(7, 0)
        p.read_kernel(8, -16, 7, self._kernel.of("file", "f_path:path", "dentry"))
        p.copy(1, 6).load(8, 2, FRAME, -16).load(8, 3, FRAME, -8).function("walk").jump("second done")
        p.label("second base").copy(1, 8).alu("and", 1, 1 << at.BASE2).when(1, "eq", 0, "second done")
        p.load(4, 1, 6, at.ENDS).when(1, "gt", RECORD.room - 1, "second done")
        p.copy(2, 6).alu_of("add", 2, 1).load(1, 7, 2, RECORD.head)  # the first letter of the second text
        pick_number(p, at.FOLDER2)
        p.copy(1, 6).copy(3, 7).function("base").label("second done")

    def _buffer(self, p: Program) -> None:
        """Append the first bytes that a call read or wrote, or the structure that it was told how to open by."""
        pick_number(p, at.BUFFER)
        p.when(2, "eq", 0, "no buffer")
        pick_argument(p, 2)
        p.copy(9, 1).load(8, 2, 6, at.RESULT)
        p.copy(1, 8).alu("and", 1, 1 << at.HOW).when(1, "eq", 0, "no how").mov(2, at.HOW_BYTES).label("no how")
        p.when(2, "sle", 0, "no buffer").when(2, "lt", at.BUFFER_BYTES, "all of it").mov(2, at.BUFFER_BYTES)
        p.label("all of it").load(4, 7, 6, USED).when(7, "gt", RECORD.room - 1, "no buffer")
        p.store(8, FRAME, -8, 2)
        p.copy(1, 6).alu("add", 1, RECORD.head).alu_of("add", 1, 7).copy(3, 9).call(Helper.READ_USER)
        p.when(0, "ne", 0, "no such buffer")
        p.load(8, 2, FRAME, -8).alu_of("add", 7, 2).store(4, 6, USED, 7).jump("no buffer")
        p.label("no such buffer").load(4, 1, 6, FLAGS).alu("or", 1, FAULT).store(4, 6, FLAGS, 1)
        p.label("no buffer")

    def _filter(self, p: Program) -> None:
        """Take the handlers out that the filters do not let pass; none left is the end."""
        filters = self._filters
        p.load(8, 8, 6, at.HANDLERS)
        if filters.by_text:
            p.load(4, 1, 6, at.ENDS).when(1, "eq", 0, "no text")  # of a call that has none: asked again outside
            p.put(4, 6, at.KEY_BITS, 8 * at.KEY_BYTES)
            p.map(1, self._maps.texts).copy(2, 6).alu("add", 2, at.KEY_BITS).call(Helper.MAP_LOOKUP)
            p.mov(2, 0).when(0, "eq", 0, "no such text").load(8, 2, 0, 0).label("no such text")
            self._intersect(p, filters.by_text)
            p.label("no text")
        if filters.by_place:
            p.load(4, 1, 6, at.MODE).when(1, "eq", 0, "no file")  # nothing was opened: asked again outside
            p.load(8, 2, 6, at.MATCHED)
            self._intersect(p, filters.by_place)
            p.label("no file")
        if filters.v4 | filters.v6:
            p.load(2, 1, 6, at.FAMILY).mov(2, 0)
            p.when(1, "ne", INET, "no v4").wide(2, filters.v4)
            p.label("no v4").when(1, "ne", INET6, "no v6").wide(2, filters.v6).label("no v6")
            self._intersect(p, filters.v4 | filters.v6)
        p.when(8, "eq", 0, "filtered").store(8, 6, at.HANDLERS, 8)

    def _send(self, p: Program) -> None:
        for flag, counter in ((FAULT, at.TEXT_FAULT), (CUT, at.PATH_CUT)):
            p.load(4, 1, 6, FLAGS).alu("and", 1, flag).when(1, "eq", 0, f"no {counter}")
            self._count(p, counter)
            p.label(f"no {counter}")
        p.load(4, 3, 6, USED).when(3, "gt", RECORD.room + at.TEXT_BYTES, "full").alu("add", 3, RECORD.head)
        p.map(1, self._maps.ring).copy(2, 6).mov(4, 0).call(Helper.RING_OUTPUT).when(0, "ne", 0, "full")
        self._count(p, at.SUBMITTED)
        p.jump("out").label("full")
        self._count(p, at.RING_FULL)
        p.jump("out")

    # --- shared ---------------------------------------------------------------------------------

    def _walk(self, p: Program) -> None:
        visit = partial(match, kernel=self._kernel, watched=self._maps.watched) if self._filters.by_place else None
        emit_walk(p, self._kernel, RECORD, visit)

    def _intersect(self, p: Program, restricted: int) -> None:
        """Keep in register 8 what is not restricted, or let pass by register 2."""
        p.wide(1, ~restricted).alu_of("or", 2, 1).alu_of("and", 8, 2)

    def _count(self, p: Program, counter: int) -> None:
        name = f"counted {counter} {len(p)}"
        p.put(4, FRAME, _SMALL_KEY, 0).lookup(self._maps.counters, _SMALL_KEY).when(0, "eq", 0, name)
        p.load(8, 1, 0, 8 * counter).alu("add", 1, 1).store(8, 0, 8 * counter, 1).label(name)


def _end_part(p: Program, part: int) -> None:
    p.load(4, 1, 6, USED).store(4, 6, at.ENDS + 4 * part, 1)
