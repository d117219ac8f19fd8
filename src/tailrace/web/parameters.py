"""Parameters of a request: those of the address and of a form body, merged; unknown ones are left alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal, TypeVar
from urllib.parse import parse_qsl

from starlette.datastructures import QueryParams
from starlette.responses import Response

from tailrace import limits
from tailrace.errors import QueryError
from tailrace.web.described import address, answers, form
from tailrace.web.refusals import Refused

if TYPE_CHECKING:
    from fastapi import APIRouter
    from starlette.requests import Request

Handler = TypeVar("Handler", bound=Callable[..., object])


def get_or_post(
    router: APIRouter, path: str, *names: str, required: Sequence[str] = (), kinds: Sequence[str] = ()
) -> Callable[[Handler], Handler]:
    """Register an endpoint under both methods, each with an entry of its own in the interface's description.

    `names` are the parameters that it reads, those `required` among them; `kinds` the content types of its answers, if
    they are not JSON.
    """
    said = answers(*kinds)

    def register(handler: Handler) -> Handler:
        router.get(path, openapi_extra=address(names, required), responses=said, response_class=Response)(handler)
        router.post(path, openapi_extra=form(names, required), responses=said, response_class=Response)(handler)
        return handler

    return register


async def parameters(request: Request) -> QueryParams:
    """Return the parameters of the address, then those of a form body; a name may occur often."""
    pairs = list(request.query_params.multi_items())
    if request.method not in {"POST", "PUT"}:
        return QueryParams(pairs)
    body = await whole_body(request)
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() == "application/x-www-form-urlencoded":
        try:
            pairs += parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=1_000)
        except ValueError as error:
            raise QueryError(f"the form cannot be read: {error}") from None
    return QueryParams(pairs)


async def whole_body(request: Request) -> bytes:
    """Return the body of a request, which may be no longer than `limits.FORM_BYTES`."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limits.FORM_BYTES:
            raise Refused(413, f"the body is larger than {limits.FORM_BYTES} bytes")
    return bytes(body)


def integer(given: QueryParams, name: str, default: int) -> int:
    """Return a whole number, or the default when it is missing or empty."""
    text = given.get(name) or str(default)
    try:
        return int(text) if len(text) < 20 else int("")  # noqa: PLR2004  digits of 64 bits
    except ValueError:
        raise QueryError(f"{name}={text[:40]!r} is no whole number") from None


def query_text(given: QueryParams) -> str:
    """Return the query, which must be there and not be longer than `limits.QUERY_BYTES`."""
    text = given.get("query", "")
    if not text.strip():
        raise QueryError("query is missing", hint='send query={service_name=~".+"}, for one')
    if len(text.encode(errors="replace")) > limits.QUERY_BYTES:
        raise QueryError(f"the query is longer than {limits.QUERY_BYTES} bytes")
    return text


def direction(given: QueryParams) -> Literal["backward", "forward"]:
    """Return `backward` or `forward`."""
    match (given.get("direction") or "backward").lower():
        case "backward":
            return "backward"
        case "forward":
            return "forward"
        case other:
            raise QueryError(f"direction={other[:40]!r} is not known", hint="backward or forward")
