"""The record that the tracing programs write for each call, and the words that they share with the maps.

`SPEC` packs what has to be looked up of a call into one number: which argument is a text, a folder, a file. The record
has a head of fixed places and then data: two texts as given, the names of two files or folders from the inside out, and
the first bytes of a buffer; `ENDS` says where each part ends.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tailrace.ebpf.walk import Record

if TYPE_CHECKING:
    from tailrace.sources.trace.battery import Call

NUMBERS: Final = 512
"""Numbers of system calls that the tables have room for."""

COMPAT: Final = NUMBERS
"""What is added to the number of a call of a 32-bit program."""

TIME, THREAD, USER, CGROUP, RESULT = 8, 16, 24, 32, 40
INDEX, MOUNTS, HANDLERS, ARGUMENTS, COMM = 48, 52, 56, 64, 112
PARENT, LOGIN, INODE, SIZE, DEVICE, MODE = 128, 132, 136, 144, 152, 156
FAMILY, SOURCE_PORT, TARGET_PORT, NETWORK, SOURCE, TARGET = 160, 162, 164, 168, 176, 192
ENDS, MATCHED, KEY_BITS = 208, 232, 244
"""Places in the head; the flags and the used length are in front, as `tailrace.ebpf.walk` has them."""

RECORD: Final = Record(head=248, room=8_192)
HELD: Final = 1_024
"""Bytes of a record that are kept from the beginning of a call that ends a descriptor to its end."""

TEXT_BYTES: Final = 4_096
BUFFER_BYTES: Final = 256
HOW_BYTES: Final = 24
KEY_BYTES: Final = 256
"""Bytes of a text that filters in the kernel can tell apart."""

COMPAT_CALL: Final = 8
"""Flag: a 32-bit program made the call."""

NO_FOLDERS: Final = 16
"""Flag: it is not known which folders names are relative to."""

OWN_MOUNTS: Final = 0
"""Instead of a number of mounts: those of the host, as far as is known."""

SEEN, FILTERED, SUBMITTED, RING_FULL, START_FULL, NO_START, TEXT_FAULT, PATH_CUT = range(8)
COUNTERS: Final = (
    "seen",
    "filtered",
    "submitted",
    "ring_full",
    "start_full",
    "no_start",
    "str_fault",
    "path_truncated",
)
"""Counters of each processor: seen = filtered + submitted + ring_full."""

TEXT1, TEXT2, FOLDER1, FOLDER2, FILE1, FILE2, BUFFER = 0, 3, 6, 9, 12, 15, 20
"""First bits of the numbers of arguments, three bits each."""

OPENS, EARLY, HOW, BASE1, BASE2, WANTED = 18, 19, 23, 24, 25, 26
"""Bits of a call's other properties."""


def spec_of(call: Call, *, buffers: bool = True) -> int:
    """Return what has to be looked up of a call; without buffers not what it reads or writes.

    >>> from tailrace.sources.trace.battery import CALLS
    >>> spec_of(CALLS["unlink"]) == 1 << TEXT1 | 1 << BASE1 | 1 << WANTED
    True
    """
    spec = 1 << WANTED | call.opens << OPENS | call.ends << EARLY
    places = ((TEXT1, FOLDER1, BASE1), (TEXT2, FOLDER2, BASE2))
    for text, (of_text, of_folder, base) in zip(call.texts, places, strict=False):
        spec |= text << of_text
        if call.is_path(text):
            spec |= call.folder(text) << of_folder | 1 << base
    for file, of_file in zip(call.files, (FILE1, FILE2), strict=False):
        spec |= file << of_file
    if "how" in call.arguments:
        spec |= 1 << HOW | call.place("how") << BUFFER
    return spec | call.place("buf") << BUFFER if buffers else spec
