"""`tailrace alerts parked`: what could not be told, since a receiver refused it or was away for days."""

import json
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tailrace.cli import options, output
from tailrace.cli.files_answers import Form
from tailrace.errors import QueryError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tailrace.alerts.notify.delivery import Deliveries

    Json = Mapping[str, Any]  # a notification as /api/v1/notifications writes it


def alerts_parked(
    retry: Annotated[list[int] | None, typer.Option("--retry", metavar="ID", help="Send this one again.")] = None,
    drop: Annotated[list[int] | None, typer.Option("--drop", metavar="ID", help="Give this one up.")] = None,
    form: Annotated[Form, typer.Option("--output", "-o", metavar="text|jsonl", help="Format of the list.")] = "text",
    config: options.ConfigFile = None,
    data: options.Data = None,
    url: options.Url = None,
) -> None:
    """List messages to receivers that were parked; send them again, or drop them.

    A message is parked when its receiver refuses it, or does not take it for three days. What is to be sent again is
    sent by the server of the data folder.

    For example:

        tailrace alerts parked

        tailrace alerts parked --retry 7 --drop 8 --url http://127.0.0.1:9080
    """
    options.exclusive(data, url)
    where = _Server(url) if url is not None else _Folder(data, config)
    for number in retry or ():
        where.retry(number)
        output.line(f"will be sent again: {number}")
    for number in drop or ():
        where.drop(number)
        output.line(f"dropped: {number}")
    if not retry and not drop:
        _show(where.all(), form)


def _show(parked: "Sequence[Json]", form: Form) -> None:
    for one in parked:
        if form == "jsonl":
            output.line(json.dumps(one, ensure_ascii=False))
            continue
        tried = f"{one['attempts']} attempts: {one['error']}"
        output.line(f"{one['id']}  {one['line']}  {one['status']}  {one['groupKey']}  {tried}")
    if not parked and form == "text":
        output.note("nothing is parked")


class _Folder:
    """The messages of a data folder."""

    def __init__(self, data: Path | None, config: Path | None) -> None:
        from tailrace.config.load import load

        found = load(config, {"data": data})
        self._data, self._url = found.data, found.control

    def all(self) -> "Sequence[Json]":
        from tailrace.web.receivers_api import notification_json

        with self._open() as deliveries:
            return [notification_json(one) for one in deliveries.shown()]

    def retry(self, number: int) -> None:
        with self._open() as deliveries:
            if not deliveries.retry(number):
                raise _none(number)

    def drop(self, number: int) -> None:
        with self._open() as deliveries:
            if not deliveries.drop(number):
                raise _none(number)

    @contextmanager
    def _open(self) -> "Iterator[Deliveries]":
        from tailrace.alerts.notify.delivery import Deliveries
        from tailrace.cli.folder import opened_control
        from tailrace.clock import SystemClock
        from tailrace.telemetry import Accounts

        with opened_control(self._data, self._url) as control:
            yield Deliveries(control, SystemClock(), Accounts(), "command")


class _Server:
    """The messages of a running Tailrace."""

    def __init__(self, url: str) -> None:
        self._url = url

    def all(self) -> "Sequence[Json]":
        from tailrace.cli import remote

        found: Sequence[Json] = remote.call(self._url, "/api/v1/notifications")["notifications"]
        return found

    def retry(self, number: int) -> None:
        from tailrace.cli import remote

        remote.call(self._url, f"/api/v1/notifications/{number}/retry", method="POST")

    def drop(self, number: int) -> None:
        from tailrace.cli import remote

        remote.call(self._url, f"/api/v1/notifications/{number}", method="DELETE")


def _none(number: int) -> QueryError:
    return QueryError(f"nothing of the number {number} is parked")
