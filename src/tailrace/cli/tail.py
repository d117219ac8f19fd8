"""`tailrace tail`: new lines of a query, as they come."""

import json
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tailrace.cli import options, output
from tailrace.cli.folder import TailOutput
from tailrace.errors import TransientError

if TYPE_CHECKING:
    from tailrace.query.result import Lines

POLL_S = 0.25


def tail(
    logql: Annotated[str, typer.Argument(metavar="LOGQL", help="A log query.")],
    form: Annotated[
        TailOutput, typer.Option("--output", "-o", metavar="text|jsonl|raw", help="Format of the lines.")
    ] = "text",
    data: options.Data = None,
    url: options.Url = None,
) -> None:
    """Show new lines of a log query as they are stored, until Ctrl-C.

    For example:

        tailrace tail '{service_name="nginx"} | status >= 500'

        tailrace tail '{host=~".+"}' --url http://127.0.0.1:9080 -o jsonl
    """
    from tailrace.cli import folder

    options.exclusive(data, url)
    for lines in _of_folder(logql, data) if url is None else _of_server(logql, url):
        for piece in folder.rendered(lines, form, colour=output.coloured()):
            output.write_bytes(piece)


def _of_folder(logql: str, data: Path | None) -> Iterator["Lines"]:
    from tailrace.cli import folder
    from tailrace.engines.polars import PolarsEngine
    from tailrace.query.follow import Follower
    from tailrace.query.parser import parse

    parse(logql)  # a mistake in the query is told before one in the folder
    follower = Follower(logql, folder.open_table(data), PolarsEngine())
    pause = threading.Event()
    while True:
        lines = follower.poll()
        for warning in lines.warnings:
            output.note(f"warning: {warning}")
        if lines.frame.height:
            yield lines
        pause.wait(POLL_S)


def _of_server(logql: str, url: str) -> Iterator["Lines"]:
    import polars as pl  # noqa: F401 - it sets up signals when it is first imported, so before the next line

    from tailrace.cli import remote

    signal.siginterrupt(signal.SIGINT, True)  # a read that waits for news ends at Ctrl-C, not at the next news
    with remote.answer(url, remote.TAIL, {"query": logql}) as response:
        for name, data in remote.events(response.iter_lines()):
            if name == "lines":
                yield lines_of(data)
            elif name == "dropped":
                output.note(f"warning: {data} lines came faster than a live tail shows them; a query finds them")
            elif name == "failed":
                raise TransientError(f"{url}: {json.loads(data)['error']['what']}")
    raise TransientError(f"{url}: the server ended the tail")


def lines_of(jsonl: str) -> "Lines":
    """Return the answer that JSON lines were made from, as far as they tell it."""
    import polars as pl

    from tailrace.query.result import LINES_SCHEMA, META, STREAM, Lines, Stats
    from tailrace.web.times import time_ns

    rows = []
    for row in map(json.loads, filter(None, jsonl.split("\n"))):
        labels = {STREAM + name: value for name, value in row["labels"].items()}
        fields = {META + name: value for name, value in row["fields"].items()}
        level = row["fields"].get("level", row["fields"].get("detected_level"))
        rows.append({"_time_ns": time_ns(row["time"]), "_line": row["line"], "_level": level, **labels, **fields})
    names = dict.fromkeys(name for row in rows for name in row if name not in LINES_SCHEMA)
    return Lines(pl.DataFrame(rows, schema={**LINES_SCHEMA, **dict.fromkeys(names, pl.String())}), Stats())
