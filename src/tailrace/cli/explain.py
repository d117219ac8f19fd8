"""`tailrace explain`: how a query would run, or why a file is followed or not."""

import time
from pathlib import Path
from typing import Annotated, Final

import typer

from tailrace.cli import failures, options, output
from tailrace.errors import ConfigError, Problem

FILE: Final = "file"
"""First word of the form about a file; it is no query."""


def explain(
    logql: Annotated[str, typer.Argument(metavar="LOGQL", help="The query; it is not run. Or the word file.")],
    path: Annotated[
        Path | None,
        typer.Argument(metavar="[PATH]", readable=False, help="With the word file: the file to explain."),
    ] = None,
    since: options.Since = None,
    start: options.From = None,
    end: options.To = None,
    step: Annotated[str | None, typer.Option("--step", metavar="1m", help="As 'query' takes it.")] = None,
    data: options.Data = None,
    url: options.Url = None,
    engine: options.Engine = "auto",
    config: options.ConfigFile = None,
    json: Annotated[bool, typer.Option("--json", help="With the word file: print JSON.")] = False,
) -> None:
    """Show the plan of a query: what the scan does, and which files it reads and skips.

    With the word `file` and a path: whether that file is followed, by which source, how far it is read, and why not.
    The agent need not run. Exit code 0: it is followed, 1: it is not.

    For example:

        tailrace explain '{service_name="nginx"} |= "timeout" | status >= 500' --since 1h

        tailrace explain file /var/log/syslog
    """
    if path is not None:
        if logql != FILE:
            raise ConfigError([Problem(str(path), "a query stands alone", f"or ask: tailrace explain file {path}")])
        _file(path, data, config, json=json)
        return
    from tailrace.cli.question import question

    options.exclusive(data, url)
    asked = question(logql, time.time_ns(), since=since, start=start, end=end, step=step)
    if url is not None:
        from tailrace.cli import remote

        with remote.answer(url, remote.EXPLAIN, asked.parameters()) as response:
            text = response.read().decode()
    else:
        from tailrace.cli import folder
        from tailrace.engines.choose import engine_named
        from tailrace.query.explain import explain as plan

        text = plan(asked.request(), folder.open_table(data), engine_named(engine))
    output.line(text.rstrip("\n"))


def _file(path: Path, data: Path | None, config: Path | None, *, json: bool) -> None:
    from tailrace.cli.explain_file import absolute, explain_file, show
    from tailrace.config.load import load

    found = explain_file(absolute(path), load(config, {"data": data}))
    show(found, json=json)
    if not found.followed:
        raise typer.Exit(failures.FOUND)
