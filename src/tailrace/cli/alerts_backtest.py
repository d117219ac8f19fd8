"""`tailrace alerts backtest`: when a rule would have fired, on the lines that are stored."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from tailrace.cli import options, output
from tailrace.errors import QueryError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tailrace.alerts.model import Group, Rule
    from tailrace.control import Control

_NAMED: Final = 10  # names that a message lists


def register(app: typer.Typer) -> None:
    """Add the command to `tailrace alerts`."""
    app.command("backtest")(run_backtest)


def run_backtest(
    rule: Annotated[str, typer.Argument(metavar="RULE", help="Name of an alerting rule.")],
    since: Annotated[str, typer.Option("--since", metavar="30d", help="From this long ago until now.")] = "30d",
    start: options.From = None,
    end: options.To = None,
    file: Annotated[
        Path | None,
        typer.Option("--file", "-f", readable=False, metavar="FILE", help="Take the rule from this rule file."),
    ] = None,
    sweep: Annotated[
        list[str] | None,
        typer.Option(
            "--sweep", metavar="WHAT=V,V", help="Try values of threshold, for or keep_firing_for; may repeat."
        ),
    ] = None,
    against: Annotated[
        Path | None,
        typer.Option(
            "--against", readable=False, metavar="FILE", help="Compare with the rule of that name in this file."
        ),
    ] = None,
    config: options.ConfigFile = None,
    data: options.Data = None,
    json: options.Json = False,
) -> None:
    """Say when a rule would have fired, for how long, and how often people would have been told.

    The rule is looked for among those that are saved and those of the configuration's rule files. It is replayed as a
    server evaluates it, on all lines that are known now.

    For example:

        tailrace alerts backtest CartErrors --since 30d

        tailrace alerts backtest CartErrors -f new.yaml --sweep threshold=1,5,10 --sweep for=0s,5m
    """
    from tailrace.alerts.backtest import report
    from tailrace.alerts.backtest.run import Backtest
    from tailrace.alerts.backtest.variants import sweeps_of
    from tailrace.alerts.evaluate.asking import TableAsk
    from tailrace.alerts.kept.recordings import Recordings
    from tailrace.alerts.kept.samples import SamplesTable
    from tailrace.alerts.rules.files import load_rules
    from tailrace.alerts.rules.templates import Templates
    from tailrace.cli import folder
    from tailrace.cli.span import span
    from tailrace.clock import SystemClock
    from tailrace.config.load import load
    from tailrace.engines.polars import PolarsEngine
    from tailrace.rollups.metrics import Metrics
    from tailrace.telemetry import Accounts

    settings, now_ns = load(config, {"data": data}), time.time_ns()
    sweeps, asked = sweeps_of(sweep or ()), span(None if start else since, start, end, now_ns)
    before = None if against is None else _chosen(load_rules(against), rule)
    table, engine = folder.open_configured(settings), PolarsEngine()
    with folder.opened_control(settings.data, settings.control) as control:
        groups = _saved(control, settings.alerts.rule_files) if file is None else load_rules(file)
        chosen, group = _chosen(groups, rule)
        recorded = Recordings(control, SamplesTable(table.place.beside("samples")))
        fill = Templates(TableAsk(table, engine, recorded=recorded), SystemClock())
        metrics = Metrics(control, table, engine, clock=SystemClock(), accounts=Accounts())
        test = Backtest(table, engine, fill, recorded=recorded, kept=metrics.kept)
        end_ns = min(asked.end_ns, now_ns)
        found = test(chosen, group, asked.start_ns, end_ns, sweeps=sweeps, before=before)
    if json:
        output.as_json(report.as_json(found))
        return
    for line in report.lines(found):
        output.line(line)


def _saved(control: "Control", rule_files: "Sequence[str]") -> "Sequence[Group]":
    """Return the groups that count: those of the configuration's files, and those that are saved."""
    from tailrace.alerts.rules.book import RuleBook
    from tailrace.clock import SystemClock

    book = RuleBook(control, rule_files, SystemClock())
    groups = book.current()
    for why in book.problems.values():
        output.note(f"warning: {why}")
    return groups


def _chosen(groups: "Sequence[Group]", name: str) -> "tuple[Rule, Group]":
    """Return the rule of a name or an id, with its group."""
    found = [(rule, group) for group in groups for rule in group.rules if name in (rule.name, rule.id)]
    if len(found) == 1:
        return found[0]
    if found:
        hint = "name one by its id: " + ", ".join(f"{rule.id} ({group.name})" for rule, group in found[:_NAMED])
        raise QueryError(f"there are {len(found)} rules {name!r}", hint=hint)
    names = sorted({rule.alert for group in groups for rule in group.rules if rule.alert})
    listed = ", ".join(names[:_NAMED]) + (" …" if len(names) > _NAMED else "")
    hint = did_you_mean(name, names) or (f"there are: {listed}" if names else "name a rule file with --file")
    raise QueryError(f"there is no rule {name!r}", hint=hint)
