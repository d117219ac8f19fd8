"""`tailrace query`: ask the table of a folder, or a running Tailrace."""

import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from tailrace.cli import failures, options, output
from tailrace.cli.folder import Output
from tailrace.errors import ConfigError

if TYPE_CHECKING:
    from tailrace.cli.question import Question
    from tailrace.query.result import Lines, Series

_PAGED: Final = ("jsonl", "raw")
"""Formats in which a line looks the same whatever the other lines are: all of a table is printed in bounded memory."""


def query(
    logql: Annotated[str, typer.Argument(metavar="LOGQL", help="A log query or a metric query.")],
    since: options.Since = None,
    start: options.From = None,
    end: options.To = None,
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=0, help="Lines at most; 0 is all.")] = 100,
    step: Annotated[
        str | None,
        typer.Option("--step", metavar="1m", help="One point per step, for metric queries. (default: one, at the end)"),
    ] = None,
    direction: Annotated[
        options.Direction,
        typer.Option("--direction", metavar="backward|forward", help="Newest first, or oldest first."),
    ] = "backward",
    form: Annotated[
        Output, typer.Option("--output", "-o", metavar="text|jsonl|raw|csv|parquet", help="Format of the answer.")
    ] = "text",
    data: options.Data = None,
    url: options.Url = None,
    engine: options.Engine = "auto",
) -> None:
    """Search the table with LogQL.

    Without --since, --from and --to a log query looks at the whole table, and a metric query ends now.

    For example:

        tailrace query '{service_name="nginx"} |= "timeout"'

        tailrace query '{host=~".+"} | status >= 500' --since 1h -o jsonl

        tailrace query 'sum(rate({host=~".+"}[1m]))' --since 1h --step 1m

        tailrace query '{host=~".+"}' --limit 0 -o parquet > lines.parquet

        tailrace query 'sum(count_over_time({host=~".+"}[30d]))' --data s3://logs/prod --engine spark://sail:50051
    """
    from tailrace.cli.question import question

    asked = question(
        logql, time.time_ns(), since=since, start=start, end=end, step=step, limit=limit, direction=direction
    )
    if form == "parquet" and sys.stdout.isatty():
        raise ConfigError("--output parquet is not for a terminal: send it to a file (> lines.parquet)")
    if output.is_terminal():
        output.note(f"searching {asked.span}")
    if url is None:
        _from_folder(asked, form, data, engine)
    else:
        options.exclusive(data, url)
        _from_server(asked, form, url)


def _from_folder(asked: "Question", form: Output, data: Path | None, named: str) -> None:
    from tailrace.cli import folder
    from tailrace.engines.choose import engine_named
    from tailrace.query.run import pages, run

    engine, table = engine_named(named), folder.open_table(data)
    if asked.everything and form in _PAGED:
        for page in pages(asked.request(), table, engine):
            for piece in folder.rendered(page, form):
                output.write_bytes(piece)
        return
    answer = run(asked.request(), table, engine)
    for piece in folder.rendered(answer, form, colour=output.coloured()):
        output.write_bytes(piece)
    if output.is_terminal():
        output.note(_cost(answer, asked.limit))
    _end(answer.warnings, complete=answer.complete)


def _from_server(asked: "Question", form: Output, url: str) -> None:
    from tailrace.cli import remote

    with remote.answer(url, remote.QUERY, {**asked.parameters(), "output": form}) as response:
        for piece in response.iter_bytes():
            output.write_bytes(piece)
        warnings = response.headers.get("X-Tailrace-Warnings", "")
        complete = response.headers.get("X-Tailrace-Complete", "true") == "true"
    _end((warnings,) if warnings else (), complete=complete)


def _cost(answer: "Lines | Series", limit: int) -> str:
    """Return what was found and what it cost, on one line."""
    count, stats = answer.frame.height, answer.stats
    more = " (the limit: --limit 0 gives all)" if limit and count == limit and not hasattr(answer, "kind") else ""
    return (
        f"{count:,} row{'s' * (count != 1)}{more}; read {stats.rows:,} rows in {stats.segments_read:,} files, "
        f"skipped {stats.segments_skipped:,}, {stats.seconds:.2f} s"
    )


def _end(warnings: Iterable[str], *, complete: bool) -> None:
    """Say what a person must know about an answer; an incomplete one is a failure."""
    for warning in warnings:
        output.note(f"warning: {warning}")
    if not complete:
        output.note("error: the answer is not complete")
        raise typer.Exit(failures.FOUND)
