"""`tailrace trace`: system calls on files and connections, as they happen."""

import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from tailrace.cli import options, output
from tailrace.errors import ConfigError, Problem

if TYPE_CHECKING:
    import polars as pl

    from tailrace.config.model import Config
    from tailrace.reduce.spec import Spec
    from tailrace.sources.trace.settings import TraceSettings

Form = Literal["text", "jsonl"]
BackendName = Literal["auto", "bpf", "bpftrace"]

_NUMBERS = (0, 1, 2, 4)  # columns that stand to the right


def trace(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[[PROGRAM_ID:]PID[,PID…]:]EVENT…",
            help="Events, as open or unlink; of some processes, or of all. (default: those of the aggregation spec)",
            show_default=False,
        ),
    ] = None,
    spec: Annotated[
        Path | None,
        typer.Option(
            "--spec",
            "--aggregation-spec",
            readable=False,
            metavar="FILE",
            help="What to keep, count and send elsewhere; also an aggregation spec.",
        ),
    ] = None,
    paths: Annotated[
        list[Path] | None,
        typer.Option("--path", metavar="PATH", readable=False, help="Only events in this file or folder. Repeatable."),
    ] = None,
    form: Annotated[
        Form, typer.Option("--output", "-o", metavar="text|jsonl", help="Show events so; with --data nothing is shown.")
    ] = "text",
    buffers: Annotated[
        bool | None,
        typer.Option(
            "--buffers/--no-buffers",
            help="Take the first 256 bytes of what is read and written. (default: only if nothing is stored)",
            show_default=False,
        ),
    ] = None,
    seconds: Annotated[
        float | None, typer.Option("--for", metavar="SECONDS", min=0.0, help="End after this time. (default: Ctrl-C)")
    ] = None,
    count: Annotated[
        bool, typer.Option("--count", help="Only count calls, in the kernel, and show the numbers of each second.")
    ] = False,
    list_events: Annotated[
        bool, typer.Option("--list", help="Name the events, with their arguments, and end.")
    ] = False,
    backend: Annotated[
        BackendName, typer.Option("--backend", metavar="auto|bpf|bpftrace", help="How to learn of calls.")
    ] = "auto",
    collector_insecure: Annotated[
        bool, typer.Option("--collector-insecure", help="Send to the spec's gRPC receivers without TLS.")
    ] = False,
    handler_cache_size: Annotated[
        int | None,
        typer.Option("--handler-cache-size", metavar="N", help="Taken for compatibility: there is no such cache."),
    ] = None,
    pprof_listen_addr: Annotated[
        str | None,
        typer.Option(
            "--pprof-listen-addr", metavar="ADDR", help="Taken for compatibility: no debugging port is opened."
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option("--data", metavar="DIR", readable=False, help="Store the events in the table of this folder."),
    ] = None,
    config: options.ConfigFile = None,
) -> None:
    """Tell every call on files and connections, by whom, with its arguments and its result, until Ctrl-C.

    Needs Linux, and root or CAP_BPF with CAP_PERFMON; `tailrace doctor` says what works here. While it runs each system
    call of the machine takes some 30 ns longer.

    For example:

        tailrace trace open unlink

        tailrace trace 4711:write --path /srv -o jsonl

        tailrace trace open --spec aggregator-spec.json

        tailrace trace read write --count

        tailrace trace open rename unlink --path /etc --data ./data
    """
    if list_events:
        _list()
        return
    from tailrace.cli.paths import absolute
    from tailrace.config.load import load

    _meaningless(("--handler-cache-size", handler_cache_size), ("--pprof-listen-addr", pprof_listen_addr))
    _refuse_with_count(count, data, spec, paths)
    read = _spec(spec, insecure=collector_insecure)
    source: dict[str, Any] = {  # as in a configuration file
        "type": "trace",
        "name": "trace",
        "events": words or _named(read),
        "paths": absolute(paths or ()),
        "buffers": data is None if buffers is None else buffers,
        "backend": backend,
    }
    settings = load(config, {"data": data, "sources": [source]})
    from tailrace.sources.trace.settings import TraceSettings

    wanted = settings.sources[0]
    assert isinstance(wanted, TraceSettings)
    if spec is not None:
        settings = settings.model_copy(update={"spec": read})
    for warning in settings.spec.warnings:
        output.note(f"warning: {warning}")

    if data is not None:
        _store(settings, wanted, seconds)
        return
    from tailrace.agent import trace as run

    def started(stop: Callable[[], None]) -> None:
        output.note(f"tracing {' '.join(wanted.events)}")
        _end_after(seconds, stop)

    if count:
        refused = run.count(wanted, _counts_as_text if form == "text" else _counts_as_documents, started)
        if refused:
            output.note(f"{refused:,} calls were not counted: too many processes and calls at once")
        return
    shown = _as_text if form == "text" else _as_documents
    _account(run.show(wanted, settings.spec, settings.host, shown, _lost, started))


def _meaningless(*given: tuple[str, object]) -> None:
    for flag, value in given:
        if value is not None:
            output.note(f"warning: {flag} means nothing here")


def _refuse_with_count(count: bool, *others: object) -> None:
    if count and any(others):
        what = "calls are counted without a look at their arguments, and nothing is stored"
        raise ConfigError([Problem("--count", what, "leave out --data, --spec and --path")])


def _store(settings: "Config", wanted: "TraceSettings", seconds: float | None) -> None:
    """Store events until the end; a trace that is refused ends at once."""
    from tailrace.agent.alone import store
    from tailrace.clock import SystemClock
    from tailrace.errors import TransientError
    from tailrace.sources.trace.source import TraceSource

    clock = SystemClock()
    source = TraceSource(wanted, name=wanted.name, clock=clock, host=settings.host)
    refused: list[str] = []

    def stopper(stop: Callable[[], None]) -> None:
        def started() -> None:
            refused.extend(item.why for item in source.status() if item.state == "unreadable")
            if refused:
                stop()
                return
            output.note(f"tracing {' '.join(wanted.events)}")
            _end_after(seconds, stop)

        source.listen(started)

    stored = store(settings, source, clock, group="trace", stopper=stopper)
    if refused:
        raise TransientError(refused[0])
    output.note(f"stored {stored:,} event{'s' * (stored != 1)}")


def _end_after(seconds: float | None, stop: Callable[[], None]) -> None:
    if seconds is not None:
        timer = threading.Timer(seconds, stop)
        timer.daemon = True
        timer.start()


def _spec(path: Path | None, *, insecure: bool) -> "Spec":
    from tailrace.config.spec import load_spec
    from tailrace.reduce.spec import Spec

    if path is None:
        return Spec()
    spec = load_spec(path)
    if spec.aggregation is None or not insecure:
        return spec
    channels = tuple(one.model_copy(update={"insecure": True}) for one in spec.aggregation.channels)
    return spec.model_copy(update={"aggregation": spec.aggregation.model_copy(update={"channels": channels})})


def _named(spec: "Spec") -> list[str]:
    """Return the events that an aggregation spec names; nothing to trace is a mistake."""
    events = [] if spec.aggregation is None else [event.name for event in spec.aggregation.events]
    if not events:
        raise ConfigError([Problem("EVENT", "there is no event to trace", "name one, as open; --list names them all")])
    return list(dict.fromkeys(events))


def _as_text(frames: Sequence["pl.DataFrame"]) -> None:
    """Print events as lines, in the order in which they happened."""
    import polars as pl

    from tailrace.sources.trace.reader import GAP
    from tailrace.syscalls.text import line_texts

    parts = []
    for frame in frames:
        name = frame["name"][0] if "name" in frame.columns else None
        if name == GAP:
            continue  # said on standard error
        text = line_texts(frame, name) if isinstance(name, str) else frame["_line"].fill_null("")
        parts.append(frame.select("time_ns", line=pl.lit(text)))
    if parts:
        lines = pl.concat(parts).sort("time_ns", maintain_order=True)["line"]
        output.write_bytes(("\n".join(lines) + "\n").encode())


def _as_documents(frames: Sequence["pl.DataFrame"]) -> None:
    from tailrace.sources.trace.documents import lines

    output.write_bytes(lines(frames))


def _counts_as_text(counts: "pl.DataFrame") -> None:
    """Print the numbers of a second in columns, with an empty line behind them."""
    rows = [("count", "errors", "bytes", "call", "pid", "program")]
    for row in counts.iter_rows(named=True):
        moved = "" if row["bytes"] is None else f"{row['bytes']:,}"
        who = row["exe"] or row["comm"] or ""
        rows.append((f"{row['count']:,}", f"{row['errors']:,}", moved, row["call"], str(row["pid"]), who))
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    text = "".join(
        "  ".join(
            cell.rjust(width) if place in _NUMBERS else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        + "\n"
        for row in rows
    )
    output.write(text + "\n")


def _counts_as_documents(counts: "pl.DataFrame") -> None:
    import polars as pl

    now = pl.lit(datetime.now(UTC)).dt.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").alias("time")
    output.write_bytes(counts.select(now, pl.all()).write_ndjson().encode())


def _lost(count: int) -> None:
    output.note(f"Lost {count} event{'s' * (count != 1)}")


def _account(counters: Mapping[str, int]) -> None:
    """Say what was seen, and where all of it is."""
    shown = ("seen", "filtered", "submitted", "ring_full", "start_full", "str_fault", "path_truncated", "read")
    said = ", ".join(f"{name} {counters[name]:,}" for name in shown if counters[name] or name in ("seen", "read"))
    sys.stderr.write(f"{said}\n")


def _list() -> None:
    from tailrace.sources.trace.battery import GROUPS, calls_of
    from tailrace.syscalls.events import EVENTS

    rows = []
    for name, arguments in EVENTS.items():
        calls = [call.name for call in calls_of(name)]
        also = f"   ({', '.join(calls)})" if len(calls) > 1 else ""
        if not name.startswith("sys_"):
            rows.append((name, " ".join(one.name for one in arguments) + also))
    output.table([*rows, *((name, f"= {' '.join(events)}") for name, events in GROUPS.items())])
