"""Functions of the tracing programs that look things up: a file by its descriptor, what it is and where, a text.

Comes in: where members of the kernel's structures are. Goes out: instructions, appended to a program; each function is
called by its label. The record of this processor is what they write to (`layout`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tailrace.ebpf.assembler import FRAME, Helper
from tailrace.ebpf.walk import FAULT, FLAGS, FREE, emit_text
from tailrace.sources.trace import layout as at
from tailrace.sources.trace.layout import RECORD
from tailrace.syscalls.events import AT_FDCWD

if TYPE_CHECKING:
    from tailrace.ebpf.assembler import Program
    from tailrace.ebpf.btf import Offsets

INET, INET6 = 2, 10
_SOCKET, _TYPE_BITS = 0xC000, 0xF000


def emit_file(p: Program, kernel: Offsets) -> None:
    """Append the function `file`: 1 = descriptor; returns its file, 0 if there is none."""
    p.label("file").low_half(6, 1).when(6, "gt", 0x7FFF_FFFF, "file none")
    p.call(Helper.TASK).copy(7, 0)
    p.read_kernel(8, -8, 7, kernel.of("task_struct", "files")).load(8, 7, FRAME, -8).when(7, "eq", 0, "file none")
    p.read_kernel(8, -8, 7, kernel.of("files_struct", "fdt")).load(8, 7, FRAME, -8)
    p.read_kernel(4, -8, 7, kernel.of("fdtable", "max_fds")).load(4, 1, FRAME, -8).when_of(6, "ge", 1, "file none")
    p.read_kernel(8, -8, 7, kernel.of("fdtable", "fd")).load(8, 7, FRAME, -8)
    p.alu("lsh", 6, 3).alu_of("add", 7, 6).read_kernel(8, -8, 7, 0).load(8, 0, FRAME, -8).exit()
    p.label("file none").mov(0, 0).exit()


def emit_describe(p: Program, kernel: Offsets) -> None:
    """Append the function `describe`: 1 = record, 2 = file; writes what it is, and its names."""
    p.label("describe").copy(6, 1).copy(7, 2)
    p.read_kernel(8, -8, 7, kernel.of("file", "f_inode")).load(8, 8, FRAME, -8)
    p.read_kernel(8, -8, 8, kernel.of("inode", "i_ino")).load(8, 1, FRAME, -8).store(8, 6, at.INODE, 1)
    p.read_kernel(8, -8, 8, kernel.of("inode", "i_size")).load(8, 1, FRAME, -8).store(8, 6, at.SIZE, 1)
    p.read_kernel(2, -8, 8, kernel.of("inode", "i_mode")).load(2, 9, FRAME, -8).store(4, 6, at.MODE, 9)
    p.read_kernel(8, -8, 8, kernel.of("inode", "i_sb")).load(8, 8, FRAME, -8)
    p.read_kernel(4, -8, 8, kernel.of("super_block", "s_dev")).load(4, 1, FRAME, -8).store(4, 6, at.DEVICE, 1)
    p.alu("and", 9, _TYPE_BITS).when(9, "eq", _SOCKET, "describe socket")
    p.read_kernel(8, -8, 7, kernel.of("file", "f_path:path", "mnt"))
    p.read_kernel(8, -16, 7, kernel.of("file", "f_path:path", "dentry"))
    p.copy(1, 6).load(8, 2, FRAME, -16).load(8, 3, FRAME, -8).function("walk").exit()
    p.label("describe socket")
    _connection(p, kernel)
    p.mov(0, 0).exit()


def _connection(p: Program, kernel: Offsets) -> None:
    """Write both ends of the socket whose file is in register 7."""
    p.read_kernel(8, -8, 7, kernel.of("file", "private_data")).load(8, 7, FRAME, -8)
    p.read_kernel(8, -8, 7, kernel.of("socket", "sk")).load(8, 7, FRAME, -8)
    shared = kernel.of("sock", "__sk_common")
    for width, member, place in (
        (2, "skc_family", at.FAMILY),
        (2, "skc_num", at.SOURCE_PORT),
        (2, "skc_dport", at.TARGET_PORT),
    ):
        p.read_kernel(width, -8, 7, shared + kernel.of("sock_common", member))
        p.load(2, 1, FRAME, -8).store(2, 6, place, 1)
    p.read_kernel(8, -8, 7, shared + kernel.of("sock_common", "skc_net")).load(8, 1, FRAME, -8)
    p.read_kernel(4, -8, 1, kernel.of("net", "ns:ns_common", "inum"))
    p.load(4, 1, FRAME, -8).store(4, 6, at.NETWORK, 1)
    p.load(2, 1, 6, at.FAMILY).when(1, "eq", INET6, "describe v6").when(1, "ne", INET, "describe done")
    for member, place in (("skc_rcv_saddr", at.SOURCE), ("skc_daddr", at.TARGET)):
        p.read_kernel(4, -8, 7, shared + kernel.of("sock_common", member))
        p.load(4, 1, FRAME, -8).store(4, 6, place, 1)
    p.jump("describe done").label("describe v6")
    for member, place in (("skc_v6_rcv_saddr", at.SOURCE), ("skc_v6_daddr", at.TARGET)):
        p.copy(1, 6).alu("add", 1, place).mov(2, 16).copy(3, 7)
        p.alu("add", 3, shared + kernel.of("sock_common", member)).call(Helper.READ_KERNEL)
    p.label("describe done")


def match(p: Program, kernel: Offsets, watched: int) -> None:
    """Note who wants the file or folder whose dentry is in register 8; the record is in 6."""
    value, key = FREE - 8, FREE - 24
    p.read_kernel(8, value, 8, kernel.of("dentry", "d_inode")).load(8, 7, FRAME, value)
    p.read_kernel(8, key + 8, 7, kernel.of("inode", "i_ino"))
    p.read_kernel(8, value, 7, kernel.of("inode", "i_sb")).load(8, 7, FRAME, value)
    p.put(8, FRAME, key, 0).read_kernel(4, key, 7, kernel.of("super_block", "s_dev"))
    p.lookup(watched, key).when(0, "eq", 0, "no match")
    p.load(8, 1, 0, 0).load(8, 2, 6, at.MATCHED).alu_of("or", 2, 1).store(8, 6, at.MATCHED, 2)
    p.label("no match")


def emit_base(p: Program, kernel: Offsets) -> None:
    """Append the function `base`: 1 = record, 2 = number of the folder's argument or 0, 3 = first letter of a text.

    Writes the names of the folder that the text is relative to.
    """
    p.label("base").copy(6, 1).copy(7, 2).copy(8, 3)
    p.call(Helper.TASK).copy(9, 0)
    p.read_kernel(8, -8, 9, kernel.of("task_struct", "fs")).load(8, 9, FRAME, -8)
    p.when(8, "eq", ord("/"), "base root").when(7, "eq", 0, "base here")
    p.copy(2, 7)
    pick_argument(p, 2)
    p.low_half(2, 1).alu("lsh", 2, 32).alu("arsh", 2, 32).when(2, "eq", AT_FDCWD, "base here").function("file")
    p.when(0, "eq", 0, "base done").copy(9, 0)
    p.read_kernel(8, -8, 9, kernel.of("file", "f_path:path", "mnt"))
    p.read_kernel(8, -16, 9, kernel.of("file", "f_path:path", "dentry")).jump("base walk")
    for label, member in (("base root", "root:path"), ("base here", "pwd:path")):
        p.label(label).read_kernel(8, -8, 9, kernel.of("fs_struct", member, "mnt"))
        p.read_kernel(8, -16, 9, kernel.of("fs_struct", member, "dentry")).jump("base walk")
    p.label("base walk").copy(1, 6).load(8, 2, FRAME, -16).load(8, 3, FRAME, -8).function("walk")
    p.label("base done").mov(0, 0).exit()


def clear(p: Program) -> None:
    """Empty the head of the record in register 6."""
    for place in range(0, RECORD.head + 8, 8):  # and the first letter of its first text
        p.put(8, 6, place, 0)


def pick_number(p: Program, bits: int) -> None:
    """Set register 2 to the number of an argument, as the spec in register 8 has it."""
    p.copy(2, 8).alu("rsh", 2, bits).alu("and", 2, 7)


def pick_argument(p: Program, number: int) -> None:
    """Set register 1 to the argument whose number, from 1 to 7, is in a register; the record is in 6."""
    p.copy(1, number).alu("and", 1, 7).alu("lsh", 1, 3).alu_of("add", 1, 6).load(8, 1, 1, at.ARGUMENTS - 8)


def emit_text_function(p: Program) -> None:
    """Append the function `text`: 1 = record, 2 = number of the argument; appends the text it points to."""
    p.label("text").copy(6, 1)
    pick_argument(p, 2)
    p.store(8, FRAME, -8, 1).when(1, "eq", 0, "text none")
    emit_text(p, RECORD, (FRAME, -8), at.TEXT_BYTES, Helper.READ_USER_TEXT, "text read", failed="text fault")
    p.label("text none").mov(0, 0).exit()
    p.label("text fault").load(4, 1, 6, FLAGS).alu("or", 1, FAULT).store(4, 6, FLAGS, 1).mov(0, 0).exit()
