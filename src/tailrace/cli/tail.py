"""`tailrace tail`: new lines of a query, as they come."""

import json
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tailrace.cli import options, output
from tailrace.cli.folder import TailOutput
from tailrace.errors import TransientError

if TYPE_CHECKING:
    from tailrace.cli.question import Question
    from tailrace.query.result import Lines

POLL_S = 0.25


def tail(
    logql: Annotated[str, typer.Argument(metavar="LOGQL", help="A log query.")],
    form: Annotated[
        TailOutput, typer.Option("--output", "-o", metavar="text|jsonl|raw", help="Format of the lines.")
    ] = "text",
    since: Annotated[
        str | None, typer.Option("--since", metavar="5m", help="Begin with the lines of this long ago. (default: none)")
    ] = None,
    limit: Annotated[
        int, typer.Option("--limit", metavar="N", min=1, help="With --since: the newest so many lines at most.")
    ] = 100,
    data: options.Data = None,
    url: options.Url = None,
) -> None:
    """Show new lines of a log query as they are stored, until Ctrl-C.

    Lines that are stored while --since looks back may be shown twice.

    For example:

        tailrace tail '{service_name="nginx"} | status >= 500'

        tailrace tail '{host=~".+"}' --url http://127.0.0.1:9080 -o jsonl

        tailrace tail '{host=~".+"} |= "error"' --since 10m
    """
    from tailrace.cli import folder

    options.exclusive(data, url)
    past = None if since is None else _past(logql, since, limit)
    for lines in _of_folder(logql, data, past) if url is None else _of_server(logql, url, past):
        for piece in folder.rendered(lines, form, colour=output.coloured()):
            output.write_bytes(piece)


def _past(logql: str, since: str, limit: int) -> "Question | None":
    """Return the question about what was before; that a metric query has no lines is the tail's to tell."""
    from tailrace.cli.question import question
    from tailrace.query.parser import parse
    from tailrace.query.syntax import LogQuery

    asked = question(logql, time.time_ns(), since=since, limit=limit)
    return asked if isinstance(parse(logql), LogQuery) else None


def _oldest_first(lines: "Lines") -> "Lines":
    return replace(lines, frame=lines.frame.reverse())


def _of_folder(logql: str, data: Path | None, past: "Question | None") -> Iterator["Lines"]:
    from tailrace.cli import folder
    from tailrace.engines.polars import PolarsEngine
    from tailrace.query.follow import Follower
    from tailrace.query.parser import parse
    from tailrace.query.result import Lines
    from tailrace.query.run import run

    parse(logql)  # a mistake in the query is told before one in the folder
    table = folder.open_table(data)
    follower = Follower(logql, table, PolarsEngine())
    if past is not None and isinstance(found := run(past.request(), table, PolarsEngine()), Lines):
        yield _oldest_first(found)
    pause = threading.Event()
    while True:
        lines = follower.poll()
        for warning in lines.warnings:
            output.note(f"warning: {warning}")
        if lines.frame.height:
            yield lines
        pause.wait(POLL_S)


def _of_server(logql: str, url: str, past: "Question | None") -> Iterator["Lines"]:
    import polars as pl  # noqa: F401 - it sets up signals when it is first imported, so before the next line

    from tailrace.cli import remote

    signal.siginterrupt(signal.SIGINT, True)  # a read that waits for news ends at Ctrl-C, not at the next news
    if past is not None:
        with remote.answer(url, remote.QUERY, {**past.parameters(), "output": "jsonl"}) as response:
            yield _oldest_first(lines_of(response.read().decode()))
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
