"""`POST|PUT /elasticsearch/_bulk` and `/elasticsearch/INDEX/_bulk`: documents become rows, and then they are answered.

Actions `create` and `index` are stored. `update` and `delete` get 400, as items of their own: logs are not changed. A
document that is known by its index and `_id` gets 409, which clients take for done; of `index`, which may also replace
a document by another, only one of the same line and time. So who sets `_id` has each document once, also when the
request is sent again, within the window of `intake.seen`. Without `_id` a document that comes twice is stored twice.

All other refusals are of the whole request, before anything of it is stored: 400 for what can never be taken, 413, and
429 or 503 with `Retry-After`, which every client sends again.
"""

from __future__ import annotations

import logging
import time
from functools import partial
from itertools import product
from typing import TYPE_CHECKING, Final

import polars as pl
from fastapi import APIRouter
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from tailrace.batch import stream_labels
from tailrace.intake.recall import recent
from tailrace.intake.seen import Seen, keys_of
from tailrace.web import elastic_answers as answers
from tailrace.web.elastic_pairs import actions
from tailrace.web.elastic_rows import ID, SOURCE, Documents
from tailrace.web.intake import Intake, unpacked
from tailrace.web.refusals import RETRY_AFTER_S, status_and_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tailrace.intake.seen import Taking
    from tailrace.web.services import Services

PREFIX: Final = "/elasticsearch"
HEADERS: Final = {"X-Elastic-Product": "Elasticsearch"}
"""Clients look for it in every answer, and refuse a server without."""

_REPEATED: Final = "Records with a key that were stored before, and left out."
_LOGGER: Final = logging.getLogger(__name__)


def routes(services: Services, intake: Intake) -> APIRouter:
    """Return the endpoints."""
    router, documents, seen = APIRouter(prefix=PREFIX), Documents(), Seen(partial(_recalled, services))
    body = {kind: {"schema": {"type": "string"}} for kind in ("application/x-ndjson", "application/json")}
    described = {"requestBody": {"required": True, "content": body}}

    async def bulk(request: Request, index: str = "") -> Response:
        """Store documents; the answer comes when they are durable, with one item for each."""
        began_s = time.perf_counter()
        try:
            asked, statuses = await _take(services, intake, documents, seen, request, index)
        except ClientDisconnect:
            raise
        except Exception as error:  # noqa: BLE001  whatever it is, the client learns that it may come again
            return failed(error)
        took_ms = int((time.perf_counter() - began_s) * 1000)
        return Response(answers.bulk(asked, statuses, took_ms), 200, HEADERS, media_type="application/json")

    for path, method in product(("/_bulk", "/{index}/_bulk"), ("POST", "PUT")):
        router.add_api_route(path, bulk, methods=[method], openapi_extra=described, response_class=Response)
    return router


def failed(error: Exception) -> Response:
    """Return the answer to a request that failed as a whole."""
    status, text, headers = status_and_line(error)
    if status == 500:  # noqa: PLR2004  a bug; it may be gone after a restart, and nothing is lost until then
        _LOGGER.error("a request of an Elasticsearch client failed", exc_info=error)
        status, headers = 503, {"Retry-After": str(RETRY_AFTER_S)}
    return Response(answers.failure(status, text), status, {**headers, **HEADERS}, media_type="application/json")


async def _take(
    services: Services, intake: Intake, documents: Documents, seen: Seen, request: Request, index: str
) -> tuple[pl.DataFrame, pl.Series]:
    """Return the actions of a request, and the status of each, when they are durable."""
    encoding = request.headers.get("content-encoding", "").strip().lower()
    now_ns = services.clock.now_ns()
    found: list[tuple[pl.DataFrame, pl.Series]] = []
    with seen.taking() as taking:

        def decode(body: bytes) -> pl.DataFrame:
            asked = actions(unpacked(body, encoding), index)
            statuses, frame = _rows(asked, documents, now_ns, taking)
            found.append((asked.select("kind", "index", "id"), statuses))
            if repeated := int((statuses == answers.REPEATED).sum()):
                services.accounts.count("tailrace_intake_repeated_total", _REPEATED, repeated, receiver=SOURCE)
            return frame

        await intake.take(request, SOURCE, decode)
    return found[0]


def _rows(asked: pl.DataFrame, documents: Documents, now_ns: int, taking: Taking) -> tuple[pl.Series, pl.DataFrame]:
    """Return the status of each action, and the rows that are to be stored."""
    statuses = pl.Series([answers.CREATED], dtype=pl.Int64).new_from_index(0, asked.height)
    stored = asked.select(pl.col("kind").is_in(["create", "index"]) & pl.col("line").str.contains(r"\S")).to_series()
    if not stored.all():
        statuses = statuses.set(~stored, answers.NOT_TAKEN)
        asked = asked.filter(stored)
        if asked.is_empty():
            return statuses, asked
    frame = documents.rows(asked, now_ns)
    if asked["id"].null_count() == asked.height:
        return statuses, frame
    keys, prints = _keys(asked["index"], asked["id"], frame)
    create = asked["kind"] == "create"
    new = pl.Series(taking.new([key if alone else both for key, both, alone in zip(keys, prints, create, strict=True)]))
    known = zip(keys, new, create, strict=True)
    taking.know(key for key, kept, alone in known if kept and not alone and key is not None)
    where = stored.arg_true().filter(~new)
    return statuses.scatter(where, answers.REPEATED) if len(where) else statuses, frame.filter(new)


def _keys(index: pl.Series, ids: pl.Series, frame: pl.DataFrame) -> tuple[list[int | None], list[int | None]]:
    """Return for each row the key of its document, and that of the document with this line and time.

    A time that is only that of its arrival says nothing.
    """
    time_ns = pl.when(pl.col("_time_ns") != pl.col("_observed_ns")).then("_time_ns")
    document = frame.select("_line", time_ns)
    named = pl.DataFrame({"index": index, "id": ids})
    return keys_of(named), keys_of(document.hstack(named))


def _recalled(services: Services) -> Iterator[int]:
    """Yield the keys of documents that were stored shortly before the start."""
    found = recent(services.table, services.engine, [ID], services.started_ns)
    found = found.filter(pl.col("_stream").str.contains(f'source="{SOURCE}"', literal=True))
    if found.is_empty():
        return iter(())
    streams = found["_stream"].unique().to_list()
    names = [stream_labels(text).get("index", "") for text in streams]
    index = found["_stream"].replace_strict(streams, names, return_dtype=pl.String)
    keys, prints = _keys(index, found[ID], found)
    return (key for key in (*keys, *prints) if key is not None)
