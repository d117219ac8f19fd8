"""Writes Loki's push messages as clients do: protobuf by hand, so that the decoder is not tested by itself."""

from __future__ import annotations


def varint(number: int) -> bytes:
    number &= 0xFFFF_FFFF_FFFF_FFFF
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def sized(field: int, body: bytes) -> bytes:
    return varint(field << 3 | 2) + varint(len(body)) + body


def entry(time_ns: int, line: str, metadata: dict[str, str] | None = None) -> bytes:
    seconds, nanos = divmod(time_ns, 1_000_000_000)
    body = sized(1, b"\x08" + varint(seconds) + b"\x10" + varint(nanos)) + sized(2, line.encode())
    for name, value in (metadata or {}).items():
        body += sized(3, sized(1, name.encode()) + sized(2, value.encode()))
    return body


def stream(labels: str, *entries: bytes) -> bytes:
    return sized(1, labels.encode()) + b"".join(sized(2, one) for one in entries)


def push(*streams: bytes) -> bytes:
    return b"".join(sized(1, one) for one in streams)
