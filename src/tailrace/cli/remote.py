"""Ask a running Tailrace over HTTP; what it answers is passed on as it comes."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx

from tailrace.cli.credentials import WHERE, authorization
from tailrace.errors import ConfigError, QueryError, TransientError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

QUERY = "/api/v1/logs/query"
TAIL = "/api/v1/logs/tail"
EXPLAIN = "/api/v1/explain"
_CONNECT_S = 10.0
_CALL_S = 60.0
_NO_ADDRESS = ("{'detail': 'Not Found'}", "Not Found")  # what the framework says of an address that it does not know
_NO_TAILRACE = "write only http://HOST:PORT after --url; or does an older Tailrace run there?"


class TakenError(QueryError):
    """There is one of that name already."""


def events(lines: Iterator[str]) -> Iterator[tuple[str, str]]:
    r"""Yield the name and the data of each server-sent event.

    >>> list(events(iter(["event: dropped", "data: 3", "", ": comment", "data: a", "data: b", ""])))
    [('dropped', '3'), ('message', 'a\nb')]
    """
    name, data = "message", list[str]()
    for line in lines:
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not line:
            if data:
                yield name, "\n".join(data)
            name, data = "message", []
        elif field == "event":
            name = value
        elif field == "data":
            data.append(value)


@contextmanager
def _reached(url: str) -> Iterator[None]:
    try:
        yield
    except (httpx.InvalidURL, httpx.UnsupportedProtocol):
        raise ConfigError(f"--url: {url!r} is no address (write for example http://127.0.0.1:9080)") from None
    except httpx.HTTPError as error:
        raise TransientError(f"{url}: {error or type(error).__name__} (is Tailrace running there?)") from None


@contextmanager
def answer(
    url: str, path: str, parameters: Mapping[str, str | list[str]], *, method: str = "GET"
) -> Iterator[httpx.Response]:
    """Open an answer, to be read as it comes; what the server refuses is raised as the family it belongs to."""
    timeout = httpx.Timeout(_CONNECT_S, read=None)
    whole = url.rstrip("/") + path
    asked: Any = {"params": dict(parameters), "headers": authorization()}  # keywords
    with _reached(url), httpx.stream(method, whole, timeout=timeout, **asked) as response:
        if response.status_code == httpx.codes.UNAUTHORIZED:
            raise QueryError(f"{url} asks for a token that is valid", hint=WHERE)
        if response.status_code != httpx.codes.OK:
            raise _refusal(response, str(parameters.get("query", "")))
        yield response


def call(
    url: str,
    path: str,
    *,
    method: str = "GET",
    parameters: Mapping[str, str | int] | None = None,
    body: object = None,
) -> Any:  # JSON of several kinds
    """Return what an answer says in JSON or YAML, None if it says nothing; `body` is sent as JSON.

    What the server does not take as it was asked is a `QueryError`, every other failure a `TransientError`.
    """
    with _reached(url):
        asked: Any = {"params": dict(parameters or {}), "json": body, "headers": authorization()}  # keywords
        answered = httpx.request(method, url.rstrip("/") + path, timeout=httpx.Timeout(_CALL_S), **asked)
    if answered.is_success:
        return _value(answered)
    if answered.status_code == httpx.codes.UNAUTHORIZED:
        raise QueryError(f"{url} asks for a token that is valid", hint=WHERE)
    refusal = _told(answered, str(body.get("expr", "")) if isinstance(body, dict) else "")
    if refusal.what in _NO_ADDRESS:
        raise QueryError(f"there is no {path} at {url}", hint=_NO_TAILRACE)
    if answered.is_client_error:
        raise refusal
    raise TransientError(f"{answered.url.copy_with(query=None)}: HTTP {answered.status_code} {refusal.what}".rstrip())


def _value(response: httpx.Response) -> Any:  # of several kinds
    if "yaml" in response.headers.get("Content-Type", ""):
        import yaml

        return yaml.safe_load(response.content)
    return response.json() if response.content else None


def _told(response: httpx.Response, query: str) -> QueryError:
    """Return what a refusal says, in whichever shape it comes; a place in it is one of `query`."""
    kind = TakenError if response.status_code == httpx.codes.CONFLICT else QueryError
    try:
        said = response.json()
    except ValueError:
        return kind(response.text.strip()[:500])
    said = said.get("error", said) if isinstance(said, dict) else said
    if not isinstance(said, dict) or "what" not in said:
        return kind(str(said)[:500])
    position = _position(query, said["line"], said["column"]) if query and said.get("line") else None
    return kind(str(said["what"]), query=query, position=position, hint=str(said.get("hint") or ""))


def _refusal(response: httpx.Response, query: str) -> QueryError | TransientError:
    """Return what the server said: a mistake in the question, or a failure over there."""
    text = response.read().decode(errors="replace").strip()
    try:
        said = json.loads(text)["error"]
        what, line, column, hint = (said[key] for key in ("what", "line", "column", "hint"))
    except (ValueError, KeyError, TypeError):
        return TransientError(
            f"{response.url.copy_with(query=None)}: HTTP {response.status_code} {text[:500]}".rstrip()
        )
    if response.status_code != httpx.codes.BAD_REQUEST:
        return TransientError(f"{response.url.host}: {what}")
    position = None if line is None else _position(query, line, column)
    return QueryError(what, query=query, position=position, hint=hint or "")


def _position(query: str, line: int, column: int) -> int:
    before = query.split("\n")[: line - 1]
    return sum(len(each) + 1 for each in before) + column - 1
