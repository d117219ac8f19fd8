"""Parameters of a request: those of the address and of a form body, merged; unknown ones are left alone."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, Literal, TypeVar
from urllib.parse import parse_qsl

from starlette.datastructures import QueryParams
from starlette.responses import Response

from tailrace import limits
from tailrace.errors import DataError, QueryError
from tailrace.web.described import address, answers, form
from tailrace.web.refusals import Refused

if TYPE_CHECKING:
    from fastapi import APIRouter
    from starlette.requests import Request

Handler = TypeVar("Handler", bound=Callable[..., object])

_DIGITS: Final = 18  # that 64 bits hold for sure


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


def read_json(body: bytes) -> object:
    r"""Return what JSON says; a `DataError` where it is none, or has what no database and no answer can hold.

    That is halves of a character (`"\ud800"`), numbers that are not finite, and whole ones of more than 64 bits.
    """
    try:
        found: object = json.loads(body, parse_int=_whole, parse_float=_finite, parse_constant=_finite)
        json.dumps(found, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        said = f"the body is no Unicode: half of a character, {error.object[error.start]!a}"
        raise DataError(said) from None
    except (ValueError, RecursionError) as error:
        raise DataError(f"the body is no JSON: {error}") from None
    return found


def _whole(text: str) -> int:
    if len(text) > _DIGITS:
        raise ValueError(f"the number {text[:_DIGITS]}… is too long")
    return int(text)


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:40]} is no finite number")
    return value


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
