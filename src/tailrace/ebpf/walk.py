"""Code that walks from a file up to the root and writes the names that it passes: the path that the kernel knows.

Both kinds of our programs keep one record of each processor in a map (`Record`); its first eight bytes are how many
bytes of its data are used, and flags. The walk appends names with a NUL behind each, the innermost first: `a.txt`,
`tmp`. It goes on over mount points, and stops at the root of the process's mounts, or at a file that has no place.

A plain loop is enough: the place in the record is read from memory in each turn, so that all turns look alike to the
verifier. (`bpf_loop` would need type information of our own.)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tailrace.ebpf.assembler import FRAME, Helper

if TYPE_CHECKING:
    from collections.abc import Callable

    from tailrace.ebpf.assembler import Program
    from tailrace.ebpf.btf import Offsets

STEPS: Final = 64
"""Names and mount points of one path; beyond, it is marked as cut."""

NAME_BYTES: Final = 256
FREE: Final = -32
USED, FLAGS = 0, 4

FAULT: Final = 1
"""Flag: a text could not be read, or not wholly."""

CUT: Final = 2
"""Flag: a path has more names than were written."""

DETACHED: Final = 4
"""Flag: the file has no place in the file system: a pipe, a socket, a file in memory."""


@dataclass(frozen=True, slots=True)
class Record:
    """Bytes in a map that a record is made in."""

    head: int  # bytes before its data
    room: int  # of its data, for what is appended to begin in; more must follow

    @property
    def size(self) -> int:
        """Bytes of the map's value."""
        return self.head + self.room + 4_096


def emit_walk(
    program: Program, kernel: Offsets, record: Record, visit: Callable[[Program], None] | None = None
) -> None:
    """Append the function `walk`: 1 = record, 2 = dentry, 3 = vfsmount; it may be called several times.

    `visit` appends what is done at each file and folder, whose dentry is in register 8, the record in 6; it may use
    the frame from `FREE` down, and must keep registers 6, 8 and 9.
    """
    mount = kernel.of("mount", "mnt")
    counter, name, root, parent = -8, -16, -24, -32
    p = program.label("walk")
    p.copy(6, 1).copy(8, 2).copy(9, 3).alu("sub", 9, mount)
    p.mov(1, 0).store(8, FRAME, counter, 1)
    p.label("walk next").load(8, 1, FRAME, counter).when(1, "ge", STEPS, "walk cut")
    p.alu("add", 1, 1).store(8, FRAME, counter, 1)
    if visit is not None:
        visit(p)
    p.read_kernel(8, root, 9, mount + kernel.of("vfsmount", "mnt_root"))
    p.load(8, 1, FRAME, root).when_of(1, "eq", 8, "walk mount")
    p.read_kernel(8, parent, 8, kernel.of("dentry", "d_parent"))
    p.load(8, 1, FRAME, parent).when_of(1, "eq", 8, "walk detached").when(1, "eq", 0, "walk cut")
    p.read_kernel(8, name, 8, kernel.of("dentry", "d_name:qstr", "name"))
    emit_text(p, record, (FRAME, name), NAME_BYTES, Helper.READ_KERNEL_TEXT, "walk name", failed="walk cut")
    p.load(8, 8, FRAME, parent).jump("walk next")
    p.label("walk mount").read_kernel(8, parent, 9, kernel.of("mount", "mnt_parent"))
    p.load(8, 7, FRAME, parent).when_of(7, "eq", 9, "walk done").when(7, "eq", 0, "walk cut")
    p.read_kernel(8, name, 9, kernel.of("mount", "mnt_mountpoint"))
    p.load(8, 8, FRAME, name).copy(9, 7).jump("walk next")
    p.label("walk detached").mov(1, DETACHED).jump("walk mark")
    p.label("walk cut").mov(1, CUT)
    p.label("walk mark").load(4, 2, 6, FLAGS).alu_of("or", 2, 1).store(4, 6, FLAGS, 2)
    p.label("walk done").mov(0, 0).exit()


def emit_text(
    program: Program, record: Record, source: tuple[int, int], most: int, helper: int, name: str, *, failed: str
) -> None:
    """Append a text to the record in register 6: its address stands in memory at a register and an offset.

    It is at most `most` bytes with its NUL. Goes on at `failed` if it cannot be read or there is no room.
    """
    p = program
    p.load(4, 7, 6, USED).when(7, "gt", record.room - 1, failed)
    p.copy(1, 6).alu("add", 1, record.head).alu_of("add", 1, 7).mov(2, most).load(8, 3, *source).call(helper)
    p.when(0, "sle", 0, failed)
    p.label(name).alu_of("add", 7, 0).store(4, 6, USED, 7)
