"""`tailrace up`: follow logs, keep them, and serve the page, in one process."""

from pathlib import Path
from typing import Annotated

import typer

from tailrace.cli import options, output


def up(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            readable=False,
            metavar="PATH…",
            help="Files, folders or globs to follow. (default: this machine's usual logs)",
            show_default=False,
        ),
    ] = None,
    config: options.ConfigFile = None,
    data: options.Data = None,
    listen: options.Listen = None,
) -> None:
    """Follow log files, store what they say, and serve a page to search it.

    Without a path and without sources in the configuration it follows the usual logs of this machine. Stop it with
    Ctrl-C or SIGTERM: what was read is then durable, and the next start goes on where this one stopped. With --config
    it takes over changes of the file while it runs, at once at SIGHUP; a file with mistakes changes nothing.

    For example:

        tailrace up

        tailrace up /var/log/nginx /srv/app/logs

        tailrace up --config tailrace.yaml --listen 127.0.0.1:9081
    """
    from tailrace.cli.paths import absolute, missing
    from tailrace.config.load import resolve

    wanted = absolute(paths or ())
    flags = {"data": data, "listen": listen, "sources": [{"paths": wanted}] if wanted else None}
    loaded = resolve(config, flags)
    for path in missing(wanted):
        output.note(f"warning: {path} does not exist; it is followed when it appears")
    for warning in loaded.config.spec.warnings:
        output.note(f"warning: {warning}")
    from tailrace.up import run

    run(loaded, lambda: resolve(config, flags), announce=output.note)
