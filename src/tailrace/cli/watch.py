"""`tailrace watch`: file events as they happen, shown or stored."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from tailrace.cli import failures, options, output
from tailrace.errors import ConfigError, DataError, Problem

if TYPE_CHECKING:
    from tailrace.contracts import Block, Followed

Form = Literal["text", "jsonl"]
BackendName = Literal["auto", "fanotify", "inotify", "poll"]


def watch(
    paths: Annotated[
        list[Path], typer.Argument(readable=False, metavar="PATH…", help="Files and folders, with everything below.")
    ],
    exclude: Annotated[
        list[str] | None,
        typer.Option(
            "--exclude", metavar="PATTERN", help="Leave out these paths: '*.tmp', '/srv/cache/**'. Repeatable."
        ),
    ] = None,
    hashes: Annotated[
        list[str] | None, typer.Option("--hash", metavar="xxh3|sha256|blake3", help="Hash what was written.")
    ] = None,
    backend: Annotated[
        BackendName,
        typer.Option("--backend", metavar="auto|fanotify|inotify|poll", help="How to learn of changes."),
    ] = "auto",
    poll_s: Annotated[
        float | None,
        typer.Option("--poll", metavar="SECONDS", min=0.1, help="Time between two rounds of polling. (default: 30)"),
    ] = None,
    form: Annotated[
        Form | None,
        typer.Option(
            "--output", "-o", metavar="text|jsonl", help="Show events so. (default: text; with --data nothing is shown)"
        ),
    ] = None,
    scan: Annotated[
        bool | None,
        typer.Option(
            "--scan/--no-scan", help="Begin with all that is there. (default: only with --data)", show_default=False
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option("--data", metavar="DIR", readable=False, help="Store the events in the table of this folder."),
    ] = None,
    config: options.ConfigFile = None,
) -> None:
    """Tell every change of files below some paths, as it happens, and who did it, until Ctrl-C.

    As root one mark per file system sees everything; other users get a watch per folder; what can do neither is polled.
    With --data the events are stored, and `tailrace files` answers from them.

    For example:

        tailrace watch /etc

        tailrace watch /srv --exclude '*.tmp' --hash sha256 -o jsonl

        tailrace watch /home --data ./data
    """
    from tailrace.cli.paths import absolute, missing
    from tailrace.config.load import load

    wanted = absolute(paths)
    if absent := missing(wanted):
        raise DataError(f"{', '.join(absent)}: there is no such file or folder (nothing is watched)")
    source: dict[str, Any] = {  # as in a configuration file
        "type": "file_events",
        "name": "watch",
        "paths": wanted,
        "exclude": exclude or (),
        "backend": backend,
        "hash": hashes or (),
        "scan_at_start": scan if scan is not None else data is not None,
        **({} if poll_s is None else {"poll_s": poll_s}),
    }
    settings = load(config, {"data": data, "sources": [source]})
    from tailrace.agent import watch as run
    from tailrace.sources.file_events.settings import FileEventsSettings

    events = settings.sources[0]
    if not isinstance(events, FileEventsSettings):
        raise ConfigError([Problem("PATH", "this is no source of file events")])
    shown = _shown(form or "text")
    if data is None:
        run.show(events, settings.host, shown, _started)
        return
    stored = run.store(settings, events, None if form is None else shown, _started)
    output.note(f"stored {stored:,} event{'s' * (stored != 1)}")


def _started(found: Sequence["Followed"], notes: Sequence[str]) -> None:
    """Say what is watched, and what is not; with nothing to watch this ends."""
    for note in notes:
        output.note(f"note: {note}")
    for item in found:
        if item.why:
            output.note(f"not watched: {item.path}: {item.why}")
    watched = [item.path for item in found if not item.why]
    if not watched:
        raise typer.Exit(failures.FOUND)
    output.note(f"watching {', '.join(watched)}")


def _shown(form: Form) -> Callable[[Sequence["Block"]], None]:
    """Return what prints blocks of events."""

    def as_text(blocks: Sequence["Block"]) -> None:
        import polars as pl

        from tailrace.parse.chain import Chain

        rows = Chain().parse(blocks).frame
        if {"event_confidence", "file_type"} <= set(rows.columns):  # folders whose size changed with their names
            own = (pl.col("event_action") != "attributes_modified") | (pl.col("event_provider") != "fanotify")
            rows = rows.filter(own | (pl.col("event_confidence") != "synthetic") | (pl.col("file_type") != "dir"))
        if not rows.height:
            return
        time = pl.from_epoch("_time_ns", "ns").dt.strftime("%Y-%m-%dT%H:%M:%S%.3fZ")
        lines = rows.select(time + " " + pl.col("_line").str.replace_all(r"[\x00-\x1f\x7f]", "?")).to_series()
        output.write_bytes(("\n".join(lines) + "\n").encode())

    def as_documents(blocks: Sequence["Block"]) -> None:
        for block in blocks:
            output.write_bytes(block.data)

    return as_text if form == "text" else as_documents
