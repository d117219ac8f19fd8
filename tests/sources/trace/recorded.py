"""Records as the tracing programs write them, made by hand."""

import struct

from tailrace.sources.trace import layout as at
from tailrace.sources.trace.columns import Host

HOST = Host(boot_ns=1_000_000, mounts=4026531841)


def record(
    index,
    *,
    ret=0,
    arguments=(),
    texts=(),
    names=(),
    buffer=b"",
    handlers=1,
    flags=0,
    pid=7,
    tid=8,
    uid=1000,
    gid=100,
    comm=b"cat",
    time=5,
    parent=3,
    mode=0,
    inode=0,
    size=0,
    device=0,
    mounts=HOST.mounts,
    socket=(0, 0, 0, 0, b"", b""),
):
    """Return one record; texts and names are bytes, each with its NUL."""
    parts = [*texts, *[b""] * (2 - len(texts)), *names, *[b""] * (2 - len(names)), buffer]
    data = b"".join(parts)
    head = bytearray(at.RECORD.head)
    struct.pack_into(
        "=IIQQQQqII", head, 0, len(data), flags, time, pid << 32 | tid, gid << 32 | uid, 1, ret, index, mounts
    )
    struct.pack_into(
        "=Q6Q", head, at.HANDLERS, handlers, *[n % 2**64 for n in [*arguments, *[0] * (6 - len(arguments))]]
    )
    struct.pack_into("=16sIIQQII", head, at.COMM, comm, parent, 0xFFFFFFFF, inode, size, device, mode)
    family, source_port, target_port, network, source, target = socket
    struct.pack_into("=HH", head, at.FAMILY, family, source_port)
    struct.pack_into(">H", head, at.TARGET_PORT, target_port)
    struct.pack_into("=I", head, at.NETWORK, network)
    struct.pack_into("16s16s", head, at.SOURCE, source, target)
    place = 0
    for number, part in enumerate(parts):
        place += len(part)
        struct.pack_into("=I", head, at.ENDS + 4 * number, place)
    return bytes(head) + data
