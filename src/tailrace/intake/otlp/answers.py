"""What OTLP answers beside success: `google.rpc.Status`, with how long to wait, in the encoding of the request.

Comes in: a code, a text, seconds. Goes out: bytes of protobuf, or JSON. Written by hand: three small messages.
"""

from __future__ import annotations

import json
from typing import Final

from tailrace.protobuf import message, text, whole

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


def as_json(number: int, said: str, retry_s: int = 0) -> bytes:
    """Return a status as JSON."""
    details = [{"@type": _RETRY_INFO, "retryDelay": f"{retry_s}s"}] if retry_s else []
    return json.dumps({"code": number, "message": said, "details": details}, ensure_ascii=False).encode()


def as_protobuf(number: int, said: str, retry_s: int = 0) -> bytes:
    r"""Return a status as protobuf.

    >>> as_protobuf(3, "no")
    b'\x08\x03\x12\x02no'
    """
    status = whole(1, number) + text(2, said)
    if not retry_s:
        return status
    delay = message(1, whole(1, retry_s))
    return status + message(3, text(1, _RETRY_INFO) + message(2, delay))
