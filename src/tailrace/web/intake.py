"""The way of every request that brings lines: through the gate, read within a limit, unpacked, decoded, durable.

Comes in: a request, and what makes a frame of its body. Goes out: the frame, when its rows are durable. Refuses: 400
for what can never be stored (the sender drops it), 413 for what is too large as sent or as unpacked, 408 for a body
that does not come, 429 with `Retry-After` when more comes than can be stored, 503 with `Retry-After` while the store
is in trouble; nothing was kept then.

One gate stands before all kinds of pushes and all other receivers, so their memory has one bound: bytes count as they
come, and as rows from when they are decoded until they are durable.
"""

from __future__ import annotations

import asyncio
import zlib
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

import zstandard

from tailrace import limits
from tailrace.batch import weight
from tailrace.errors import DataError
from tailrace.intake.gate import Gate, Hold, client_of
from tailrace.intake.settings import IntakeSettings
from tailrace.intake.submit import submit
from tailrace.web.refusals import Refused

if TYPE_CHECKING:
    from collections.abc import Callable

    import polars as pl
    from starlette.requests import Request

    from tailrace.web.services import Services

BODY_WAIT_S: Final = 30.0
"""How long the next piece of a body is waited for: a sender that is slower than that is gone, or is no friend."""


class Intake:
    """Takes pushes in; bounded in requests at once and in bytes of all."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._gate = services.gate or Gate(IntakeSettings(), clock=services.clock, accounts=services.accounts)
        self._decoders = ThreadPoolExecutor(limits.PUSHES_AT_ONCE, thread_name_prefix="push")
        self._senders = ThreadPoolExecutor(limits.PUSHES_WAITING, thread_name_prefix="submit")  # they sleep in `submit`

    async def take(self, request: Request, source: str, decode: Callable[[bytes], pl.DataFrame]) -> pl.DataFrame:
        """Store the rows that `decode` makes of a request's body; `source` is their name in the accounts."""
        with self._gate.request(_client(request), receiver=source) as hold:
            loop = asyncio.get_running_loop()
            try:
                body = await body_of(request, hold, limits.PUSH_BODY_BYTES)
                frame = await loop.run_in_executor(self._decoders, decode, body)
            except (DataError, Refused) as error:
                why = str(error.status) if isinstance(error, Refused) else "malformed"
                self._services.accounts.count("tailrace_push_refused_total", "Push requests turned down.", why=why)
                raise
            del body
            hold.become(weight(frame))
            if frame.height:
                given = (self._services.sink, self._services.accounts, frame, source)
                future = await loop.run_in_executor(self._senders, submit, *given)
                await asyncio.wrap_future(future)
        return frame


def _client(request: Request) -> str:
    return client_of(request.client.host if request.client else "")


async def body_of(request: Request, hold: Hold, most_bytes: int) -> bytes:
    """Return the body; what came of it is held."""
    chunks: list[bytes] = []
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(BODY_WAIT_S) as waiting:
            async for chunk in request.stream():
                if hold.size + len(chunk) > most_bytes:
                    raise too_large(most_bytes)
                hold.grow(len(chunk))
                chunks.append(chunk)
                waiting.reschedule(loop.time() + BODY_WAIT_S)
    except TimeoutError:
        raise Refused(408, f"nothing of the body came for {BODY_WAIT_S:.0f} s") from None
    return b"".join(chunks)


# --- unpacking --------------------------------------------------------------------------------------


def unpacked(body: bytes, encoding: str) -> bytes:
    """Return a body without its content encoding: none, gzip, deflate or zstd."""
    match encoding:
        case "" | "identity":
            return body
        case "gzip" | "deflate":
            return _inflated(body, encoding)
        case "zstd":
            return _zstd(body)
    raise DataError(f"content encoding {encoding[:40]!r} is not known: send none, gzip, deflate or zstd")


def _inflated(body: bytes, encoding: str) -> bytes:
    pieces, size, rest = [], 0, body
    while True:  # a gzip file may be several, one behind the other
        inflate = zlib.decompressobj(_window_bits(rest, encoding))
        try:
            piece = inflate.decompress(rest, limits.PUSH_BODY_BYTES + 1 - size)
        except zlib.error as error:
            raise DataError(f"the body is no {encoding}: {error}") from None
        pieces.append(piece)
        size += len(piece)
        if size > limits.PUSH_BODY_BYTES:
            raise too_large()
        if not inflate.eof:
            raise DataError(f"the {encoding} body ends too early")
        rest = inflate.unused_data
        if encoding != "gzip" or not rest.strip(b"\0"):
            return b"".join(pieces)


def _window_bits(body: bytes, encoding: str) -> int:
    """Return what tells zlib the format. `deflate` is a zlib stream by the standard and a bare one by habit."""
    if encoding == "gzip":
        return zlib.MAX_WBITS | 16
    wrapped = body[:1] and body[0] & 0x0F == zlib.DEFLATED and int.from_bytes(body[:2], "big") % 31 == 0
    return zlib.MAX_WBITS if wrapped else -zlib.MAX_WBITS


def _zstd(body: bytes) -> bytes:
    inflate = zstandard.ZstdDecompressor(max_window_size=limits.PUSH_BODY_BYTES)
    pieces, size = [], 0
    try:
        with inflate.stream_reader(body, read_across_frames=True) as reader:
            while piece := reader.read(limits.MIB):
                pieces.append(piece)
                size += len(piece)
                if size > limits.PUSH_BODY_BYTES:
                    raise too_large()
    except zstandard.ZstdError as error:
        raise DataError(f"the body is no zstd: {error}") from None
    return b"".join(pieces)


def too_large(most_bytes: int = limits.PUSH_BODY_BYTES) -> Refused:
    """Return the refusal of a body that is too large, as sent or as unpacked."""
    return Refused(413, f"the body is larger than {most_bytes} bytes; send smaller batches")
