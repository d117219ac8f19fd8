"""`tailrace alerts observe`: how all alerts stand, again and again.

On a data folder nobody may be there to evaluate rules: then this does it while it runs, unless a server has the lease.
"""

import json
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from tailrace.cli import options, output
from tailrace.cli.files_answers import Form
from tailrace.errors import TransientError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tailrace.cli.alerts_places import Place


_ENTRIES: Final = 100  # of a history, to find the last signal in


def alerts_observe(
    name: Annotated[
        list[str] | None, typer.Argument(metavar="ALERT…", help="Only these. (default: all)", show_default=False)
    ] = None,
    refresh_s: Annotated[
        float,
        typer.Option(
            "--refresh_rate", "--refresh-rate", "-rr", metavar="SECONDS", min=0.1, help="Seconds between two looks."
        ),
    ] = 10.0,
    count: Annotated[
        int, typer.Option("--count", "-n", metavar="N", min=0, help="Look so often, then end; 0 is until Ctrl-C.")
    ] = 0,
    wording: Annotated[
        options.Wording,
        typer.Option("--wording", metavar="puppylog|plain", help="In puppylog's words, or by names of states."),
    ] = "puppylog",
    form: Annotated[Form, typer.Option("--output", "-o", metavar="text|jsonl", help="Format of the rows.")] = "text",
    config: options.ConfigFile = None,
    data: options.Data = None,
    url: options.Url = None,
) -> None:
    """Show how alerts stand, every few seconds, with the last signal of each.

    All good!!! · Ringing a bell!!! · recovered. On a data folder that no server looks after it also evaluates
    the rules.

    For example:

        tailrace alerts observe

        tailrace alerts observe -rr 1 --count 60 --wording plain

        tailrace alerts observe totaltraffic --url http://127.0.0.1:9080 -o jsonl
    """
    looks = 0
    with _watched(data, url, config) as place:
        while True:
            try:
                _show(place, name or (), wording, form)
            except TransientError as error:  # a server that restarts, a database that is busy: the next look says more
                if count:
                    raise
                output.note(f"warning: {error}")
            looks += 1
            if looks == count:
                return
            time.sleep(refresh_s)


@contextmanager
def _watched(data: Path | None, url: str | None, config: Path | None) -> "Iterator[Place]":
    """Give what the flags point to, and evaluate the rules of a folder meanwhile."""
    from tailrace.cli import alerts_places

    with alerts_places.place(data, url, config, create=True) as place:
        if not isinstance(place, alerts_places.Folder):
            yield place
            return
        with place.evaluated():
            yield place


def _show(place: "Place", wanted: "list[str] | tuple[str, ...]", wording: options.Wording, form: Form) -> None:
    from tailrace.cli.alerts_places import named, rows, told
    from tailrace.cli.alerts_shown import entry_json, status_line

    found = rows(place)
    for row in [row for name in wanted for row in named(found, name)] if wanted else told(found):
        entries = place.history(row.id, _ENTRIES)
        if form == "jsonl":
            last = next((entry_json(one) for one in entries if one.kind == "signal"), None)
            output.line(json.dumps({**row.as_json(), "last_signal": last}, ensure_ascii=False))
        else:
            now = datetime.now(UTC).strftime("%H:%M:%S")
            output.line(f"{now} {status_line(row, entries, wording)}")
    if not found:
        output.note("there are no alerts; make some: tailrace metrics create --default")
