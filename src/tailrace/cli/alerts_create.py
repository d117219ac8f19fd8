"""`tailrace alerts create`: an alert on a metric, or on a query."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from tailrace.cli import options, output
from tailrace.errors import DataError, QueryError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_PLACE: Final = re.compile(r"\$\.(?:rules\[0\]\.)?(\w+)(?:\.([\w-]+))?")
_FLAGS: Final = {
    "labels": "--label",
    "annotations": "--annotation",
    "interval": "--period",
    "alert": "--id",
    "name": "--id",
}


def alerts_create(
    name: Annotated[str, typer.Option("--id", "-id", metavar="NAME", help="Name of the alert.")],
    metric: Annotated[str | None, typer.Option("--metric", "-m", metavar="METRIC", help="What to watch.")] = None,
    level: Annotated[
        float | None, typer.Option("--level", "-l", help="It fires while the value is strictly above this.")
    ] = None,
    stat: Annotated[
        str | None,
        typer.Option(
            "--stat",
            "-s",
            help="avg or sum of a metric that counts or sums; other metrics have their own. (default: avg)",
        ),
    ] = None,
    window: Annotated[
        str | None, typer.Option("--window", "-w", metavar="SECONDS", help="How far back it looks. (default: 120)")
    ] = None,
    period: Annotated[
        str | None,
        typer.Option("--period", "-pr", metavar="SECONDS", help="How often it looks. (default: the metric's, or 60)"),
    ] = None,
    expr: Annotated[
        str | None,
        typer.Option("--expr", "-e", metavar="LOGQL", help="A query in place of a metric: it fires for each series."),
    ] = None,
    lasting: Annotated[
        str | None, typer.Option("--for", metavar="5m", help="It fires only when it was true for so long.")
    ] = None,
    label: Annotated[
        list[str] | None, typer.Option("--label", metavar="NAME=TEXT", help="Label to add. Repeatable.")
    ] = None,
    annotation: Annotated[
        list[str] | None,
        typer.Option("--annotation", metavar="NAME=TEXT", help="Text for people, with templates. Repeatable."),
    ] = None,
    config: options.ConfigFile = None,
    data: options.Data = None,
    url: options.Url = None,
) -> None:
    """Make an alert on a metric, or on a query. To change one, delete it and make it anew.

    For example:

        tailrace alerts create -id busy --metric traffic --level 10 --window 120

        tailrace alerts create -id errors --expr 'sum(rate({host=~".+"} |= "error" [5m])) > 1' --for 10m
    """
    from tailrace.alerts.rules.metric_alerts import NAMESPACE
    from tailrace.cli.alerts_places import place, rows

    if (metric is None) == (expr is None):
        raise QueryError("an alert watches either a metric or a query", hint="--metric NAME --level N, or --expr LOGQL")
    asked = {"--level": level, "--stat": stat, "--window": window}
    if expr is not None and (given := [flag for flag, value in asked.items() if value is not None]):
        raise QueryError(f"{', '.join(given)}: of a metric only; a query says it by itself", hint="as in … > 10")
    more = {"labels": _pairs(label, "--label"), "annotations": _pairs(annotation, "--annotation"), "for": lasting}
    if metric is None:
        group = _of_query(name, str(expr), period)
    else:
        group = _of_metric(name, metric, asked, period, (data, url, config))
    with place(data, url, config, create=True) as found:
        if any(row.name == name for row in rows(found)):
            output.line(f"{name}: already created")
            output.note(f"to change it, delete it first: tailrace alerts delete {name}")
            raise typer.Exit(1)
        group = _with(group, more)
        _check(group)
        found.save(NAMESPACE, group)
    output.line(f"{name}: created")
    for doubt in _doubts(group, data, url, config):
        output.note(f"warning: {doubt}")


def _of_query(name: str, expr: str, period: str | None) -> dict[str, Any]:  # a group, as YAML has it
    from tailrace.cli.metrics_asked import seconds

    interval = {} if period is None else {"interval": f"{seconds(period, '--period')}s"}
    return {"name": name, **interval, "rules": [{"alert": name, "expr": expr}]}


def _of_metric(
    name: str,
    metric: str,
    asked: "Mapping[str, Any]",  # values of flags
    period: str | None,
    where: tuple[Path | None, str | None, Path | None],
) -> dict[str, Any]:
    from tailrace.alerts.rules.metric_alerts import WINDOW_S, MetricAlert, rule_group
    from tailrace.cli import metrics_places
    from tailrace.cli.metrics_asked import seconds

    if asked["--level"] is None:
        raise QueryError("an alert on a metric needs a level", hint="--level 10")
    with metrics_places.place(*where) as metrics:
        watched = metrics_places.named(metrics, metric)
    alert = MetricAlert(
        name,
        watched,
        asked["--level"],
        asked["--stat"] or "",
        WINDOW_S if asked["--window"] is None else seconds(asked["--window"], "--window"),
        None if period is None else seconds(period, "--period"),
    )
    return dict(rule_group(alert))


def _with(group: dict[str, Any], more: "Mapping[str, Any]") -> dict[str, Any]:
    """Return a group whose rule also has what other flags say."""
    (rule,) = group["rules"]
    kept = {key: value for key, value in more.items() if value}
    if "annotations" in kept:
        kept["annotations"] = {**rule.get("annotations", {}), **kept["annotations"]}
    return {**group, "rules": [{**rule, **kept}]}


def _check(group: dict[str, Any]) -> None:
    """Refuse what is wrong with a group by the names of the flags, not by its places in a file that nobody wrote."""
    from tailrace.alerts.rules.book import parsed
    from tailrace.alerts.rules.metric_alerts import NAMESPACE

    try:
        parsed(NAMESPACE, group)
    except DataError as error:
        raise QueryError(_PLACE.sub(_flag, str(error))) from None


def _flag(place: "re.Match[str]") -> str:
    return " ".join(filter(None, (_FLAGS.get(place[1], f"--{place[1]}"), place[2])))


def _doubts(group: dict[str, Any], data: Path | None, url: str | None, config: Path | None) -> "Iterator[str]":
    """Yield what is doubtful about a rule that was saved: that it can never fire, for one."""
    from tailrace.alerts.rules.book import parsed
    from tailrace.alerts.rules.checks import check_groups
    from tailrace.alerts.rules.metric_alerts import NAMESPACE
    from tailrace.cli.check_rules import streams_of
    from tailrace.config.folders import holds_table
    from tailrace.config.load import load

    folder = None if url is not None else load(config, {"data": data}).data
    streams = None if folder is None or not holds_table(folder) else streams_of(folder)
    for doubt in check_groups(parsed(NAMESPACE, group), streams):
        yield f"{doubt.what} ({doubt.hint})" if doubt.hint else doubt.what


def _pairs(texts: "Iterable[str] | None", flag: str) -> dict[str, str]:
    pairs = {}
    for text in texts or ():
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise QueryError(f"{flag} {text!r} is no name with a text", hint=f"as in {flag} severity=page")
        pairs[name] = value
    return pairs
