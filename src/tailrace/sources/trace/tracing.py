"""A trace at work: maps filled, programs loaded and attached, records read, and every loss known.

Comes in: wanted events. Goes out: records as bytes, for `columns`. The programs run for every system call of the
machine, so they are attached only between `start` and `close`. Raises `BpfError` where this is not allowed, and
`MissingError` where the kernel does not describe itself.
"""

from __future__ import annotations

import errno
import os
import platform
import struct
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tailrace.ebpf.bpf import BpfError, Handles, possible_processors
from tailrace.ebpf.btf import of_this_kernel
from tailrace.ebpf.ring import Ring
from tailrace.sources.trace import layout as at
from tailrace.sources.trace.programs import MACHINES, START_BYTES, Filters, Maps, Tracer
from tailrace.sources.trace.tables import tables, text_key

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tailrace.sources.trace.request import Wanted

RING_BYTES: Final = 32 << 20
"""Room for about 100,000 events that are not read yet."""

STARTS: Final = 16_384
"""Calls that may be under way at once, one for each thread."""

_HELD: Final = 2_048
_PLACES: Final = 1_024
_ZERO: Final = struct.pack("=I", 0)


class Tracing:
    """One trace; one thread uses it."""

    def __init__(
        self,
        wanted: Sequence[Wanted],
        *,
        ring_bytes: int = RING_BYTES,
        buffers: bool = True,
        own: int | None = None,
    ) -> None:
        self.tables = tables(wanted, platform.machine())
        self._wanted = wanted
        self._own = os.getpid() if own is None else own
        self._buffers = buffers
        self._handles = Handles()
        self._read = 0
        self._attached: list[int] = []
        try:
            self._load(ring_bytes)
        except BaseException:
            self._handles.close()
            raise

    def _load(self, ring_bytes: int) -> None:
        kernel, handles, known = of_this_kernel(), self._handles, self.tables
        quick = handles.map("array", 4, 8, at.NUMBERS)
        want = handles.map("array", 4, 16, 2 * at.NUMBERS)
        self._begun = start = handles.map("hash", 8, START_BYTES, STARTS)
        held = handles.map("hash", 8, at.HELD, _HELD)
        record = handles.map("percpu_array", 4, at.RECORD.size, 1)
        self._counters = handles.map("percpu_array", 4, 8 * len(at.COUNTERS), 1)
        pids = handles.map("hash", 4, 8, max(1, len(known.pids)))
        texts = handles.map("lpm_trie", 4 + at.KEY_BYTES, 8, max(1, len(known.texts)))
        self._places = handles.map("hash", 16, 8, _PLACES)
        ring = handles.ring(ring_bytes)
        for index, wanted in known.handlers.items():
            quick.put(struct.pack("=I", index % at.NUMBERS), struct.pack("=Q", 1))
            spec = at.spec_of(known.calls[index], buffers=self._buffers)
            want.put(struct.pack("=I", index), struct.pack("=QQ", spec, wanted))
        for pid, bits in known.pids.items():
            pids.put(struct.pack("=I", pid), struct.pack("=Q", bits))
        for text, bits in known.texts.items():
            texts.put(text_key(text), struct.pack("=Q", bits))
        maps = Maps(
            quick.handle,
            want.handle,
            start.handle,
            held.handle,
            record.handle,
            self._counters.handle,
            ring,
            pids.handle,
            texts.handle,
            self._places.handle,
        )
        filters = Filters(self._own, known.limited, known.by_text, known.by_place, known.v4, known.v6)
        tracer = Tracer(kernel, maps, filters, MACHINES[platform.machine()])
        self._programs = [
            (handles.load(tracer.on_exit(), "sys_exit"), "sys_exit"),  # first, so that no begun call goes unseen
            (handles.load(tracer.on_thread_end(), "thread_end"), "sched_process_exit"),
            (handles.load(tracer.on_enter(), "sys_enter"), "sys_enter"),
        ]
        self._ring = Ring(ring, ring_bytes)

    def start(self) -> None:
        """Attach: from now on calls are traced."""
        self.look_at_places()
        self._attached = [self._handles.attach(program, point) for program, point in self._programs]

    def stop(self) -> None:
        """Detach: calls cost nothing any more, and what was written can still be read."""
        while self._attached:
            self._handles.detach(self._attached.pop())

    def read(self, timeout_s: float, most: int) -> list[bytes]:
        """Return the next records, at most so many; waits for the first up to `timeout_s`."""
        if not self._ring.wait(timeout_s):
            return []
        records = self._ring.read(most)
        self._read += len(records)
        return records

    def look_at_places(self) -> None:
        """Tell the programs which folders are meant: to be called about once a second, they may be made anew."""
        found: dict[bytes, int] = {}
        for number, one in enumerate(self._wanted):
            for place in one.places:
                key = _identity(Path(place))
                if key:
                    found[key] = found.get(key, 0) | 1 << number
        for key, bits in list(found.items())[:_PLACES]:
            with suppress(BpfError):
                self._places.put(key, struct.pack("=Q", bits))

    @property
    def counters(self) -> dict[str, int]:
        """What the programs counted, and `read`."""
        value = self._counters.get(_ZERO) or b""
        width = 8 * len(at.COUNTERS)
        sums = [
            sum(struct.unpack_from("=Q", value, width * cpu + 8 * place)[0] for cpu in range(possible_processors()))
            for place in range(len(at.COUNTERS))
        ]
        return {**dict(zip(at.COUNTERS, sums, strict=True)), "read": self._read}

    @property
    def under_way(self) -> int:
        """How many traced calls have begun and not ended, at most one for each thread."""
        return sum(1 for _ in self._begun.items())

    @property
    def waiting_bytes(self) -> int:
        """How much the programs wrote that is not read."""
        return self._ring.waiting_bytes

    def close(self) -> None:
        """Detach, and free what is in the kernel."""
        self._ring.close()
        self._handles.close()


def lost(counters: Mapping[str, int]) -> int:
    """Return how many calls were seen or begun, and are not in the ring."""
    return counters["ring_full"] + counters["start_full"]


def unbalanced(counters: Mapping[str, int], waiting_bytes: int) -> str:
    """Return which account does not close, empty if all do; meaningful while no call is under way."""
    if counters["seen"] != counters["filtered"] + counters["submitted"] + counters["ring_full"]:
        return f"seen is not filtered + submitted + ring_full: {dict(counters)}"
    if not waiting_bytes and counters["submitted"] != counters["read"]:
        return f"submitted is not read, and nothing waits: {dict(counters)}"
    return ""


def _identity(place: Path) -> bytes:
    """Return device and inode of a folder as the kernel has them; of a file, which may be replaced, its folder's."""
    try:
        found = place.stat()
        if not place.is_dir():
            found = place.parent.stat()
    except OSError:
        return b""
    return struct.pack("=QQ", os.major(found.st_dev) << 20 | os.minor(found.st_dev), found.st_ino)


REFUSED: Final = {
    errno.EPERM: "it needs the rights of root, or CAP_BPF and CAP_PERFMON",
    errno.EACCES: "it needs the rights of root, or CAP_BPF and CAP_PERFMON",
    errno.EINVAL: "this kernel refuses the program: it may be older than 5.8",
    errno.ENOMEM: "the kernel has no memory for its maps",
}
"""What to tell of an errno."""
