"""`POST /v1/logs` and `/otlp/v1/logs`: what OpenTelemetry's exporters and collectors send, answered when it is durable.

Protobuf or JSON, plain or packed by gzip, deflate or zstd. 200 with an empty message: all of it is durable. 400, 413,
415: it can never be taken. 429, 503 with `Retry-After`: nothing of it was kept, send it again; every fault of ours is
a 503, since senders never repeat what met a 500. Failures have a `google.rpc.Status` as body, in the encoding of the
request.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from fastapi import APIRouter
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from tailrace import limits
from tailrace.intake.otlp import answers
from tailrace.intake.otlp.take import decoder, recalled, without_repeats
from tailrace.intake.seen import Seen
from tailrace.web.intake import Intake, too_large, unpacked
from tailrace.web.refusals import RETRY_AFTER_S, Refused, status_and_line

if TYPE_CHECKING:
    import polars as pl

    from tailrace.web.services import Services

SOURCE: Final = "otlp"
"""The name of these lines in the accounts."""

PROTOBUF: Final = "application/x-protobuf"
JSON: Final = "application/json"
_EMPTY: Final = {PROTOBUF: b"", JSON: b"{}"}
_LOGGER: Final = logging.getLogger(__name__)


def routes(services: Services, intake: Intake) -> APIRouter:
    """Return the endpoint, under both of its paths."""
    router = APIRouter()
    seen = Seen(partial(recalled, services.table, services.engine, services.started_ns))
    body = {JSON: {"schema": {"type": "object"}}, PROTOBUF: {"schema": {"type": "string", "format": "binary"}}}
    described = {"requestBody": {"required": True, "content": body}}
    failures: dict[int | str, dict[str, Any]] = {
        status: {"description": "a google.rpc.Status"} for status in (400, 413, 415, 429, 503)
    }

    @router.post("/v1/logs", openapi_extra=described, responses=failures, response_class=Response)
    @router.post("/otlp/v1/logs", openapi_extra=described, responses=failures, response_class=Response)
    async def export(request: Request) -> Response:
        """Store log records; 200 only when they are durable."""
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        try:
            await _take(services, intake, seen, request, kind)
        except ClientDisconnect:
            raise
        except Exception as error:  # noqa: BLE001  whatever it is, its sender learns that it may come again
            return _failed(error, kind)
        return Response(_EMPTY[kind], media_type=kind)

    return router


async def _take(services: Services, intake: Intake, seen: Seen, request: Request, kind: str) -> None:
    if kind not in _EMPTY:
        raise Refused(415, f"the content type is {kind[:80]!r}: send {PROTOBUF} or {JSON}")
    encoding = request.headers.get("content-encoding", "").strip().lower()
    now_ns = services.clock.now_ns()
    rows = decoder("json" if kind == JSON else "protobuf")
    with seen.taking() as taking:

        def decode(body: bytes) -> pl.DataFrame:
            data = unpacked(body, encoding)
            if len(data) > limits.OTLP_BODY_BYTES:
                raise too_large(limits.OTLP_BODY_BYTES)
            frame = rows(data, now_ns)
            return without_repeats(frame, taking, services.accounts)

        await intake.take(request, SOURCE, decode)


def _failed(error: Exception, kind: str) -> Response:
    status, text, headers = status_and_line(error)
    if status == 500:  # noqa: PLR2004  a bug; a sender would drop what met it
        _LOGGER.error("OTLP request failed", exc_info=error)
        status, headers = 503, {"Retry-After": str(RETRY_AFTER_S)}
    write = answers.as_json if kind == JSON else answers.as_protobuf
    content = write(answers.code(status), text, int(headers.get("Retry-After", 0)))
    return Response(content, status, headers, media_type=JSON if kind == JSON else PROTOBUF)
