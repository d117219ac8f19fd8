"""`tailrace explain`: how a query would run."""

import time
from typing import Annotated

import typer

from tailrace.cli import options, output


def explain(
    logql: Annotated[str, typer.Argument(metavar="LOGQL", help="The query; it is not run.")],
    since: options.Since = None,
    start: options.From = None,
    end: options.To = None,
    step: Annotated[str | None, typer.Option("--step", metavar="1m", help="As 'query' takes it.")] = None,
    data: options.Data = None,
    url: options.Url = None,
) -> None:
    """Show the plan of a query: what the scan does, and which files it reads and skips.

    For example:

        tailrace explain '{service_name="nginx"} |= "timeout" | status >= 500' --since 1h
    """
    from tailrace.cli.question import question

    options.exclusive(data, url)
    asked = question(logql, time.time_ns(), since=since, start=start, end=end, step=step)
    if url is not None:
        from tailrace.cli import remote

        with remote.answer(url, remote.EXPLAIN, asked.parameters()) as response:
            text = response.read().decode()
    else:
        from tailrace.cli import folder
        from tailrace.engines.polars import PolarsEngine
        from tailrace.query.explain import explain as plan

        text = plan(asked.request(), folder.open_table(data), PolarsEngine())
    output.line(text.rstrip("\n"))
