"""What OTLP answers beside success: `google.rpc.Status`, with how long to wait, in the encoding of the request.

Comes in: a code, a text, seconds. Goes out: bytes of protobuf, or JSON. Written by hand: three small messages.
"""

from __future__ import annotations

import json
from typing import Final

INVALID_ARGUMENT: Final = 3
RESOURCE_EXHAUSTED: Final = 8
UNIMPLEMENTED: Final = 12
UNAVAILABLE: Final = 14
UNAUTHENTICATED: Final = 16
PERMISSION_DENIED: Final = 7

_CODES: Final = {
    400: INVALID_ARGUMENT,
    401: UNAUTHENTICATED,
    403: PERMISSION_DENIED,
    405: UNIMPLEMENTED,
    413: RESOURCE_EXHAUSTED,
    415: INVALID_ARGUMENT,
}
_RETRY_INFO: Final = "type.googleapis.com/google.rpc.RetryInfo"


def code(status: int) -> int:
    """Return the code of gRPC that goes with an HTTP status: one that may be tried again, unless it never helps."""
    return _CODES.get(status, UNAVAILABLE)


def as_json(number: int, text: str, retry_s: int = 0) -> bytes:
    """Return a status as JSON."""
    details = [{"@type": _RETRY_INFO, "retryDelay": f"{retry_s}s"}] if retry_s else []
    return json.dumps({"code": number, "message": text, "details": details}, ensure_ascii=False).encode()


def as_protobuf(number: int, text: str, retry_s: int = 0) -> bytes:
    r"""Return a status as protobuf.

    >>> as_protobuf(3, "no")
    b'\x08\x03\x12\x02no'
    """
    status = b"\x08" + _varint(number) + _sized(2, text.encode("utf-8", "replace"))
    if not retry_s:
        return status
    delay = _sized(1, b"\x08" + _varint(retry_s))
    return status + _sized(3, _sized(1, _RETRY_INFO.encode()) + _sized(2, delay))


def _sized(number: int, data: bytes) -> bytes:
    return bytes([number << 3 | 2]) + _varint(len(data)) + data


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:  # noqa: PLR2004  seven bits a byte
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])
