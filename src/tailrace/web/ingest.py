"""`POST /loki/api/v1/push`: what agents of the Loki family send becomes durable rows, and only then 204.

A request is all or nothing. 400 means that its bytes can never be stored (the sender drops them), 413 that
it is too large, 422 that it holds no stream at all, 503 with `Retry-After` that the store is in trouble and
nothing was kept. Limits hold for the body as sent and as expanded. What was pushed before is not stored again, see
`push_repeats`.
"""

from __future__ import annotations

# ruff: noqa: TC001, TC002 -- FastAPI reads the annotations of endpoints at run time
from functools import partial

import cramjam
import polars as pl
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from tailrace import limits
from tailrace.errors import DataError
from tailrace.web.described import FAILURES, PUSH_SCHEMA
from tailrace.web.intake import Intake, too_large, unpacked
from tailrace.web.push_entries import from_json
from tailrace.web.push_protobuf import from_protobuf
from tailrace.web.push_recall import recalled
from tailrace.web.push_repeats import HEADER, Repeats
from tailrace.web.push_rows import rows
from tailrace.web.refusals import Refused
from tailrace.web.services import Services

SOURCE = "loki_push"
"""The name of pushed lines in the accounts."""


def routes(services: Services, intake: Intake) -> APIRouter:
    """Return the push endpoint."""
    router, repeats = APIRouter(), Repeats(partial(recalled, services))
    body = {"application/json": {"schema": PUSH_SCHEMA}, "application/x-protobuf": {"schema": {"type": "string"}}}
    described = {"requestBody": {"required": True, "content": body}}

    @router.post("/loki/api/v1/push", status_code=204, openapi_extra=described, responses=FAILURES)
    async def push(request: Request) -> Response:
        """Store lines; 204 only when they are durable."""
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        encoding = request.headers.get("content-encoding", "").strip().lower()
        now_ns = services.clock.now_ns()

        with repeats.once(request.headers.get(HEADER)) as wanted, repeats.taking() as fresh:

            def decode(body: bytes) -> pl.DataFrame:
                frame = _frame(body, kind, encoding, now_ns)
                rows = fresh(frame)
                if rows.height < frame.height:
                    text = "Pushed entries that were stored before, and left out."
                    services.accounts.count("tailrace_push_repeated_total", text, frame.height - rows.height)
                return rows

            if wanted:
                await intake.take(request, SOURCE, decode)
        return Response(status_code=204)

    return router


def _frame(body: bytes, kind: str, encoding: str, now_ns: int) -> pl.DataFrame:
    if not kind:
        raise DataError("the content type is missing: send application/json or application/x-protobuf")
    entries = (
        from_json(unpacked(body, encoding)) if kind == "application/json" else from_protobuf(_block(body, encoding))
    )
    if not entries.streams:
        raise Refused(422, "the request holds no stream")
    return rows(entries, now_ns)


def _block(body: bytes, encoding: str) -> bytes:
    if encoding not in {"", "snappy", "identity"}:
        raise DataError(f"content encoding {encoding[:40]!r} is not known for protobuf: send snappy")
    try:
        if cramjam.snappy.decompress_raw_len(body) > limits.PUSH_BODY_BYTES:
            raise too_large()
        return bytes(cramjam.snappy.decompress_raw(body))
    except cramjam.DecompressionError as error:
        raise DataError(f"the body is no snappy block: {error}") from None
