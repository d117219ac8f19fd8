"""Read the ring into which programs write their records.

Comes in: the descriptor of a ring and its size. Goes out: the records, copied, in the order in which they were begun.
The reader takes all that is there before it waits: the kernel wakes only one that had caught up.

The memory is mapped as the kernel lays it out: one page with our position, then one with its position, then the data
twice in a row, so that no record wraps for a reader.
"""

from __future__ import annotations

import mmap
import select
import struct
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

_BUSY: Final = 1 << 31
_DISCARDED: Final = 1 << 30
_HEAD: Final = 8
_LENGTH: Final = struct.Struct("=I")


class Ring:
    """The reading end of one ring; one thread uses it."""

    def __init__(self, handle: int, size: int) -> None:
        page = mmap.PAGESIZE
        self._mask = size - 1
        self._own_map = mmap.mmap(handle, page, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE, offset=0)
        self._kernel_map = mmap.mmap(handle, page + 2 * size, mmap.MAP_SHARED, mmap.PROT_READ, offset=page)
        self._own = memoryview(self._own_map).cast("Q")
        self._kernel = memoryview(self._kernel_map)
        self._end = self._kernel[:8].cast("Q")
        self._data = self._kernel[page:]
        self._poll = select.epoll()
        self._poll.register(handle, select.EPOLLIN)

    def read(self, most: int) -> list[bytes]:
        """Return up to `most` records. About a microsecond for each."""
        found, place = records(self._data, self._own[0], self._end[0], mask=self._mask, most=most)
        self._own[0] = place
        return found

    @property
    def waiting_bytes(self) -> int:
        """How much is not read yet."""
        return int(self._end[0] - self._own[0])

    def wait(self, timeout_s: float) -> bool:
        """Wait for a record, if there is none; tells whether there is one."""
        return self.waiting_bytes > 0 or bool(self._poll.poll(max(0.0, timeout_s)))

    def close(self) -> None:
        """Unmap it."""
        self._poll.close()
        views: Sequence[memoryview] = (self._own, self._end, self._data, self._kernel)
        for view in views:
            view.release()
        self._own_map.close()
        self._kernel_map.close()


def records(data: memoryview, place: int, end: int, *, mask: int, most: int) -> tuple[list[bytes], int]:
    """Return up to `most` records between two positions, and the position behind them; ends at one that is written."""
    found: list[bytes] = []
    length_at = _LENGTH.unpack_from
    while place < end and len(found) < most:
        at = place & mask
        head = length_at(data, at)[0]
        if head & _BUSY:
            break
        length = head & ~_DISCARDED
        if length == head:
            found.append(bytes(data[at + _HEAD : at + _HEAD + length]))
        place += (length + _HEAD + 7) & ~7
    return found, place
