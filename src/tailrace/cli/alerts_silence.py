"""`tailrace alerts silence`: tell nobody of some alerts for a time."""

import getpass
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from tailrace.cli import options, output
from tailrace.cli.files_answers import Form
from tailrace.errors import DataError, QueryError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tailrace.alerts.notify.matchers import Matcher

    Json = Mapping[str, Any]  # a silence as Alertmanager's API writes it

_SILENCES: Final = "/api/v2/silences"
_SILENCE: Final = "/api/v2/silence/"


def alerts_silence(
    which: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="ALERT|MATCHER…",
            help="Name of an alert, or tests of labels as severity=page, host=~web.*; all must hold. (default: list)",
            show_default=False,
        ),
    ] = None,
    lasting: Annotated[str, typer.Option("--for", metavar="2h", help="How long.")] = "2h",
    comment: Annotated[str, typer.Option("--comment", metavar="TEXT", help="Why.")] = "",
    by: Annotated[str | None, typer.Option("--by", metavar="NAME", help="Who. (default: you)")] = None,
    end: Annotated[str | None, typer.Option("--end", metavar="ID", help="End this silence now.")] = None,
    form: Annotated[Form, typer.Option("--output", "-o", metavar="text|jsonl", help="Format of the list.")] = "text",
    config: options.ConfigFile = None,
    data: options.Data = None,
    url: options.Url = None,
) -> None:
    """Tell nobody of some alerts for a time; they are evaluated and shown as ever. Without a matcher it lists silences.

    For example:

        tailrace alerts silence totaltraffic --for 1h --comment 'load test'

        tailrace alerts silence severity=page host=~web.*

        tailrace alerts silence

        tailrace alerts silence --end 0b5a9a6e-5d0a-4a0e-9f39-8f4f3f9f5a10
    """
    options.exclusive(data, url)
    where = _Server(url) if url is not None else _Folder(data, config)
    if end is not None:
        if which:
            raise QueryError("--end ends a silence by its id, without a matcher")
        where.expire(end)
        output.line(f"ended {end}")
    elif which:
        from tailrace.web.times import duration_ns

        tests = [test for text in which for test in _tests(text)]
        names = [test.value for test in tests if test.name == "alertname" and test.op == "="]
        if len(set(names)) > 1:
            hint = f"silence each by itself, or write alertname=~{'|'.join(names)}"
            raise QueryError(f"no alert has {len(names)} names, and all that is given must hold", hint=hint)
        now_ns = time.time_ns()
        ends_ns = now_ns + duration_ns(lasting, "--for")
        output.line(where.save(tests, now_ns, ends_ns, by or _me(), comment))
    else:
        _show(where.all(), form)


def _tests(text: str) -> "Sequence[Matcher]":
    from tailrace.alerts.notify.matchers import matcher, matchers

    try:
        return matchers(text) if any(sign in text for sign in "=~{") else [matcher("alertname", "=", text)]
    except DataError as error:
        raise QueryError(str(error)) from None


def _me() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user without a name, as in containers
        return "tailrace"


def _show(silences: "Sequence[Json]", form: Form) -> None:
    if form == "jsonl":
        for one in silences:
            output.line(json.dumps(one, ensure_ascii=False))
        return
    for one in silences:
        tests = ", ".join(_text(test) for test in one["matchers"])
        why = f"  {one['comment']}" if one["comment"] else ""
        output.line(
            f"{one['id']}  {one['status']['state']:<7}  until {one['endsAt']}  {tests}  {one['createdBy']}{why}"
        )
    if not silences:
        output.note("there are no silences")


def _text(test: "Json") -> str:
    from tailrace.alerts.notify.matchers import Matcher

    return str(Matcher(test["name"], _op(test), test["value"]))


def _op(test: "Json") -> Any:  # one of the four tests
    return ("=~" if test["isRegex"] else "=") if test.get("isEqual", True) else "!~" if test["isRegex"] else "!="


class _Folder:
    """The silences of a data folder."""

    def __init__(self, data: Path | None, config: Path | None) -> None:
        from tailrace.config.load import load

        found = load(config, {"data": data})
        self._data, self._url = found.data, found.control

    def all(self) -> "Sequence[Json]":
        from tailrace.alerts.notify.silences import Silences
        from tailrace.cli.folder import opened_control
        from tailrace.clock import SystemClock
        from tailrace.web.times import iso

        with opened_control(self._data, self._url) as control:
            found = Silences(control, SystemClock()).all()
        now_ns = time.time_ns()
        return [
            {
                "id": one.id,
                "status": {"state": one.state(now_ns)},
                "startsAt": iso(one.starts_ns),
                "endsAt": iso(one.ends_ns),
                "createdBy": one.created_by,
                "comment": one.comment,
                "matchers": list(_json(one.matchers)),
            }
            for one in found
        ]

    def save(self, tests: "Sequence[Matcher]", starts_ns: int, ends_ns: int, by: str, comment: str) -> str:
        from tailrace.alerts.notify.silences import Silence, Silences
        from tailrace.cli.folder import opened_control
        from tailrace.clock import SystemClock

        with opened_control(self._data, self._url, create=True) as control:
            return Silences(control, SystemClock()).save(Silence(tuple(tests), starts_ns, ends_ns, by, comment))

    def expire(self, name: str) -> None:
        from tailrace.alerts.notify.silences import Silences
        from tailrace.cli.folder import opened_control
        from tailrace.clock import SystemClock

        with opened_control(self._data, self._url) as control:
            Silences(control, SystemClock()).expire(name)


class _Server:
    """The silences of a running Tailrace, or of anything that speaks as Alertmanager does."""

    def __init__(self, url: str) -> None:
        self._url = url

    def all(self) -> "Sequence[Json]":
        from tailrace.cli import remote

        found: Sequence[Json] = remote.call(self._url, _SILENCES)
        return found

    def save(self, tests: "Sequence[Matcher]", starts_ns: int, ends_ns: int, by: str, comment: str) -> str:
        from tailrace.cli import remote
        from tailrace.web.times import iso

        body = {
            "matchers": list(_json(tests)),
            "startsAt": iso(starts_ns),
            "endsAt": iso(ends_ns),
            "createdBy": by,
            "comment": comment,
        }
        return str(remote.call(self._url, _SILENCES, method="POST", body=body)["silenceID"])

    def expire(self, name: str) -> None:
        from urllib.parse import quote

        from tailrace.cli import remote

        remote.call(self._url, _SILENCE + quote(name, safe=""), method="DELETE")


def _json(tests: "Sequence[Matcher]") -> "Iterator[Json]":
    for test in tests:
        yield {
            "name": test.name,
            "value": test.value,
            "isRegex": test.op in ("=~", "!~"),
            "isEqual": test.op in ("=", "=~"),
        }
