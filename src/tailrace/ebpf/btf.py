"""Where the members of the kernel's structures are, as the running kernel says itself (BTF).

Comes in: bytes of `/sys/kernel/btf/vmlinux`, and the structures that are wanted. Goes out: `Offsets`, each member by
name with its place in bytes, members of nameless inner structures as if they were the outer one's. Never ship these
numbers: they move with every build. A structure or member that this kernel lacks raises `MissingError` when it is
asked for, so that one feature is switched off and not the tracer.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

PATH: Final = Path("/sys/kernel/btf/vmlinux")

_MAGIC: Final = 0xEB9F
_HEADER: Final = struct.Struct("=HBBIIIII")
_TYPE: Final = struct.Struct("=III")
_MEMBER_BYTES: Final = 12
_STRUCT, _UNION = 4, 5
_RENAMED: Final = frozenset(
    {8, 9, 10, 11, 18}
)  # typedef, volatile, const, restrict, type tag: go on with what is meant
# Bytes behind a type by its kind: always, and for each of its parts.
_ALWAYS: Final = {1: 4, 3: 12, 14: 4, 17: 4}
_EACH: Final = {4: 12, 5: 12, 6: 8, 13: 8, 15: 12, 19: 12}


class MissingError(Exception):
    """This kernel has no such structure or member, or says nothing about its structures."""


@dataclass(frozen=True, slots=True)
class Offsets:
    """Structures by name, their members by name, with the place in bytes."""

    structures: Mapping[str, Mapping[str, int]]

    def of(self, structure: str, *members: str) -> int:
        """Return the place of a member, or of one inside it: `of("dentry", "d_name:qstr", "name")`.

        The type of an inner structure stands behind a colon.
        """
        place = 0
        for member in members:
            name, _, inner = member.partition(":")
            known = self.structures.get(structure)
            if known is None:
                raise MissingError(f"this kernel describes no structure {structure}")
            if name not in known:
                raise MissingError(f"this kernel's structure {structure} has no member {name}")
            place += known[name]
            structure = inner
        return place


@dataclass(frozen=True, slots=True)
class _Type:
    name: int
    kind: int
    parts: int  # how many members
    bits: bool  # places of members are 24 bits, beside the width of a bit field
    target: int  # the type that is meant, or the size
    place: int  # of the bytes behind it


class _Reader:
    def __init__(self, data: bytes) -> None:
        magic, _, _, header, types, types_bytes, names, _ = _HEADER.unpack_from(data)
        if magic != _MAGIC:
            raise MissingError("the kernel's description of its structures (BTF) is in another byte order or broken")
        self._data = data
        self._names = header + names
        self._types: list[_Type | None] = [None, *self._read(header + types, header + types + types_bytes)]

    def _read(self, place: int, end: int) -> Iterator[_Type]:
        while place < end:
            name, info, target = _TYPE.unpack_from(self._data, place)
            kind, parts = info >> 24 & 31, info & 0xFFFF
            place += _TYPE.size
            yield _Type(name, kind, parts, bool(info >> 31), target, place)
            place += _ALWAYS.get(kind, 0) + _EACH.get(kind, 0) * parts

    def structures(self, wanted: Collection[str]) -> dict[str, dict[str, int]]:
        """Return the wanted structures; of several with one name the first."""
        found: dict[str, dict[str, int]] = {}
        for each in self._types:
            if each is not None and each.kind == _STRUCT and each.name:
                name = self._name(each.name)
                if name in wanted and name not in found:
                    found[name] = self._members(each)
        return found

    def _members(self, of: _Type, base: int = 0) -> dict[str, int]:
        members: dict[str, int] = {}
        for number in range(of.parts):
            name, kind, bits = _TYPE.unpack_from(self._data, of.place + _MEMBER_BYTES * number)
            place = base + (bits & 0xFF_FFFF if of.bits else bits) // 8
            if name:
                members[self._name(name)] = place
                continue
            inner = self._meant(kind)
            if inner is not None and inner.kind in (_STRUCT, _UNION):
                members.update(self._members(inner, place))
        return members

    def _meant(self, number: int) -> _Type | None:
        found = self._types[number]
        while found is not None and found.kind in _RENAMED:
            found = self._types[found.target]
        return found

    def _name(self, place: int) -> str:
        start = self._names + place
        return self._data[start : self._data.index(b"\0", start)].decode()


def parse(data: bytes, wanted: Collection[str]) -> Offsets:
    """Return the wanted structures of a BTF file's bytes; raises `MissingError` for what is none."""
    try:
        return Offsets(_Reader(data).structures(wanted))
    except (struct.error, IndexError, ValueError) as error:
        raise MissingError(f"the kernel's description of its structures (BTF) is broken: {error}") from error


WANTED: Final = frozenset({
    "cred", "dentry", "fdtable", "file", "files_struct", "fs_struct", "inode", "linux_binprm", "mm_struct",
    "mnt_namespace", "mount", "net", "ns_common", "nsproxy", "path", "qstr", "signal_struct", "sock", "sock_common",
    "socket", "super_block", "task_struct", "thread_info", "vfsmount",
})  # fmt: skip
"""The structures that our programs read."""


@lru_cache(maxsize=1)
def of_this_kernel(path: Path = PATH) -> Offsets:
    """Return the structures of the running kernel: read once, in about 0.2 s; it cannot change under a process."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise MissingError(f"{path}: {error.strerror}: this kernel does not describe its structures (BTF)") from error
    return parse(data, WANTED)
