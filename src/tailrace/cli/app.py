"""The command line's top: every command by name, and what happens when one fails."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from tailrace.cli import (
    agent,
    alerts,
    audit,
    check,
    collect,
    config,
    credentials,
    dead_letters,
    doctor,
    explain,
    export,
    failures,
    files,
    metrics,
    output,
    query,
    receive,
    server,
    table,
    tail,
    token,
    trace,
    up,
    version,
    watch,
)
from tailrace.errors import TailraceError

app = typer.Typer(
    name="tailrace",
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # a bug keeps its plain traceback, for the report
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        output.line(version.text())
        raise typer.Exit


@app.callback()
def top(
    show_version: Annotated[  # noqa: ARG001  its callback answers
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
    token_file: Annotated[
        Path | None,
        typer.Option(
            "--token-file",
            metavar="FILE",
            readable=False,
            envvar="TAILRACE_TOKEN_FILE",
            help="File with the token for --url. (default: $TAILRACE_TOKEN)",
        ),
    ] = None,
) -> None:
    """Follow log files, keep them as typed columns, and search them with LogQL.

    Start with `tailrace up`: it follows this machine's logs and prints the address of a page to search them.
    """
    credentials.use_token_file(token_file)


app.command()(up.up)
app.command()(agent.agent)
app.command()(server.server)
app.command()(collect.collect)
app.command()(export.export)
app.command()(query.query)
app.command()(tail.tail)
app.command()(watch.watch)
app.command()(explain.explain)
app.command()(receive.receive)
app.command()(trace.trace)
app.add_typer(metrics.app, name="metrics")
app.add_typer(alerts.app, name="alerts")
app.add_typer(files.app, name="files")
app.add_typer(table.app, name="table")
app.add_typer(dead_letters.app, name="dead-letters")
app.add_typer(check.app, name="check")
app.add_typer(config.app, name="config")
app.add_typer(token.app, name="token")
app.command()(audit.audit)
app.command()(doctor.doctor)
app.command()(version.version)


def execute(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code; failures of the four families are said without a traceback."""
    try:
        code = app(args=arguments, prog_name="tailrace", standalone_mode=False)
    except TailraceError as error:
        output.note(failures.text(error))
        return failures.exit_code(error)
    except typer.TyperException as error:
        if error.format_message():  # empty: the help was asked for by giving nothing, and is printed already
            output.note(failures.usage_text(error))
        return failures.usage_code(error)
    except typer.Abort:
        return 130
    return code if isinstance(code, int) else 0


def run() -> NoReturn:
    """Run what the process was started with, then exit."""
    code = execute()
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = output.PIPE_CLOSED
    sys.exit(code)
