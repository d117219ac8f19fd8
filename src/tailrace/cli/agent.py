"""`tailrace agent`: follow logs and send them to servers."""

from pathlib import Path
from typing import Annotated, Any

import typer

from tailrace.cli import options, output


def agent(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            readable=False,
            metavar="PATH…",
            help="Files, folders or globs to follow. (default: as configured, or this machine's usual logs)",
            show_default=False,
        ),
    ] = None,
    config: options.ConfigFile = None,
    data: options.Data = None,
    server: Annotated[
        list[str] | None,
        typer.Option(
            "--server", metavar="URL", help="Server to send to, in place of the configured sinks; repeatable."
        ),
    ] = None,
    token_file: Annotated[
        Path | None,
        typer.Option("--token-file", metavar="FILE", readable=False, help="Token for --server, in a file of its own."),
    ] = None,
) -> None:
    """Follow log files and send what they say to servers; nothing is stored here but how far it is.

    Every line arrives once, whatever fails: a server that goes away is replaced by the next of the list, and what no
    server has acknowledged is sent again. Stop it with Ctrl-C or SIGTERM; the next start goes on where this one
    stopped. With --config it takes over changes of the file while it runs, except of its sinks.

    For example:

        tailrace agent --config agent.yaml

        tailrace agent /var/log/nginx --server https://example.com:9080 --server https://example.com:9081
    """
    from tailrace.agent.service import run
    from tailrace.cli.paths import absolute, missing
    from tailrace.config.load import resolve

    wanted = absolute(paths or ())
    sinks: list[dict[str, Any]] | None = None  # as a configuration would have them
    if server:
        sinks = [{"type": "ship", "servers": server} | ({"token_file": str(token_file)} if token_file else {})]
    elif token_file is not None:
        raise typer.BadParameter("it is for --server; name one", param_hint="--token-file")
    flags = {"data": data, "sinks": sinks, "sources": [{"paths": wanted}] if wanted else None}
    loaded = resolve(config, flags)
    for path in missing(wanted):
        output.note(f"warning: {path} does not exist; it is followed when it appears")
    for warning in loaded.config.spec.warnings:
        output.note(f"warning: {warning}")
    run(loaded, lambda: resolve(config, flags), announce=output.note)
