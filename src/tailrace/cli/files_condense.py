"""`tailrace files condense`: of the table here, or of an index of Elasticsearch or OpenSearch."""

import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

import typer

from tailrace.cli import failures, files_state, options, output

if TYPE_CHECKING:
    from tailrace.condense import Report, Service, Settings

_LOG_BYTES: Final = 10 * 1024 * 1024
_LEVELS: Final = {"trace": "DEBUG", "debug": "DEBUG", "info": "INFO", "warn": "WARNING", "error": "ERROR"}


def files_condense(
    elasticsearch: Annotated[
        str | None, typer.Option("--elasticsearch", metavar="URL", help="Condense an index there, not the table here.")
    ] = None,
    index: Annotated[
        str | None,
        typer.Option("--index", metavar="PATTERN", help="Indices to condense. (default: .ds-logs-fim.event-default*)"),
    ] = None,
    service: Annotated[
        bool, typer.Option("--service", help="Go on until SIGTERM, with a pause between passes.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")] = False,
    env_file: Annotated[
        Path | None,
        typer.Option("--env-file", metavar="FILE", readable=False, help="Settings as NAME=value. (default: ./.env)"),
    ] = None,
    user: Annotated[
        str | None, typer.Option("--user", metavar="NAME", help="User; the password is in $ES_PASSWORD.")
    ] = None,
    password_file: Annotated[
        str | None, typer.Option("--password-file", metavar="FILE", help="File with the password.")
    ] = None,
    api_key_file: Annotated[
        str | None,
        typer.Option("--api-key-file", metavar="FILE", help="File with an API key, as Elasticsearch encodes it."),
    ] = None,
    ca_file: Annotated[
        str | None, typer.Option("--ca-file", metavar="FILE", help="Certificates of the authorities to trust.")
    ] = None,
    insecure: Annotated[
        bool,
        typer.Option("--insecure-skip-verify", help="Trust any certificate: anyone in between can read and write."),
    ] = False,
    host_field: Annotated[
        str | None,
        typer.Option("--host-field", metavar="NAME", help="Keyword field with the host. (default: host.name)"),
    ] = None,
    page_size: Annotated[
        int | None, typer.Option("--page-size", metavar="N", help="Documents to fetch at a time. (default: 256)")
    ] = None,
    sleep_s: Annotated[
        float | None, typer.Option("--sleep", metavar="SECONDS", help="Pause between passes. (default: 360)")
    ] = None,
    moved: Annotated[
        Literal["carry", "remove"] | None,
        typer.Option("--moved", metavar="carry|remove", help="What becomes of documents below a directory that moved."),
    ] = None,
    grace_s: Annotated[
        float | None,
        typer.Option("--grace", metavar="SECONDS", help="Keep events of removed paths so long, for what comes late."),
    ] = None,
    metrics_port: Annotated[
        int | None,
        typer.Option("--metrics-port", metavar="PORT", min=0, max=65_535, help="Serve /metrics on loopback."),
    ] = None,
    log_path: Annotated[
        str | None, typer.Option("--log-path", metavar="DIR", help="Folder of condense.log; empty for none.")
    ] = None,
    form: Annotated[
        Literal["text", "jsonl"], typer.Option("--output", "-o", metavar="text|jsonl", help="Format of the answer.")
    ] = "text",
    data: options.Data = None,
    url: options.Url = None,
) -> None:
    """Fold the records of every path into one; what arrives meanwhile stays. `up` and `server` do so by themselves.

    With --elasticsearch, --service or --env-file an index of Elasticsearch or OpenSearch is condensed instead: of all
    documents of a path the newest stays, while the path lives. Settings come from flags, the environment
    (CONDENSE_*, ES_*, CERT_PATH) and a .env file. Exit code 1: something could not be done.

    For example:

        tailrace files condense

        tailrace files condense --elasticsearch https://localhost:9200 --user elastic --dry-run

        tailrace files condense --service --env-file /etc/tailrace/condense.env --metrics-port 9151
    """
    if elasticsearch is None and env_file is None and not service:
        files_state.files_condense(form, data, url)
        return
    from tailrace.condense import settings as asked

    flags = {
        "url": elasticsearch,
        "index": index,
        "user": user,
        "password_file": password_file,
        "api_key_file": api_key_file,
        "ca_file": ca_file,
        "insecure": insecure or None,
        "host_field": host_field,
        "page_size": page_size,
        "sleep_s": sleep_s,
        "moved": moved,
        "grace_s": grace_s,
        "log_path": log_path,
    }
    file = {} if env_file is None and not Path(".env").is_file() else asked.read_env_file(env_file or Path(".env"))
    settings = asked.load(flags, os.environ, file)
    if settings.url.startswith("http://") and (settings.user or settings.api_key) and not _is_here(settings.url):
        output.note("warning: the password goes over the network in the clear (use https)")
    told = log_path is not None or "CONDENSE_LOG_PATH" in {**file, **os.environ}
    with _logging(settings, to_file=service or told, to_console=service):
        _run(settings, service=service, dry_run=dry_run, metrics_port=metrics_port, form=form)


def _run(settings: "Settings", *, service: bool, dry_run: bool, metrics_port: int | None, form: str) -> None:
    from tailrace.agent import stop_on_signals
    from tailrace.clock import SystemClock
    from tailrace.condense import Condenser, Service

    clock = SystemClock()
    condenser = Condenser(settings, clock, dry_run=dry_run)
    try:
        if service:
            served = Service(condenser, settings, clock, lambda report: _log(report, dry_run=dry_run))
            with stop_on_signals(served.stop), _metrics(served, metrics_port):
                served.run()
            return
        with stop_on_signals(condenser.stop):
            report = condenser.one_pass()
    finally:
        condenser.close()
    output.line(json.dumps(asdict(report)) if form == "jsonl" else _told(report, dry_run=dry_run))
    if not report.well:
        raise typer.Exit(failures.FOUND)


def _is_here(url: str) -> bool:
    from urllib.parse import urlsplit

    return (urlsplit(url).hostname or "") in ("127.0.0.1", "::1", "localhost")


def _told(report: "Report", *, dry_run: bool) -> str:
    """Return what a pass did, as a sentence."""
    seen = f"{report.documents:,} documents of {report.hosts:,} hosts"
    health = f"paths with more than one document: {report.uncondensed_before:,} before, {report.uncondensed:,} now"
    if dry_run:
        return f"{seen}: {report.to_delete:,} to delete, {report.to_move:,} to move (a dry run)\n{health}"
    parts = [f"{seen}: {report.deleted:,} deleted, {report.moved:,} moved in {report.seconds:.1f} s"]
    if report.conflicts:
        parts.append(f"{report.conflicts:,} changed meanwhile and were left alone")
    parts += [f"{count:,} failed: {why}" for why, count in report.reasons.items()]
    if not report.complete:
        parts.append("stopped before the end: the next pass goes on")
    return "\n".join([*parts, health])


def _log(report: "Report", *, dry_run: bool) -> None:
    level = logging.INFO if report.well else logging.WARNING
    logging.getLogger("tailrace.condense").log(level, "%s", _told(report, dry_run=dry_run).replace("\n", "; "))


@contextmanager
def _logging(settings: "Settings", *, to_file: bool, to_console: bool) -> Iterator[None]:
    """Write what happens to a file that is never cut short at a start, and to standard error."""
    logger = logging.getLogger("tailrace.condense")
    handlers: list[logging.Handler] = []
    if to_file and settings.log_path:
        folder = Path(settings.log_path)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            handlers.append(RotatingFileHandler(folder / "condense.log", maxBytes=_LOG_BYTES, backupCount=3))
        except OSError as error:
            output.note(f"warning: no log file in {folder}: {error.strerror}")
    if to_console and settings.log_to_console:
        handlers.append(logging.StreamHandler())
    for handler in handlers:
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%S%z"))
        logger.addHandler(handler)
    logger.setLevel(_LEVELS[settings.log_level])
    logger.propagate = False
    try:
        yield
    finally:
        for handler in handlers:
            logger.removeHandler(handler)
            handler.close()


@contextmanager
def _metrics(service: "Service", port: int | None) -> Iterator[None]:
    """Serve metrics on loopback, if a port is given."""
    if port is None:
        yield
        return
    from tailrace.web.exporter import create_app
    from tailrace.web.listen import Listener

    listener = Listener("127.0.0.1", port)
    listener.serve(create_app(service.families, list, service.trouble))
    output.note(f"metrics at {listener.address}metrics")
    try:
        yield
    finally:
        listener.close()
