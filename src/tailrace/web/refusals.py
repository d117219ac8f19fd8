"""How a failure is answered: which status, and one line of text (Loki's paths) or JSON (our own paths, Prometheus').

| failure | status |
|---|---|
| `QueryError`, `DataError` | 400 |
| `Refused` | its own |
| `Overloaded` | 429 with `Retry-After`, as the gate says |
| `TransientError`, `TableError` | 503 with `Retry-After`, so that senders keep what they have |
| a query out of time | 504 |
| anything else | 500: a bug; the server logs its traceback |
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Final

from starlette.responses import JSONResponse, PlainTextResponse, Response

from tailrace.errors import DataError, QueryError, QueryTimeoutError, TailraceError, TransientError
from tailrace.intake.gate import Overloaded
from tailrace.web.headers import HEADERS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

RETRY_AFTER_S: Final = 5
"""What a sender is told to wait while the store cannot take its lines."""


_PROMETHEUS: Final = re.compile(
    r"/prometheus/api/v1/.*|/api/v1/(?:query|query_range|labels|label/[^/]+/values|series|metadata|rules|alerts"
    r"|status/buildinfo)"
)
"""Paths whose clients read Prometheus' failures."""

_PROMETHEUS_STATUS: Final = {504: 503}
_PROMETHEUS_TYPES: Final = {400: "bad_data", 404: "not_found", 422: "execution", 499: "canceled", 504: "timeout"}


class Refused(TailraceError):  # noqa: N818  reads as what happens: `raise Refused(413, …)`
    """A request is turned down with a status of its own."""

    def __init__(self, status: int, text: str, headers: Mapping[str, str] | None = None) -> None:
        self.status = status
        self.headers = dict(headers or {})
        super().__init__(text)


def refuse(request: Request, error: Exception) -> Response:
    """Return the answer to a failed request; the shape follows the path."""
    status, headers = _status(error)
    text = _line(error)
    headers |= HEADERS  # also where the answer leaves outside of the middleware
    if _PROMETHEUS.fullmatch(request.url.path):
        return JSONResponse(_as_prometheus(status, text), _PROMETHEUS_STATUS.get(status, status), headers)
    if request.url.path.startswith("/api/v2/"):
        return JSONResponse(text, status, headers)  # as Alertmanager does
    if request.url.path.startswith("/api/"):
        return JSONResponse(as_json(error, text), status, headers)
    return PlainTextResponse(text, status, headers)


def status_and_line(error: Exception) -> tuple[int, str, dict[str, str]]:
    """Return the status of a failure, its one line, and its headers, where no request is answered in the plain way."""
    status, headers = _status(error)
    return status, _line(error), headers


def as_json(error: Exception, text: str = "") -> dict[str, object]:
    """Return a failure for programs: what, line, column, hint; places are null when the whole request is at fault."""
    what, hint, place = text or _line(error), "", None
    if isinstance(error, QueryError):
        what, hint, place = error.what, error.hint, error.line_column
    line, column = place or (None, None)
    return {"error": {"what": what, "line": line, "column": column, "hint": hint}}


def _as_prometheus(status: int, text: str) -> dict[str, object]:
    kind = _PROMETHEUS_TYPES.get(status) or ("internal" if status == 500 else "unavailable")  # noqa: PLR2004  a bug
    return {"status": "error", "data": None, "errorType": kind, "error": text}


def _status(error: Exception) -> tuple[int, dict[str, str]]:
    match error:
        case Refused():
            return error.status, dict(error.headers)
        case QueryTimeoutError() | TimeoutError():
            return 504, {}
        case QueryError() | DataError():
            return 400, {}
        case Overloaded():
            return 429, {"Retry-After": str(math.ceil(error.retry_after_s))}
        case TransientError() | TailraceError():
            return 503, {"Retry-After": str(RETRY_AFTER_S)}
        case _:
            return 500, {}


def _line(error: Exception) -> str:
    if isinstance(error, QueryError):
        text = error.one_line()
    elif isinstance(error, TimeoutError):
        text = str(error) or "the query took too long and was given up; ask for a shorter range or a narrower selector"
    elif isinstance(error, TailraceError):
        text = str(error)
    else:
        text = "internal error: the log of the process says more"
    return " ".join(text.split())
