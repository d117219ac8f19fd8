"""What is wanted as numbers: the contents of the maps that tell the tracing programs what to do.

Comes in: wanted events and the machine. Goes out: `Tables`. Pure: what goes where can be looked at without a kernel.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tailrace.sources.trace import layout as at
from tailrace.sources.trace.battery import calls_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tailrace.sources.trace.battery import Call
    from tailrace.sources.trace.request import Wanted


@dataclass(frozen=True, slots=True)
class Tables:
    """Contents of the maps, and the same for reading: which call an index is, which bit a wanted event has."""

    wanted: tuple[Wanted, ...]
    calls: Mapping[int, Call]  # by index: the number, plus COMPAT for one of a 32-bit program
    handlers: Mapping[int, int]  # by index: the events that want it
    pids: Mapping[int, int]
    texts: Mapping[bytes, int]
    limited: int = 0
    by_text: int = 0
    by_place: int = 0
    v4: int = 0
    v6: int = 0
    missing: tuple[str, ...] = field(default=())  # events that this machine has no call for

    def bit(self, wanted: Wanted) -> int:
        """Return the bit of a wanted event."""
        return 1 << self.wanted.index(wanted)


def tables(wanted: Sequence[Wanted], machine: str) -> Tables:
    """Return the contents of the maps."""
    calls: dict[int, Call] = {}
    handlers: dict[int, int] = {}
    pids: dict[int, int] = {}
    missing = []
    for number, one in enumerate(wanted):
        found = dict(_numbers(calls_of(one.event), machine))
        if not found:
            missing.append(one.event)
        for index, call in found.items():
            calls[index] = call
            handlers[index] = handlers.get(index, 0) | 1 << number
        for pid in one.pids:
            pids[pid] = pids.get(pid, 0) | 1 << number
    return Tables(
        tuple(wanted),
        calls,
        handlers,
        pids,
        _texts(wanted),
        limited=_bits(bool(one.pids) for one in wanted),
        by_text=_bits(bool(one.texts) for one in wanted),
        by_place=_bits(bool(one.places) for one in wanted),
        v4=_bits(one.event.endswith("_v4") for one in wanted),
        v6=_bits(one.event.endswith("_v6") for one in wanted),
        missing=tuple(missing),
    )


def text_key(text: bytes) -> bytes:
    """Return the key of a text's beginning: how many bits count, and 256 bytes."""
    cut = text[: at.KEY_BYTES]
    return struct.pack("=I", 8 * len(cut)) + cut.ljust(at.KEY_BYTES, b"\0")


def _numbers(calls: Sequence[Call], machine: str) -> Iterator[tuple[int, Call]]:
    for call in calls:
        number = call.x86_64 if machine == "x86_64" else call.arm64
        if number is not None:
            yield number, call
        if machine == "x86_64":
            yield from ((at.COMPAT + old, call) for old in call.i386)


def _texts(wanted: Sequence[Wanted]) -> dict[bytes, int]:
    """Return beginnings and who wants them: the longest counts, so it has to speak for the shorter ones in it."""
    each = [
        (text.encode("utf-8", "surrogateescape"), number) for number, one in enumerate(wanted) for text in one.texts
    ]
    return {text: _or(1 << number for other, number in each if text.startswith(other)) for text, _ in each}


def _bits(flags: Iterator[bool]) -> int:
    return _or(1 << number for number, flag in enumerate(flags) if flag)


def _or(values: Iterator[int]) -> int:
    result = 0
    for value in values:
        result |= value
    return result
