"""`tailrace collect`: import files once, or follow them without a page."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from tailrace.cli import failures, options, output
from tailrace.errors import ConfigError, DataError, Problem

if TYPE_CHECKING:
    from tailrace.agent import Progress

STDIN: Final = "-"
_RETRY_S: Final = 30.0
"""An import waits so long for a disk that is full, then it ends and says so: the next run goes on where it stopped."""


def collect(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            readable=False,
            allow_dash=True,
            metavar="PATH…",
            help="Files, folders or globs to import; - is standard input.",
            show_default=False,
        ),
    ] = None,
    source: Annotated[
        list[Path] | None,
        typer.Option("--source", "-s", readable=False, allow_dash=True, metavar="PATH", help="The same as PATH."),
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Go on following the files until Ctrl-C.")] = False,
    now: Annotated[bool, typer.Option("--now", "-n", help="Give every line the time of the import.")] = False,
    group: Annotated[
        str, typer.Option("--group", metavar="NAME", help="Name of the import; each group remembers what it has read.")
    ] = "collect",
    line_format: Annotated[
        str | None,
        typer.Option(
            "--format", metavar="NAME", help="Format of the lines; several with | between: the first that fits."
        ),
    ] = None,
    redirect: Annotated[bool, typer.Option("--redirect_psql_out", "-r", hidden=True)] = False,
    spec: options.SpecFile = None,
    data: options.Data = None,
    config: options.ConfigFile = None,
) -> None:
    """Import log files into the table, durably, with a progress bar.

    A second import of the same files brings only what is new. Another --group reads them again.

    For example:

        tailrace collect access.log.1 app.jsonl

        tailrace collect /var/log --watch

        tailrace collect old.log --now --group replay --data ./data

        zcat old.log.gz | tailrace collect -

        tailrace collect -s test.log --watch

        tailrace collect events.jsonl --watch --spec aggregator-spec.json
    """
    from tailrace.cli.paths import missing
    from tailrace.config.load import load
    from tailrace.config.model import agent_name
    from tailrace.settings import Mistake

    wanted = _wanted([*(paths or ()), *(source or ())])
    if redirect:
        output.note("note: -r is not needed: there is no psql whose output could be shown")
    # The format is looked at as that of a source, which may be one that the spec declares.
    sources = None if line_format is None else [{"paths": wanted, "format": line_format}]
    flags = {"data": data, "spec": None if spec is None else str(spec), "sources": sources}
    try:
        settings = load(config, {**flags, "agent": agent_name(group)})
    except Mistake as mistake:
        raise ConfigError([Problem("--group", str(mistake), mistake.hint)]) from None
    if not watch and wanted != [STDIN] and (absent := missing(wanted)):
        raise DataError(f"{', '.join(absent)}: there is no such file or folder (nothing was imported)")
    if not watch and settings.store.retry_s is None:
        settings = settings.model_copy(update={"store": settings.store.model_copy(update={"retry_s": _RETRY_S})})
    for warning in settings.spec.warnings:
        output.note(f"warning: {warning}")
    from tailrace.agent.once import collect as run

    with _bar(shown=output.is_terminal() and not watch) as progress:
        summary = run(
            settings, wanted, group=group, line_format=line_format or "auto", now=now, watch=watch, progress=progress
        )
    for warning in summary.warnings:
        output.note(f"warning: {warning}")
    for item in summary.refused:
        output.note(f"not imported: {item.path}: {item.why}")
    output.note(
        f"imported {summary.lines:,} line{'s' * (summary.lines != 1)} ({output.size(summary.bytes)}) from "
        f"{summary.files:,} file{'s' * (summary.files != 1)} in {summary.seconds:.1f} s"
        + (f"; {summary.reduced:,} more were reduced by the spec" if summary.reduced else "")
    )
    if not summary.complete:
        output.note("stopped before the end: the same command goes on from here")
    if (summary.refused and not summary.files) or not summary.complete:
        raise typer.Exit(failures.FOUND)


def _wanted(paths: list[Path]) -> list[str]:
    from tailrace.cli.paths import absolute

    if not paths:
        raise ConfigError([Problem("PATH", "there is nothing to import", "name files, folders or globs, or -")])
    if Path(STDIN) not in paths:
        return absolute(paths)
    if len(paths) > 1:
        raise ConfigError([Problem("PATH", "- is standard input, which is imported alone", "run two imports")])
    return [STDIN]


@contextmanager
def _bar(*, shown: bool) -> Iterator["Callable[[Progress], None] | None"]:
    """Give what the import reports its progress to; a bar of bytes with lines per second, on a terminal only."""
    if not shown:
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
    )
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("importing", total=None, rate="")

        def show(progress: "Progress") -> None:
            elapsed = bar.tasks[0].elapsed or 0
            rate = f"{progress.lines / elapsed:,.0f} lines/s" if elapsed else ""
            total = progress.bytes + progress.backlog_bytes
            bar.update(task, completed=progress.bytes, total=total, rate=rate)

        yield show
