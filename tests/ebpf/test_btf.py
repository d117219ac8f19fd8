"""Places of members, out of a description that is made here by hand, and out of the running kernel's."""

import struct

import pytest

from tailrace.ebpf import btf
from tailrace.ebpf.btf import MissingError, parse

INT, STRUCT, UNION, TYPEDEF, CONST = 1, 4, 5, 8, 10


class Description:
    """A BTF file that is written one type after the other; the first type has the number 1."""

    def __init__(self):
        self.types, self.names = b"", b"\0"

    def name(self, text):
        if not text:
            return 0
        place = len(self.names)
        self.names += text.encode() + b"\0"
        return place

    def add(self, kind, name, target, members=(), *, bits=False, behind=b""):
        info = kind << 24 | len(members) | bits << 31
        self.types += struct.pack("=III", self.name(name), info, target) + behind
        for member, of, place in members:
            self.types += struct.pack("=III", self.name(member), of, place)

    def bytes(self):
        head = struct.pack("=HBBIIIII", 0xEB9F, 1, 0, 24, 0, len(self.types), len(self.types), len(self.names))
        return head + self.types + self.names


def described():
    made = Description()
    made.add(INT, "int", 4, behind=b"\x20\0\0\1")  # 1
    made.add(UNION, "", 8, [("uid", 1, 0), ("gid", 1, 32)])  # 2: nameless, members at bits
    made.add(TYPEDEF, "both", 2)  # 3
    made.add(CONST, "", 3)  # 4
    made.add(STRUCT, "qstr", 8, [("len", 1, 0), ("name", 1, 32)])  # 5
    made.add(STRUCT, "task", 64, [("pid", 1, 0), ("", 4, 64), ("d_name", 5, 256)])  # 6
    made.add(STRUCT, "flags", 8, [("low", 1, 4 << 24 | 0), ("high", 1, 4 << 24 | 40)], bits=True)  # 7
    made.add(STRUCT, "task", 8, [("other", 1, 0)])  # 8: a second one of the name
    return made.bytes()


def test_members_have_their_place_in_bytes():
    kernel = parse(described(), {"task", "qstr", "flags"})
    assert kernel.of("task", "pid") == 0
    assert kernel.of("task", "uid") == 8  # in a const typedef of a nameless union at bit 64
    assert kernel.of("task", "gid") == 12
    assert kernel.of("task", "d_name:qstr", "name") == 36
    assert kernel.of("flags", "high") == 5  # 24 bits of the place, beside the width


def test_what_is_missing_is_named():
    kernel = parse(described(), {"task"})
    with pytest.raises(MissingError, match="no structure qstr"):
        kernel.of("qstr", "len")
    with pytest.raises(MissingError, match="task has no member tid"):
        kernel.of("task", "tid")


@pytest.mark.parametrize("data", [b"", b"\0" * 24, described()[:80], b"\x9f\xeb" + b"\xff" * 22])
def test_what_is_no_description_is_no_crash(data):
    with pytest.raises(MissingError):
        parse(data, {"task"}).of("task", "pid")


def test_a_kernel_without_a_description_is_said(tmp_path):
    btf.of_this_kernel.cache_clear()
    with pytest.raises(MissingError, match="does not describe"):
        btf.of_this_kernel(tmp_path / "vmlinux")
    btf.of_this_kernel.cache_clear()


@pytest.mark.skipif(not btf.PATH.exists(), reason="this kernel does not describe its structures")
def test_this_kernel_has_what_the_programs_read():
    kernel = btf.of_this_kernel()
    assert set(kernel.structures) == btf.WANTED
    assert kernel.of("task_struct", "tgid") == kernel.of("task_struct", "pid") + 4
    assert kernel.of("path", "dentry") == 8
