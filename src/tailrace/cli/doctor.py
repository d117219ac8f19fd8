"""`tailrace doctor`: what could keep Tailrace from working here, and what to do about it."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from tailrace.cli import failures, options, output, probes, probes_ebpf, probes_files, probes_fleet

if TYPE_CHECKING:
    from tailrace.config.model import Config

_SIGNS = {"ok": "[green]ok[/]  ", "warn": "[yellow]warn[/]", "fail": "[red]fail[/]"}


def doctor(data: options.Data = None, config: options.ConfigFile = None, json: options.Json = False) -> None:
    """Look at this machine and say what Tailrace cannot do here, why, and what to do.

    Exit code 0: it works, perhaps with warnings. 1: something must be repaired first.

    For example:

        tailrace doctor

        tailrace doctor --data /srv/logs --json

        tailrace doctor --config server.yaml
    """
    from tailrace.config.load import load

    settings = load(config, {"data": data})
    findings = list(examine(settings))
    if json:
        output.as_json([asdict(finding) for finding in findings])
    else:
        _print(findings)
    if any(finding.state == "fail" for finding in findings):
        raise typer.Exit(failures.FOUND)


def examine(config: "Config") -> Iterator[probes.Finding]:
    """Run every probe."""
    yield from probes.python()
    yield from probes.storage()
    yield from probes.data_folder(config.data)
    yield from probes.remote_table(config) if config.table else probes.table(config.data)
    yield from probes.logs()
    yield from probes.inotify()
    yield from probes_files.file_events()
    yield from probes_ebpf.ebpf()
    yield from probes.open_files()
    yield from probes.port(config.listen)
    yield from probes_fleet.extras(config)
    yield from probes_fleet.certificate(config)
    yield from probes_fleet.receivers(config)
    yield from probes_fleet.databases(config)
    yield from probes_fleet.sinks(config)
    yield from probes.clock()


def _print(findings: list[probes.Finding]) -> None:
    from rich.console import Console
    from rich.markup import escape

    console = Console(highlight=False, soft_wrap=True)
    width = max(len(finding.name) for finding in findings)
    for finding in findings:
        console.print(f"{_SIGNS[finding.state]}  {finding.name:<{width}}  {escape(finding.what)}")
        if finding.do:
            console.print(f"{'':{width + 6}}  → {escape(finding.do)}")
