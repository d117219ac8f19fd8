"""The way of every request that brings lines: read within a limit, unpacked, decoded, durable, answered.

Comes in: a request, and what makes a frame of its body. Goes out: the frame, when its rows are durable. Refuses: 400
for what can never be stored (the sender drops it), 413 for what is too large as sent or as unpacked, 503 with
`Retry-After` while the store is in trouble and nothing was kept.

One `Intake` serves all kinds of pushes, so their memory has one bound.
"""

from __future__ import annotations

import asyncio
import zlib
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

import zstandard

from tailrace import limits
from tailrace.batch import Batch
from tailrace.errors import DataError
from tailrace.web.refusals import RETRY_AFTER_S, Refused

if TYPE_CHECKING:
    from collections.abc import Callable

    import polars as pl
    from starlette.requests import Request

    from tailrace.telemetry import Outcome
    from tailrace.web.services import Services


class Intake:
    """Takes pushes in; bounded in requests at once and in bytes of each."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._decoders = ThreadPoolExecutor(limits.PUSHES_AT_ONCE, thread_name_prefix="push")
        self._senders = ThreadPoolExecutor(limits.PUSHES_WAITING, thread_name_prefix="submit")  # they sleep in `submit`
        self._room = asyncio.Semaphore(limits.PUSHES_WAITING)

    async def take(self, request: Request, source: str, decode: Callable[[bytes], pl.DataFrame]) -> pl.DataFrame:
        """Store the rows that `decode` makes of a request's body; `source` is their name in the accounts."""
        if self._room.locked():
            raise Refused(503, "too many pushes are waiting for the store", {"Retry-After": str(RETRY_AFTER_S)})
        async with self._room:
            loop = asyncio.get_running_loop()
            try:
                body = await _body(request)
                frame = await loop.run_in_executor(self._decoders, decode, body)
            except (DataError, Refused) as error:
                why = str(error.status) if isinstance(error, Refused) else "malformed"
                self._services.accounts.count("tailrace_push_refused_total", "Push requests turned down.", why=why)
                raise
            if frame.height:
                future = await loop.run_in_executor(self._senders, _submit, self._services, frame, source)
                await asyncio.wrap_future(future)
        return frame


async def _body(request: Request) -> bytes:
    chunks, size = [], 0
    async for chunk in request.stream():
        chunks.append(chunk)
        size += len(chunk)
        if size > limits.PUSH_BODY_BYTES:
            raise too_large()
    return b"".join(chunks)


def _submit(services: Services, frame: pl.DataFrame, source: str) -> Future[None]:
    """Hand the rows to the sink and settle their account when it is done with them; blocks while its queue is full."""
    accounts = services.accounts
    size = int(frame["_line"].str.len_bytes().sum())
    accounts.read(source, frame.height, size)

    def settle(done: Future[None]) -> None:
        outcome: Outcome = "rejected" if done.cancelled() or done.exception() else "stored"
        accounts.settle(source, outcome, frame.height, size)

    try:
        future = services.sink.submit(Batch(frame, source, frame.height, size))
    except BaseException:
        accounts.settle(source, "rejected", frame.height, size)
        raise
    future.add_done_callback(settle)
    return future


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


def too_large() -> Refused:
    """Return the refusal of a body that is too large, as sent or as unpacked."""
    return Refused(413, f"the body is larger than {limits.PUSH_BODY_BYTES} bytes; send smaller batches")
