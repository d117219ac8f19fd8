"""`tailrace table`: look after the table of a data folder; safe while `tailrace up` runs on it."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tailrace.cli import failures, options, output, report

if TYPE_CHECKING:
    from tailrace.store.table import LogTable

app = typer.Typer(no_args_is_help=True, help="Look after the table: what is in it, its size, its health.")


def _open(data: Path | None, config: Path | None) -> "LogTable":
    """Open the table with the settings of a configuration."""
    from tailrace.cli import folder
    from tailrace.config.load import load

    return folder.open_configured(load(config, {"data": data}))


def _free(table: "LogTable", left: int) -> None:
    """Remove files that left the table so long ago that no query reads them any more (`store.grace_s`).

    `left` is how many left it just now.
    """
    from tailrace.store.vacuum import vacuum

    freed = vacuum(table)
    if freed.files:
        output.note(f"freed {output.size(freed.bytes)} of {freed.files:,} files that no query reads any more")
    elif left:
        output.note(f"disk space comes back after {table.settings.grace_s:g} s, when this runs again or 'up' does")


@app.command("info")
def table_info(data: options.Data = None, config: options.ConfigFile = None, json: options.Json = False) -> None:
    """Show what is in the table: rows, bytes, times, fields, agents.

    For example:

        tailrace table info --data ./data
    """
    from tailrace.store.info import info

    report.show(info(_open(data, config)), json=json)


@app.command("compact")
def table_compact(data: options.Data = None, config: options.ConfigFile = None, json: options.Json = False) -> None:
    """Join small segments into large sorted ones; 'up' does it by itself.

    For example:

        tailrace table compact --data ./data
    """
    from tailrace.store.compact import compact

    table = _open(data, config)
    done = compact(table, everything=True)
    report.show(done, json=json)
    _free(table, done.files_before)


@app.command("retain")
def table_retain(data: options.Data = None, config: options.ConfigFile = None, json: options.Json = False) -> None:
    """Remove the segments that are older or larger than the settings allow; 'up' does it by itself.

    For example:

        tailrace table retain --config tailrace.yaml
    """
    from tailrace.store.retain import retain

    table = _open(data, config)
    done = retain(table)
    report.show(done, json=json)
    _free(table, done.files)


@app.command("verify")
def table_verify(data: options.Data = None, config: options.ConfigFile = None, json: options.Json = False) -> None:
    """Read every file of the table and compare it with the table's log.

    Exit code 0: everything is as the log says. 1: something is not.

    For example:

        tailrace table verify --data ./data
    """
    from tailrace.store.verify import verify

    found = verify(_open(data, config))
    report.show(found, json=json)
    if found.faults:
        raise typer.Exit(failures.FOUND)


@app.command("delete")
def table_delete(
    selector: Annotated[str, typer.Argument(metavar="SELECTOR", help='Which streams, as {app="web"}.')],
    start: options.From = None,
    end: options.To = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Delete; without it, only say what would go.")] = False,
    data: options.Data = None,
    config: options.ConfigFile = None,
    json: options.Json = False,
) -> None:
    """Delete the lines of some streams. Without --yes it only says how many would go.

    For example:

        tailrace table delete '{service_name="debugger"}'

        tailrace table delete '{host="old"}' --to 30d --yes
    """
    from tailrace.batch import stream_text
    from tailrace.cli.span import span
    from tailrace.query.labels import series
    from tailrace.store.delete import delete

    asked = span(None, start, end, time.time_ns())
    table = _open(data, config)
    streams = [stream_text(labels) for labels in series(table, asked.start_ns, asked.end_ns, [selector])]
    done = delete(table, streams=streams, start_ns=asked.start_ns, end_ns=asked.end_ns, dry_run=not yes)
    report.show(done, json=json)
    if yes:
        _free(table, done.files_dropped + done.files_rewritten)
    else:
        output.note("nothing was deleted; --yes does it")
