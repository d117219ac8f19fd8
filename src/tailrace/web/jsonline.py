"""`POST /ingest/jsonline`: lines of JSON, or a JSON array, become durable rows, and only then the answer.

`?format=` names the parser of the lines (default `json`), `raw=keep` keeps their exact text, `timezone` is that of
times without one; every other parameter is a label of all lines: `?format=file_integrity&host=db-3`. The body may be
packed by gzip, deflate or zstd.

204: all lines are stored and were read. 200: all lines are stored, and some did not fit their format: the answer lists
the first of them by number; they are kept as text and can be found by their `_error`. 400, 413, 503: nothing is stored.
"""

from __future__ import annotations

# ruff: noqa: TC001, TC002 -- FastAPI reads the annotations of endpoints at run time
import json
import re
from typing import Final, Literal

import polars as pl
from fastapi import APIRouter
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tailrace import limits, registry
from tailrace.contracts import Block, Origin, Reading
from tailrace.errors import DataError, did_you_mean
from tailrace.parse.chain import Chain
from tailrace.web.described import FAILURES
from tailrace.web.intake import Intake, unpacked
from tailrace.web.refusals import Refused
from tailrace.web.services import Services

SOURCE: Final = "jsonline"
"""The name of these lines in the accounts, and their label `source` unless they are given one."""

_TOLD: Final = 100  # lines that did not fit which the answer names
_SHOWN: Final = 80  # characters of each of them
_LABEL: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SPACE: Final = re.compile(r"[ \t\r\n]*")
_BREAKS: Final = str.maketrans("\r\n", "  ")
_WINDOW: Final = 4 * limits.LINE_BYTES
_DAY_NS: Final = 86_400_000_000_000


def routes(services: Services, intake: Intake) -> APIRouter:
    """Return the endpoint."""
    router = APIRouter()
    body = {kind: {"schema": {"type": "string"}} for kind in ("application/x-ndjson", "application/json")}
    described = {"requestBody": {"required": True, "content": body}}
    responses = FAILURES | {200: {"description": "all lines are stored; the answer names those that did not fit"}}

    @router.post("/ingest/jsonline", status_code=204, openapi_extra=described, responses=responses)
    async def push(request: Request) -> Response:
        """Store lines of JSON; the answer comes when they are durable."""
        origin = _origin(request.query_params)
        encoding = request.headers.get("content-encoding", "").strip().lower()
        now_ns = services.clock.now_ns()
        unfit: list[pl.DataFrame] = []

        def rows(body: bytes) -> pl.DataFrame:
            frame = _frame(unpacked(body, encoding), origin, now_ns)
            unfit.append(_unfit(frame))
            return frame.drop("_in_lines", "_in_bytes").filter(pl.col("_line").str.contains(r"\S"))

        frame = await intake.take(request, SOURCE, rows)
        return _answer(frame.height, unfit[0])

    return router


def _origin(given: QueryParams) -> Origin:
    """Return labels and reading of a request."""
    form, raw, timezone = given.get("format", "json"), given.get("raw", "auto"), given.get("timezone", "UTC")
    for name in registry.format_parts(form):
        if name.partition(":")[0] not in (*registry.names("parser"), "auto"):
            hint = did_you_mean(name, registry.names("parser")) or f"known: {', '.join(registry.names('parser'))}"
            raise DataError(f"format {name[:80]!r} is not known ({hint})")
    if raw not in {"auto", "keep"}:
        raise DataError(f"raw={raw[:40]!r}: it is auto or keep")
    labels = {name: value for name, value in given.items() if name not in {"format", "raw", "timezone"}}
    for name in labels:
        if _LABEL.fullmatch(name) is None:
            raise DataError(f"{name[:80]!r} is no label name ([a-zA-Z_][a-zA-Z0-9_]*)")
    kept: Literal["auto", "keep"] = "keep" if raw == "keep" else "auto"
    named = {"source": SOURCE, "service_name": labels.get("source", SOURCE), **labels}
    return Origin(SOURCE, named, Reading(form, kept, _zone(timezone)))


def _zone(name: str) -> str:
    if name not in {"local", "UTC"}:
        from zoneinfo import ZoneInfo

        try:
            ZoneInfo(name)
        except (ValueError, OSError, KeyError):
            raise DataError(
                f"timezone {name[:80]!r} is not known; give UTC, local or a name like Europe/Berlin"
            ) from None
    return name


def _frame(body: bytes, origin: Origin, now_ns: int) -> pl.DataFrame:
    """Return the records of a body, with `_in_lines` and `_in_bytes`."""
    array = body[:1] == b"[" or body[:256].lstrip()[:1] == b"["
    data = _elements(body) if array else body
    if not data.strip():
        raise DataError("the body holds no line")
    if data.count(b"\n") > limits.PUSH_LINES:
        raise _too_many()
    data = data if data.endswith(b"\n") else data + b"\n"
    chain = Chain()
    parsed = [chain.parse([Block(origin, 0, data, now_ns)]), chain.flush(now_ns, final=True)]
    frames = [one.frame for one in parsed if one.frame.height]
    frame = pl.concat(frames, how="diagonal_relaxed") if len(frames) > 1 else frames[0]
    if (frame["_time_ns"] // _DAY_NS).n_unique() > limits.PUSH_DAYS:
        raise DataError(f"the lines are of more than {limits.PUSH_DAYS} days; send fewer days at once")
    return frame


def _too_many() -> Refused:
    return Refused(413, f"the body has more than {limits.PUSH_LINES} lines; send fewer at once")


def _elements(body: bytes) -> bytes:
    """Return the elements of a JSON array as lines, each as it was written."""
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise DataError(f"the array is not UTF-8 at byte {error.start}") from None
    elements: list[str] = []
    window = _Window(text)
    at = _SPACE.match(text, text.index("[") + 1).end()  # type: ignore[union-attr]  # it fits anything
    if text[at : at + 1] == "]":
        return b""
    while True:
        try:
            end = window.end_of(at)
        except (ValueError, RecursionError) as error:
            raise DataError(f"element {len(elements) + 1} of the array is no JSON: {error}") from None
        if len(elements) == limits.PUSH_LINES:
            raise _too_many()
        elements.append(text[at:end].translate(_BREAKS))  # a line break is none inside of a JSON string
        at = _SPACE.match(text, end).end()  # type: ignore[union-attr]  # as above
        sign, at = text[at : at + 1], _SPACE.match(text, at + 1).end()  # type: ignore[union-attr]  # as above
        if sign == "]":
            break
        if sign != ",":
            raise DataError(f"behind element {len(elements)} of the array stands neither a comma nor its end")
    if text[at:].strip():
        raise DataError("something stands behind the array")
    return "\n".join(elements).encode() + b"\n"


class _Window:
    """Finds where a value ends, without looking at more than `_WINDOW` characters: a value may be 40 times its text."""

    def __init__(self, text: str) -> None:
        self._text, self._scan = text, json.JSONDecoder().raw_decode
        self._seen, self._start = text[:_WINDOW], 0

    def end_of(self, at: int) -> int:
        """Return where the value that begins at a place ends; `ValueError` if there is none."""
        try:
            end = self._scan(self._seen, at - self._start)[1]
            cut = end == len(self._seen) and self._start + end < len(self._text)  # a number may go on
        except ValueError:
            if self._start + len(self._seen) == len(self._text):
                raise
            cut = True
        if cut:
            self._seen, self._start = self._text[at : at + _WINDOW], at
            end = self._scan(self._seen)[1]
            if end == _WINDOW:
                raise ValueError(f"it is longer than {_WINDOW} characters")
        return self._start + end


def _unfit(frame: pl.DataFrame) -> pl.DataFrame:
    """Return number (from 1), error and text of the lines that did not fit."""
    if "_error" not in frame.columns:
        return pl.DataFrame()
    first = pl.col("_in_lines").cum_sum() - pl.col("_in_lines") + 1
    numbered = frame.select(line=first, error="_error", text=pl.col("_line").str.slice(0, _SHOWN))
    return numbered.filter(pl.col("error").is_not_null())


def _answer(stored: int, unfit: pl.DataFrame) -> Response:
    """Return 204, or which lines did not fit."""
    if not unfit.height:
        return Response(status_code=204)
    return JSONResponse({"stored": stored, "unfit": unfit.height, "errors": unfit.head(_TOLD).to_dicts()})
