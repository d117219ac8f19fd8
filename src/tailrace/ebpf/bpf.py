"""The system call `bpf(2)` by ctypes: maps, programs, raw tracepoints; no compiler and no library.

Comes in: numbers and bytes. Goes out: file descriptors in a `Handles`, which closes them all: a closed program detaches
itself. An error is a `BpfError` with the errno and, for a program, the verifier's own words.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, Self

from tailrace.errors import TailraceError

if TYPE_CHECKING:
    from collections.abc import Iterator

SYSCALLS: Final = {"x86_64": 321, "aarch64": 280}
"""Number of the call, by machine."""

MapKind = Literal["hash", "array", "percpu_hash", "percpu_array", "lpm_trie", "ringbuf"]
ProgramKind = Literal["kprobe", "tracepoint", "raw_tracepoint", "tracing", "lsm"]

_MAPS: Final = {"hash": 1, "array": 2, "percpu_hash": 5, "percpu_array": 6, "lpm_trie": 11, "ringbuf": 27}
_PROGRAMS: Final = {"kprobe": 2, "tracepoint": 5, "raw_tracepoint": 17, "tracing": 26, "lsm": 29}
_FIRST_NAMESPACE: Final = 0xEFFF_FFFC  # number of the PID namespace that every other one is in
_MAP_CREATE, _LOOKUP, _UPDATE, _DELETE, _NEXT_KEY, _LOAD = 0, 1, 2, 3, 4, 5
_RAW_OPEN, _LOOKUP_BATCH = 17, 24
_ATTR_BYTES: Final = 128
_LOG_BYTES: Final = 1 << 20
_WORDS_KEPT: Final = 2_000
_NO_PREALLOC: Final = 1
_BATCH: Final = 4_096


class BpfError(TailraceError):
    """The kernel refused; `errno` says why, `words` are the verifier's."""

    def __init__(self, what: str, number: int, words: str = "") -> None:
        self.errno = number
        self.words = words
        self.name = errno.errorcode.get(number, str(number))
        super().__init__(f"{what}: {self.name} ({os.strerror(number)})" + (f"\n{words}" if words else ""))


def unavailable() -> str:
    """Return why there can be no eBPF here, without trying; empty if there may be."""
    if sys.platform != "linux":
        return f"eBPF is a part of Linux; this is {platform.system()}"
    if platform.machine() not in SYSCALLS:
        return f"no program is written for the processor {platform.machine()} yet"
    return ""


def other_ids(namespace: Path = Path("/proc/self/ns/pid")) -> str:
    """Return why process ids here are not those that the kernel tells programs; empty if they are."""
    try:
        first = namespace.stat().st_ino == _FIRST_NAMESPACE
    except OSError:
        first = True  # a kernel without namespaces
    return "" if first else "process ids here are not those of the machine: run it in the machine's PID namespace"


def call(command: int, attributes: bytes, what: str) -> int:
    """Call bpf(2); raises `BpfError`."""
    reason = unavailable()
    if reason:
        raise BpfError(reason, errno.ENOSYS)
    buffer = ctypes.create_string_buffer(attributes.ljust(_ATTR_BYTES, b"\0"), _ATTR_BYTES)
    libc = ctypes.CDLL(None, use_errno=True)
    result = int(libc.syscall(SYSCALLS[platform.machine()], command, buffer, _ATTR_BYTES))
    if result < 0:
        raise BpfError(what, ctypes.get_errno())
    return result


class Map:
    """One map: keys and values are bytes of its fixed sizes."""

    def __init__(self, handle: int, kind: MapKind, key: int, value: int, entries: int) -> None:
        self.handle = handle
        self.entries = entries
        self._key = key
        # Maps per processor give a value for each of them, each padded to eight bytes.
        self._value = (value + 7) // 8 * 8 * possible_processors() if kind.startswith("percpu") else value
        self._stride = (value + 7) // 8 * 8 if kind.startswith("percpu") else value

    def get(self, key: bytes) -> bytes | None:
        """Return the value of a key, None if there is none; a map per processor gives all of them in a row."""
        value = ctypes.create_string_buffer(self._value)
        try:
            self._call(_LOOKUP, key, value)
        except BpfError as error:
            if error.errno == errno.ENOENT:
                return None
            raise
        return value.raw

    def total(self, key: bytes) -> int:
        """Return the sum over all processors of a 64-bit counter; 0 if it is not there."""
        value = self.get(key)
        return sum(struct.unpack_from("=Q", value, at)[0] for at in range(0, len(value), self._stride)) if value else 0

    def put(self, key: bytes, value: bytes) -> None:
        """Set the value of a key."""
        self._call(_UPDATE, key, ctypes.create_string_buffer(value, len(value)))

    def remove(self, key: bytes) -> None:
        """Forget a key; it is no mistake if it is not there."""
        with suppress(BpfError):
            self._call(_DELETE, key, None)

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield all keys and values, in batches; what changes meanwhile may be seen or not."""
        token_in, token_out = (
            ctypes.create_string_buffer(max(8, self._key)),
            ctypes.create_string_buffer(max(8, self._key)),
        )
        keys = ctypes.create_string_buffer(_BATCH * self._key)
        values = ctypes.create_string_buffer(_BATCH * self._value)
        first, done = True, False
        while not done:
            attributes = bytearray(
                struct.pack(
                    "=QQQQII",
                    0 if first else ctypes.addressof(token_in),
                    ctypes.addressof(token_out),
                    ctypes.addressof(keys),
                    ctypes.addressof(values),
                    _BATCH,
                    self.handle,
                ).ljust(_ATTR_BYTES, b"\0")
            )
            done = _batch(attributes)
            count = struct.unpack_from("=I", attributes, 32)[0]
            for number in range(count):
                key = keys.raw[number * self._key : (number + 1) * self._key]
                yield key, values.raw[number * self._value : (number + 1) * self._value]
            ctypes.memmove(token_in, token_out, len(token_in))
            first = False

    def _call(self, command: int, key: bytes, value: ctypes.Array[ctypes.c_char] | None) -> None:
        held = ctypes.create_string_buffer(key, len(key))
        at = 0 if value is None else ctypes.addressof(value)
        call(command, struct.pack("=I4xQQQ", self.handle, ctypes.addressof(held), at, 0), "an entry of a map")


def _batch(attributes: bytearray) -> bool:
    """Read the next batch of a map; tells whether it was the last one."""
    buffer = (ctypes.c_char * _ATTR_BYTES).from_buffer(attributes)
    libc = ctypes.CDLL(None, use_errno=True)
    result = libc.syscall(SYSCALLS[platform.machine()], _LOOKUP_BATCH, buffer, _ATTR_BYTES)
    if result >= 0:
        return False
    if ctypes.get_errno() != errno.ENOENT:
        raise BpfError("the entries of a map", ctypes.get_errno())
    return True


class Handles:
    """Everything that one tracer has open in the kernel; closing it detaches and frees all of it."""

    def __init__(self) -> None:
        self._open: list[int] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def map(self, kind: MapKind, key: int, value: int, entries: int) -> Map:
        """Make a map."""
        flags = _NO_PREALLOC if kind == "lpm_trie" else 0
        attributes = struct.pack("=IIIII", _MAPS[kind], key, value, entries, flags)
        return Map(self._keep(call(_MAP_CREATE, attributes, f"a map ({kind})")), kind, key, value, entries)

    def ring(self, size: int) -> int:
        """Make a ring of so many bytes, a power of two; returns its descriptor."""
        return self._keep(call(_MAP_CREATE, struct.pack("=IIII", _MAPS["ringbuf"], 0, 0, size), "a ring"))

    def load(self, code: bytes, name: str, kind: ProgramKind = "raw_tracepoint") -> int:
        """Load a program; what the verifier says about a bad one is in the error."""
        insns, licence = ctypes.create_string_buffer(code, len(code)), ctypes.create_string_buffer(b"GPL")
        head = (_PROGRAMS[kind], len(code) // 8, ctypes.addressof(insns), ctypes.addressof(licence))
        short = name.encode()[:15]
        try:
            attributes = struct.pack("=IIQQIIQII16s", *head, 0, 0, 0, 0, 0, short)
            return self._keep(call(_LOAD, attributes, f"the program {name}"))
        except BpfError as error:
            if error.errno in (errno.EPERM, errno.ENOSYS):
                raise
            log = ctypes.create_string_buffer(_LOG_BYTES)  # asked for only now: writing it takes the kernel long
            attributes = struct.pack("=IIQQIIQII16s", *head, 1, _LOG_BYTES, ctypes.addressof(log), 0, 0, short)
            try:
                return self._keep(call(_LOAD, attributes, f"the program {name}"))
            except BpfError as again:
                raise BpfError(
                    f"the program {name}", again.errno, log.value.decode(errors="replace")[-_WORDS_KEPT:]
                ) from None

    def attach(self, program: int, tracepoint: str) -> int:
        """Run a program at a raw tracepoint from now on."""
        name = ctypes.create_string_buffer(tracepoint.encode())
        attributes = struct.pack("=QI4x", ctypes.addressof(name), program)
        return self._keep(call(_RAW_OPEN, attributes, f"the tracepoint {tracepoint}"))

    def detach(self, handle: int) -> None:
        """Close one of the descriptors."""
        if handle in self._open:
            self._open.remove(handle)
            os.close(handle)

    def close(self) -> None:
        """Close all, the last first: so a program is detached before its maps go."""
        while self._open:
            os.close(self._open.pop())

    def _keep(self, handle: int) -> int:
        os.set_inheritable(handle, False)
        self._open.append(handle)
        return handle


def possible_processors() -> int:
    """Return how many values a map per processor has for each key."""
    with open("/sys/devices/system/cpu/possible") as file:  # noqa: PTH123
        last = file.read().strip().split(",")[-1].split("-")[-1]
    return int(last) + 1
