"""A small assembler for eBPF: instructions by name, jumps and calls to labels, bytes out.

Comes in: calls of the methods in the order of the instructions; they return the program, so they can be chained. Goes
out: `build`, eight bytes an instruction, as `bpf(2)` takes them. Pure: needs neither root nor Linux.

Registers are numbers: 0 has results, 1 to 5 arguments (lost at calls), 6 to 9 are kept, 10 is the frame of 512 bytes,
which grows down. An offset that starts with a minus is one in the frame.

>>> Program().mov(0, 7).exit().build().hex()
'b7000000070000009500000000000000'
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final, Literal, Self

if TYPE_CHECKING:
    from collections.abc import Mapping

Condition = Literal["always", "eq", "gt", "ge", "set", "ne", "sgt", "sge", "lt", "le", "slt", "sle"]
Operation = Literal["add", "sub", "mul", "div", "or", "and", "lsh", "rsh", "xor", "mov", "arsh"]
Width = Literal[1, 2, 4, 8]

FRAME: Final = 10
"""The register of the frame."""

_WIDTHS: Final[Mapping[int, int]] = {1: 0x10, 2: 0x08, 4: 0x00, 8: 0x18}
_OPERATIONS: Final[Mapping[Operation, int]] = {
    "add": 0x00, "sub": 0x10, "mul": 0x20, "div": 0x30, "or": 0x40, "and": 0x50, "lsh": 0x60, "rsh": 0x70,
    "xor": 0xA0, "mov": 0xB0, "arsh": 0xC0,
}  # fmt: skip
_CONDITIONS: Final[Mapping[Condition, int]] = {
    "always": 0x00, "eq": 0x10, "gt": 0x20, "ge": 0x30, "set": 0x40, "ne": 0x50, "sgt": 0x60, "sge": 0x70,
    "lt": 0xA0, "le": 0xB0, "slt": 0xC0, "sle": 0xD0,
}  # fmt: skip
_MAP: Final = 1  # what the second register of a 16-byte load says about its value
_FUNCTION: Final = 1  # and that of a call


class Helper:
    """Numbers of the kernel's functions."""

    MAP_LOOKUP: Final = 1
    MAP_UPDATE: Final = 2
    MAP_DELETE: Final = 3
    PID_TGID: Final = 14
    UID_GID: Final = 15
    COMM: Final = 16
    TASK: Final = 35
    CGROUP: Final = 80
    READ_USER: Final = 112
    READ_KERNEL: Final = 113
    READ_USER_TEXT: Final = 114
    READ_KERNEL_TEXT: Final = 115
    BOOT_NS: Final = 125
    RING_OUTPUT: Final = 130


class Program:
    """Instructions on their way to bytes."""

    def __init__(self) -> None:
        self._code: list[tuple[int, int, int, int, int]] = []  # opcode, destination, source, offset, immediate
        self._labels: dict[str, int] = {}
        self._jumps: list[tuple[int, str]] = []
        self._calls: list[tuple[int, str]] = []

    def __len__(self) -> int:
        return len(self._code)

    # --- values ---------------------------------------------------------------------------------

    def mov(self, dst: int, value: int) -> Self:
        """Set a register to a number of 32 bits, signed."""
        return self.alu("mov", dst, value)

    def copy(self, dst: int, src: int) -> Self:
        """Set a register to another."""
        return self.alu_of("mov", dst, src)

    def wide(self, dst: int, value: int) -> Self:
        """Set a register to a number of 64 bits."""
        low, high = struct.unpack("=ii", struct.pack("=Q", value & 0xFFFF_FFFF_FFFF_FFFF))
        self._raw(0x18, dst, imm=low)
        return self._raw(0, imm=high)

    def alu(self, operation: Operation, dst: int, value: int) -> Self:
        """Change a register by a number."""
        return self._raw(0x07 | _OPERATIONS[operation], dst, imm=value)

    def alu_of(self, operation: Operation, dst: int, src: int) -> Self:
        """Change a register by another."""
        return self._raw(0x0F | _OPERATIONS[operation], dst, src)

    def low_half(self, dst: int, src: int) -> Self:
        """Set a register to the lower 32 bits of another."""
        return self._raw(0xBC, dst, src)

    def map(self, dst: int, handle: int) -> Self:
        """Set a register to a map."""
        self._raw(0x18, dst, _MAP, imm=handle)
        return self._raw(0)

    def frame(self, dst: int, offset: int) -> Self:
        """Set a register to a place in the frame."""
        return self.copy(dst, FRAME).alu("add", dst, offset)

    # --- memory ---------------------------------------------------------------------------------

    def load(self, width: Width, dst: int, src: int, offset: int) -> Self:
        """Set a register to what stands in memory, without a sign."""
        return self._raw(0x61 | _WIDTHS[width], dst, src, offset)

    def store(self, width: Width, dst: int, offset: int, src: int) -> Self:
        """Write a register to memory."""
        return self._raw(0x63 | _WIDTHS[width], dst, src, offset)

    def put(self, width: Width, dst: int, offset: int, value: int) -> Self:
        """Write a number to memory."""
        return self._raw(0x62 | _WIDTHS[width], dst, off=offset, imm=value)

    def add_to(self, dst: int, offset: int, src: int) -> Self:
        """Add a register to 64 bits of memory, at once for all processors."""
        return self._raw(0xDB, dst, src, offset)

    # --- ways -----------------------------------------------------------------------------------

    def label(self, name: str) -> Self:
        """Name the place of the next instruction."""
        assert name not in self._labels, name
        self._labels[name] = len(self._code)
        return self

    def jump(self, to: str) -> Self:
        """Go on at a label."""
        return self._jump(0x05, 0, 0, 0, to)

    def when(self, dst: int, condition: Condition, value: int, to: str) -> Self:
        """Go on at a label if a register holds against a number."""
        return self._jump(0x05 | _CONDITIONS[condition], dst, 0, value, to)

    def when_of(self, dst: int, condition: Condition, src: int, to: str) -> Self:
        """Go on at a label if a register holds against another."""
        return self._jump(0x0D | _CONDITIONS[condition], dst, src, 0, to)

    def call(self, helper: int) -> Self:
        """Call a function of the kernel."""
        return self._raw(0x85, imm=helper)

    def function(self, name: str) -> Self:
        """Call a function of this program."""
        self._calls.append((len(self._code), name))
        return self._raw(0x85, 0, _FUNCTION)

    def exit(self) -> Self:
        """Return from the program, or from a function of it."""
        return self._raw(0x95)

    # --- what is always done the same way ---------------------------------------------------------

    def read_kernel(self, width: int, to: int, base: int, offset: int) -> Self:
        """Read kernel memory at a register and an offset to a place in the frame; zeroes where there is none."""
        self.copy(3, base)
        if offset:
            self.alu("add", 3, offset)
        return self.frame(1, to).mov(2, width).call(Helper.READ_KERNEL)

    def lookup(self, handle: int, key: int) -> Self:
        """Set register 0 to the value in a map of the key at a place in the frame; 0 if there is none."""
        return self.map(1, handle).frame(2, key).call(Helper.MAP_LOOKUP)

    def build(self) -> bytes:
        """Return the program; every label that is used must be there."""
        code = [list(one) for one in self._code]
        for place, name in self._jumps:
            code[place][3] = self._labels[name] - place - 1
        for place, name in self._calls:
            code[place][4] = self._labels[name] - place - 1
        return b"".join(struct.pack("=BBhi", op, dst | src << 4, offset, value) for op, dst, src, offset, value in code)

    def _jump(self, op: int, dst: int, src: int, value: int, to: str) -> Self:
        self._jumps.append((len(self._code), to))
        return self._raw(op, dst, src, 0, value)

    def _raw(self, op: int, dst: int = 0, src: int = 0, off: int = 0, imm: int = 0) -> Self:
        self._code.append((op, dst, src, off, imm))
        return self
