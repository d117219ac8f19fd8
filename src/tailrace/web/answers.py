"""Shapes of answers on Loki's paths: JSON with its content type, its envelope, and a header that says if it is whole.

What is not whole has `warnings` beside its data, and `X-Tailrace-Complete: false`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from starlette.responses import Response

from tailrace.query.render import loki_response

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from starlette.datastructures import Headers

    from tailrace.query.result import Lines, Series

COMPLETE: Final = "X-Tailrace-Complete"
_FLAGS: Final = "x-loki-response-encoding-flags"
_TAGS: Final = "x-query-tags"
_DRILLDOWN: Final = "source=grafana-lokiexplore-app"


def categorized(headers: Headers) -> bool:
    """Tell whether the client wants entries of three parts."""
    return "categorize-labels" in {flag.strip() for flag in headers.get(_FLAGS, "").split(",")}


def from_drilldown(headers: Headers) -> bool:
    """Tell whether Logs Drilldown asks, which shows a part of too many series; others take it for the whole."""
    return _DRILLDOWN in {tag.strip().lower() for tag in headers.get(_TAGS, "").split(",")}


def answer(result: Lines | Series, headers: Headers | None = None, *, stats: bool = True) -> Response:
    """Return a result in Loki's shape; the entries have the form that the request's headers ask for.

    Costs its size: call it in the thread that made the result.
    """
    body = loki_response(result, categorize=headers is not None and categorized(headers), stats=stats)
    return written(body, complete=result.complete)


def success(data: Any, warnings: Sequence[str] = ()) -> Response:  # JSON of several shapes
    """Return data in Loki's envelope; with warnings it is not complete."""
    body = {"status": "success", "data": data} | ({"warnings": list(warnings)} if warnings else {})
    return loki_json(body, complete=not warnings)


def loki_json(  # Any: JSON of several shapes
    body: Any, headers: Mapping[str, str] | None = None, status: int = 200, *, complete: bool = True
) -> Response:
    """Return a JSON answer with the content type that Loki sends."""
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return written(text, headers, status, complete=complete)


def written(
    text: str, headers: Mapping[str, str] | None = None, status: int = 200, *, complete: bool = True
) -> Response:
    """Return JSON that is text already."""
    kept = {COMPLETE: str(complete).lower(), **(headers or {}), "Content-Type": "application/json; charset=UTF-8"}
    return Response(text, status, kept)
