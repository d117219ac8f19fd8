"""`POST /loki/api/v1/push`: what agents of the Loki family send becomes durable rows, and only then 204.

A request is all or nothing. 400 means that its bytes can never be stored (the sender drops them), 413 that
it is too large, 422 that it holds no stream at all, 503 with `Retry-After` that the store is in trouble and
nothing was kept. Limits hold for the body as sent and as expanded.
"""

from __future__ import annotations

# ruff: noqa: TC001, TC002 -- FastAPI reads the annotations of endpoints at run time
import asyncio
import zlib
from concurrent.futures import Future, ThreadPoolExecutor

import cramjam
import polars as pl
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from tailrace import limits
from tailrace.batch import Batch
from tailrace.errors import DataError
from tailrace.telemetry import Outcome
from tailrace.web.push_entries import from_json, from_protobuf
from tailrace.web.push_rows import rows
from tailrace.web.refusals import RETRY_AFTER_S, Refused
from tailrace.web.services import Services

SOURCE = "loki_push"
"""The name of pushed lines in the accounts."""


def routes(services: Services) -> APIRouter:
    """Return the push endpoint."""
    router = APIRouter()
    decoders = ThreadPoolExecutor(limits.PUSHES_AT_ONCE, thread_name_prefix="push")
    senders = ThreadPoolExecutor(limits.PUSHES_WAITING, thread_name_prefix="submit")  # they sleep in `submit`
    room = asyncio.Semaphore(limits.PUSHES_WAITING)

    @router.post("/loki/api/v1/push", status_code=204)
    async def push(request: Request) -> Response:
        """Store lines; 204 only when they are durable."""
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        encoding = request.headers.get("content-encoding", "").strip().lower()
        if room.locked():
            raise Refused(503, "too many pushes are waiting for the store", {"Retry-After": str(RETRY_AFTER_S)})
        async with room:
            body = await _body(request)
            loop = asyncio.get_running_loop()
            try:
                frame = await loop.run_in_executor(decoders, _frame, body, kind, encoding, services.clock.now_ns())
            except (DataError, Refused) as error:
                why = str(error.status) if isinstance(error, Refused) else "malformed"
                services.accounts.count("tailrace_push_refused_total", "Push requests turned down.", why=why)
                raise
            if frame.height:
                future = await loop.run_in_executor(senders, _submit, services, frame)
                await asyncio.wrap_future(future)
        return Response(status_code=204)

    return router


async def _body(request: Request) -> bytes:
    chunks, size = [], 0
    async for chunk in request.stream():
        chunks.append(chunk)
        size += len(chunk)
        if size > limits.PUSH_BODY_BYTES:
            raise _too_large()
    return b"".join(chunks)


def _frame(body: bytes, kind: str, encoding: str, now_ns: int) -> pl.DataFrame:
    if not kind:
        raise DataError("the content type is missing: send application/json or application/x-protobuf")
    entries = (
        from_json(_inflated(body, encoding)) if kind == "application/json" else from_protobuf(_block(body, encoding))
    )
    if not entries.streams:
        raise Refused(422, "the request holds no stream")
    return rows(entries, now_ns)


def _inflated(body: bytes, encoding: str) -> bytes:
    if encoding in {"", "identity"}:
        return body
    if encoding not in {"gzip", "deflate"}:
        raise DataError(f"content encoding {encoding[:40]!r} is not known for JSON: send none, gzip or deflate")
    inflate = zlib.decompressobj(_window_bits(body, encoding))
    try:
        text = inflate.decompress(body, limits.PUSH_BODY_BYTES + 1)
    except zlib.error as error:
        raise DataError(f"the body is no {encoding}: {error}") from None
    if len(text) > limits.PUSH_BODY_BYTES:
        raise _too_large()
    if not inflate.eof:
        raise DataError(f"the {encoding} body ends too early")
    return text


def _window_bits(body: bytes, encoding: str) -> int:
    """Return what tells zlib the format. `deflate` is a zlib stream by the standard and a bare one by habit."""
    if encoding == "gzip":
        return zlib.MAX_WBITS | 16
    wrapped = body[:1] and body[0] & 0x0F == zlib.DEFLATED and int.from_bytes(body[:2], "big") % 31 == 0
    return zlib.MAX_WBITS if wrapped else -zlib.MAX_WBITS


def _block(body: bytes, encoding: str) -> bytes:
    if encoding not in {"", "snappy", "identity"}:
        raise DataError(f"content encoding {encoding[:40]!r} is not known for protobuf: send snappy")
    try:
        if cramjam.snappy.decompress_raw_len(body) > limits.PUSH_BODY_BYTES:
            raise _too_large()
        return bytes(cramjam.snappy.decompress_raw(body))
    except cramjam.DecompressionError as error:
        raise DataError(f"the body is no snappy block: {error}") from None


def _submit(services: Services, frame: pl.DataFrame) -> Future[None]:
    """Hand the rows to the sink and settle their account when it is done with them; blocks while its queue is full."""
    accounts = services.accounts
    size = int(frame["_line"].str.len_bytes().sum())
    accounts.read(SOURCE, frame.height, size)

    def settle(done: Future[None]) -> None:
        outcome: Outcome = "rejected" if done.cancelled() or done.exception() else "stored"
        accounts.settle(SOURCE, outcome, frame.height, size)

    try:
        future = services.sink.submit(Batch(frame, SOURCE, frame.height, size))
    except BaseException:
        accounts.settle(SOURCE, "rejected", frame.height, size)
        raise
    future.add_done_callback(settle)
    return future


def _too_large() -> Refused:
    return Refused(413, f"the body is larger than {limits.PUSH_BODY_BYTES} bytes; send smaller batches")
