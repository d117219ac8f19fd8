"""`tailrace alerts test-receiver`: send somebody a message that says it is a test."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tailrace.cli import failures, options, output
from tailrace.errors import QueryError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tailrace.alerts.notify.sending import Tried


def alerts_test_receiver(
    name: Annotated[str, typer.Argument(metavar="RECEIVER", help="Name of a receiver.")],
    config: options.ConfigFile = None,
    data: options.Data = None,
    url: options.Url = None,
) -> None:
    """Send a receiver a message that says it is a test, by each of its ways; exit with 1 if one of them failed.

    Without --url it is sent from here, by the receivers of the configuration and those that were saved in the data
    folder; with it the server there sends.

    For example:

        tailrace alerts test-receiver team --config tailrace.yaml

        tailrace alerts test-receiver team --url http://127.0.0.1:9080
    """
    options.exclusive(data, url)
    tried = list(_by_server(name, url) if url is not None else _from_here(name, config, data))
    width = max(len(one.way) for one in tried)
    for one in tried:
        output.line(f"{one.way:<{width}}  {one.error or 'taken'}")
    if any(one.error for one in tried):
        raise typer.Exit(failures.FOUND)


def _by_server(name: str, url: str) -> "Iterator[Tried]":
    from urllib.parse import quote

    from tailrace.alerts.notify.sending import Tried
    from tailrace.cli import remote

    answer = remote.call(url, f"/api/v1/receivers/{quote(name, safe='')}/test", method="POST")
    for one in answer["ways"]:
        yield Tried(one["way"], one["error"])


def _from_here(name: str, config: Path | None, data: Path | None) -> "list[Tried]":
    from tailrace.access.sealed import open_seal
    from tailrace.alerts.notify.saved import SavedReceivers
    from tailrace.alerts.notify.sending import attempt
    from tailrace.cli.folder import opened_control
    from tailrace.clock import SystemClock
    from tailrace.config.load import load

    found = load(config, {"data": data})
    receivers = {one.name: one for one in found.alerts.receivers}
    if name not in receivers and (found.control is not None or found.data.is_dir()):
        with opened_control(found.data, found.control) as control:
            seal = open_seal(found.data, found.access.secret_key_file)
            saved = SavedReceivers(control, found.alerts, SystemClock(), seal=seal).all()
        receivers |= {one.name: one for one, _ in saved}
    if name not in receivers:
        hint = did_you_mean(name, receivers) or f"known: {', '.join(sorted(receivers)) or 'none'}"
        raise QueryError(f"there is no receiver {name!r}", hint=hint)
    return attempt(receivers[name], found.alerts.external_url)
