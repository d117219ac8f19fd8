"""The other way to trace: the program `bpftrace`, where ours cannot be loaded. Arguments and results, but no paths.

Comes in: wanted events. Goes out: records in the layout of our own programs, made one by one from what it prints: for
looking, not for load. It sees no files behind descriptors and no folders that names are relative to, so `path` is there
only for absolute names; texts of `TEXT_BYTES` are marked as incomplete, since it cuts without a word. What it says it
lost is counted as `ring_full`. Needs bpftrace, its rights, and tracefs.
"""

from __future__ import annotations

import json
import os
import struct
import subprocess
import time
from typing import TYPE_CHECKING, Final

from tailrace.errors import TailraceError
from tailrace.files import readable
from tailrace.sources.trace import layout as at
from tailrace.sources.trace.tables import tables

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tailrace.sources.trace.battery import Call
    from tailrace.sources.trace.request import Wanted
    from tailrace.sources.trace.tables import Tables

PROGRAM: Final = "bpftrace"
TEXT_BYTES: Final = 100
"""Bytes of a text, with its NUL: two of them and the numbers must fit into 512."""

START_S: Final = 20.0
"""Time that it may take to compile and attach."""

_ATTACHED: Final = "__BPFTRACE_NOTIFY_PROBES_ATTACHED"
"""What it prints when all is attached, if it is asked to by a variable of that name."""

_SAID: Final = 20
_SEPARATOR: Final = "\x1f"
_PARTS: Final = 4  # numbers, name of the process, two texts
_NUMBERS: Final = 13
_READ_BYTES: Final = 1 << 20
_STOP_S: Final = 5.0


class BpftraceError(TailraceError):
    """It is not there, or does not do what it is told."""


class Bpftrace:
    """Traces by another program; implements `reader.Trace`. `program` is there for tests."""

    def __init__(self, wanted: Sequence[Wanted], machine: str, *, program: str = PROGRAM) -> None:
        self.tables = tables(wanted, machine)
        self._program = program
        self._process: subprocess.Popen[bytes] | None = None
        self._rest = b""
        self._waiting: list[bytes] = []
        self._read = self._lost = self._bad = 0
        self._attached = False
        self._said: list[str] = []  # the last lines that are no JSON

    def start(self) -> None:
        """Start it, and wait until it is attached; raises `BpftraceError` with what it said."""
        command = [self._program, "-f", "json", "-e", script(self.tables)]
        environment = {**os.environ, "BPFTRACE_STRLEN": str(TEXT_BYTES), _ATTACHED: "1"}
        try:
            self._process = subprocess.Popen(  # noqa: S603  the words are ours
                command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment
            )
        except OSError as error:
            raise BpftraceError(f"{self._program}: {error.strerror}") from error
        said = self._until_attached()
        if said:
            self.close()
            raise BpftraceError(said)

    def read(self, timeout_s: float, most: int) -> list[bytes]:
        """Return the next records; waits for the first up to `timeout_s`."""
        if not self._waiting:
            self._hear(timeout_s)
        records, self._waiting = self._waiting[:most], self._waiting[most:]
        self._read += len(records)
        return records

    def stop(self) -> None:
        """End it; what it printed can still be read."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def look_at_places(self) -> None:
        """Nothing: places are asked for outside."""

    @property
    def counters(self) -> dict[str, int]:
        """What was read and lost, by the names that our own programs use; lines that make no sense as `str_fault`."""
        submitted = self._read + len(self._waiting)
        counts = dict.fromkeys(at.COUNTERS, 0) | {"submitted": submitted, "ring_full": self._lost}
        return {**counts, "seen": submitted + self._lost, "str_fault": self._bad, "read": self._read}

    @property
    def waiting_bytes(self) -> int:
        """How much is not handed out yet."""
        return sum(map(len, self._waiting))

    def close(self) -> None:
        """End it."""
        self.stop()
        if self._process is not None and self._process.stdout is not None:
            self._process.stdout.close()

    def _until_attached(self) -> str:
        """Wait; returns what it said instead."""
        assert self._process is not None
        end_s = time.monotonic() + START_S
        while not self._attached and time.monotonic() < end_s:
            ended = self._process.poll() is not None
            if not self._hear(0.1) and ended:
                break
        said = [line for line in self._said if "RLIMIT" not in line]  # harmless since Linux 5.11
        return "" if self._attached else " ".join(said) or "it was not ready in time"

    def _hear(self, timeout_s: float) -> bool:
        """Take what it printed; tells whether that was anything."""
        assert self._process is not None
        assert self._process.stdout is not None
        handle = self._process.stdout.fileno()
        if not readable(handle, timeout_s):
            return False
        piece = os.read(handle, _READ_BYTES)
        *lines, self._rest = (self._rest + piece).split(b"\n")
        for line in filter(None, lines):
            self._line(line)
        return bool(piece)

    def _line(self, line: bytes) -> None:
        try:
            said = json.loads(line)
            kind, data = said["type"], said["data"]
        except (ValueError, KeyError, TypeError):
            text = line.decode(errors="replace")
            self._attached |= text == _ATTACHED
            self._said = [*self._said[-_SAID:], text]
            return
        if kind == "printf":
            self._take(str(data))
        elif kind == "lost_events":
            self._lost += int(data["events"])

    def _take(self, line: str) -> None:
        parts = line.removesuffix("\n").split(_SEPARATOR)
        try:
            numbers = [int(one) for one in parts[0].split()]
        except ValueError:
            numbers = []
        if len(parts) != _PARTS or len(numbers) != _NUMBERS or numbers[5] not in self.tables.calls:
            self._bad += 1
            return
        self._waiting.append(_record(numbers, parts[1:], self.tables))


def script(known: Tables) -> str:
    """Return what it is told: one probe at the beginning, which keeps the arguments, one at the end, which prints."""
    calls = {index: call for index, call in known.calls.items() if index < at.COMPAT}
    ids = " || ".join(f"args->id == {number}" for number in sorted(calls))
    only = sorted(known.pids) if known.limited == (1 << len(known.wanted)) - 1 else []
    pids = " || ".join(f"pid == {pid}" for pid in only) or f"pid != {os.getpid()}"
    texts = [_text(which, calls) for which in range(2)]
    arguments = " ".join(f"@a{number}[tid] = args->args[{number}];" for number in range(6))
    names = [*(f"a{number}" for number in range(6)), "t0", "t1", "id"]
    shown = ", ".join(f"@a{number}[tid]" for number in range(6))
    form = " ".join(["%lld"] * _NUMBERS) + "\\x1f%s\\x1f%s\\x1f%s\\n"
    return (
        f"tracepoint:raw_syscalls:sys_enter /({ids}) && ({pids})/ {{ @id[tid] = args->id + 1; {arguments} "
        f"{' '.join(texts)} }}\n"
        f'tracepoint:raw_syscalls:sys_exit /@id[tid]/ {{ printf("{form}", nsecs, pid, tid, uid, gid, @id[tid] - 1, '
        f"args->ret, {shown}, comm, str(@t0[tid]), str(@t1[tid])); "
        f"{' '.join(f'delete(@{name}[tid]);' for name in names)} }}\n"
        f"END {{ {' '.join(f'clear(@{name});' for name in names)} }}"
    )


def _text(which: int, calls: Mapping[int, Call]) -> str:
    """Return what keeps the address of a text, out of the kept arguments: it cannot choose among the context's."""
    said = f"@t{which}[tid] = (uint64)0;"
    for place in range(6):
        ids = [number for number, call in calls.items() if call.texts[which : which + 1] == (place + 1,)]
        if ids:
            these = " || ".join(f"args->id == {number}" for number in ids)
            said += f" if ({these}) {{ @t{which}[tid] = @a{place}[tid]; }}"
    return said


def _record(numbers: Sequence[int], texts: Sequence[str], known: Tables) -> bytes:
    """Return one call as our own programs would have written it."""
    _, pid, tid, uid, gid, index, ret, *arguments = numbers
    call = known.calls[index]
    given = [text.encode("utf-8", "surrogateescape") for text in texts[1:]][: len(call.texts)]
    flags = at.NO_FOLDERS | any(len(text) >= TEXT_BYTES - 1 for text in given)
    parts = [text + b"\0" for text in given] + [b""] * (2 - len(given))
    head = bytearray(at.RECORD.head)
    boot_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    mask = (1 << 64) - 1
    struct.pack_into("=IIQ", head, 0, sum(map(len, parts)), flags, boot_ns)
    struct.pack_into("=QQ", head, at.THREAD, pid << 32 | tid, gid << 32 | uid)
    struct.pack_into("=qII", head, at.RESULT, ret, index, at.OWN_MOUNTS)
    wanted_by = known.handlers[index] & (~known.limited | known.pids.get(pid, 0))
    struct.pack_into("=Q6Q", head, at.HANDLERS, wanted_by, *(number & mask for number in arguments))
    struct.pack_into("=16s", head, at.COMM, texts[0].encode("utf-8", "surrogateescape"))
    struct.pack_into("=I", head, at.LOGIN, (1 << 32) - 1)
    ends = [len(parts[0]), *[len(parts[0]) + len(parts[1])] * 4]
    struct.pack_into("=5I", head, at.ENDS, *ends)
    return bytes(head) + b"".join(parts)
