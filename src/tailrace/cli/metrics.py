"""`tailrace metrics`: numbers over the lines that are kept up to date, made and asked by name."""

import json
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tailrace.cli import options, output
from tailrace.cli.files_answers import Form as Format
from tailrace.errors import QueryError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tailrace.cli.metrics_places import Place, Value, Wanted
    from tailrace.rollups.model import Metric

app = typer.Typer(no_args_is_help=True, help="Make metrics of lines, and ask them by name.")

Name = Annotated[str, typer.Argument(metavar="METRIC", help="Name of a metric.")]
Output = Annotated[Format, typer.Option("--output", "-o", metavar="text|jsonl", help="Format of the rows.")]
Refresh = Annotated[
    float | None,
    typer.Option(
        "--refresh_rate", "--refresh-rate", "-rr", metavar="SECONDS", min=0.1, help="Again so often, until Ctrl-C."
    ),
]


@app.command("list")
def metrics_list(
    form: Output = "text",
    config: options.ConfigFile = None,
    data: options.Data = None,
    url: options.Url = None,
) -> None:
    """List all metrics with their queries.

    For example:

        tailrace metrics list

        tailrace metrics list --url http://127.0.0.1:9080 -o jsonl
    """
    from tailrace.cli.metrics_places import place

    with place(data, url, config) as found:
        metrics = found.metrics()
    if form == "jsonl":
        for metric in metrics:
            output.line(json.dumps(_described(metric), ensure_ascii=False))
    elif metrics:
        output.table((metric.name, metric.expr) for metric in metrics)
    else:
        output.note("there are no metrics; make some: tailrace metrics create --default")


@app.command("get")
def metrics_get(
    name: Name,
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=1, help="Values at most.")] = 100,
    top: Annotated[
        int | None,
        typer.Option("--top", metavar="N", min=1, help="Only the newest period, its N greatest values."),
    ] = None,
    refresh_s: Refresh = None,
    since: Annotated[
        str | None,
        typer.Option("--since", metavar="1h", help="Look back so far. (default: a day before the newest line)"),
    ] = None,
    start: options.From = None,
    end: options.To = None,
    form: Output = "text",
    config: options.ConfigFile = None,
    data: options.Data = None,
    url: options.Url = None,
) -> None:
    """Show the newest values of a metric, newest first: the end of the period, the segment, the value.

    The period that is not over yet is left out. Late lines count at once: values are those of the lines as they are.

    For example:

        tailrace metrics get traffic

        tailrace metrics get sections --top 5 --refresh_rate 10
    """
    from tailrace.cli.metrics_places import named, newest, place
    from tailrace.cli.span import span

    with place(data, url, config) as found:
        metric = named(found, name)
        while True:
            values = newest(found, metric, limit if top is None else None, span(since, start, end, time.time_ns()))[
                :top
            ]
            if not values and refresh_s is None:
                output.note(f"{name} has no values yet")
            _print(values, form)
            if refresh_s is None:
                return
            time.sleep(refresh_s)


@app.command("meta")
def metrics_meta(
    name: Name,
    json: options.Json = False,
    config: options.ConfigFile = None,
    data: options.Data = None,
    url: options.Url = None,
) -> None:
    """Show what a metric is: its query, statistic, property, period and so on.

    For example:

        tailrace metrics meta traffic
    """
    from tailrace.cli.metrics_places import named, place

    with place(data, url, config) as found:
        described = _described(named(found, name))
    if json:
        output.as_json(described)
    else:
        output.table((key.removesuffix("_s"), _text(key, value)) for key, value in described.items() if value != "")


@app.command("create")
def metrics_create(
    default: Annotated[
        bool, typer.Option("--default", help="Make the default set: metrics of access logs and an alert on them.")
    ] = False,
    name: Annotated[str | None, typer.Option("--id", "-id", metavar="NAME", help="Name of the metric.")] = None,
    expr: Annotated[
        str | None, typer.Option("--expr", "-e", metavar="LOGQL", help="A metric query, in place of the flags below.")
    ] = None,
    stat: Annotated[
        str | None,
        typer.Option("--stat", "-s", help="count, sum, rate, avg, min, max, distinct, median, p99 … (default: count)"),
    ] = None,
    prop: Annotated[
        str | None,
        typer.Option("--prop", "-p", metavar="FIELD", help="What it is of; * are the lines themselves. (default: *)"),
    ] = None,
    period: Annotated[
        str | None,
        typer.Option("--period", "-pr", metavar="SECONDS", help="One value for so long, as 60 or 5m. (default: 60)"),
    ] = None,
    refresh: Annotated[
        str | None,
        typer.Option(
            "--refresh_rate",
            "--refresh-rate",
            "-rr",
            metavar="SECONDS",
            help="How often people look at it. (default: the period)",
        ),
    ] = None,
    segment: Annotated[
        str | None,
        typer.Option(
            "--segment", "-seg", metavar="FIELD", help="One series per value of this; `section` is made of the path."
        ),
    ] = None,
    filter_: Annotated[
        str | None,
        typer.Option("--filter", "-f", metavar="LOGQL", help="Only these lines: a selector, stages, or both."),
    ] = None,
    group: Annotated[
        str | None, typer.Option("--group", "-g", metavar="NAME", help="Only lines of this log group, or source.")
    ] = None,
    backfill: Annotated[
        str, typer.Option("--backfill", metavar="1d", help="How much of the past it starts with, or `all`.")
    ] = "1d",
    config: options.ConfigFile = None,
    data: options.Data = None,
    url: options.Url = None,
) -> None:
    r"""Make a metric, of flags or of a query; it can be asked at once. To change one, delete it and make it anew.

    For example:

        tailrace metrics create --default

        tailrace metrics create -id magic -s count --prop \* --period 60 --refresh_rate 60

        tailrace metrics create -id slow -s p99 -p duration_ms -pr 5m -seg path -f '{source="shop"} | status < 500'

        tailrace metrics create -id errors --expr 'sum by (host) (count_over_time({host=~".+"} |= "error" [1m]))'
    """
    from tailrace.cli import metrics_asked
    from tailrace.cli.metrics_places import place

    form = {
        "--stat": stat,
        "--prop": prop,
        "--segment": segment,
        "--period": period,
        "--refresh_rate": refresh,
        "--filter": filter_,
        "--group": group,
    }
    if default:
        given = [flag for flag, value in {"--id": name, "--expr": expr, **form}.items() if value is not None]
        if given:
            raise QueryError(f"--default makes a set of its own, without {', '.join(given)}")
        from tailrace.cli.default_set import create

        create(data, url, config)
        return
    wanted = metrics_asked.wanted(name, expr, form, backfill)
    with place(data, url, config, create=True) as found:
        made = _make(found, wanted)
    output.line(f"{wanted.name}: {'created' if made else 'already created'}")
    if not made:
        output.note(f"to change it, delete it first: tailrace metrics delete {wanted.name}")
        raise typer.Exit(1)


@app.command("delete")
def metrics_delete(
    name: Name,
    config: options.ConfigFile = None,
    data: options.Data = None,
    url: options.Url = None,
) -> None:
    """Delete a metric and the numbers kept for it; the lines stay, and so do alerts that were made of it.

    For example:

        tailrace metrics delete magic
    """
    from tailrace.cli.metrics_places import named, place

    with place(data, url, config) as found:
        named(found, name)
        found.delete(name)
    output.line(f"deleted {name}")


def _make(found: "Place", wanted: "Wanted") -> bool:
    from tailrace.rollups.definitions import MetricExistsError

    try:
        found.create(wanted)
    except MetricExistsError:
        return False
    return True


def _print(values: "Iterable[Value]", form: Format) -> None:
    from tailrace.cli.alerts_shown import json_number, number, segment
    from tailrace.web.times import iso

    for one in values:
        which = segment(one.labels)
        if form == "jsonl":
            document = {"time": iso(one.at_ns), "labels": dict(one.labels), "value": json_number(one.value)}
            output.line(json.dumps(document, ensure_ascii=False))
        else:
            output.line(f"{iso(one.at_ns)}{',' if which else ''}{which}: {number(one.value)}")


def _described(metric: "Metric") -> dict[str, Any]:
    """Return a metric as names and values."""
    from tailrace.rollups.model import EVER
    from tailrace.web.times import iso

    form = {} if metric.form is None else asdict(metric.form)
    period_s = metric.period_ns / 1e9
    refresh = {} if metric.form is None else {"refresh_s": float(metric.form.refresh_s or period_s)}
    return {
        "name": metric.name,
        **form,
        "period_s": period_s,
        **refresh,
        "expr": metric.expr,
        "bucket_s": metric.bucket_ns / 1e9,
        "since": "the first line" if metric.since_ns == EVER else iso(metric.since_ns),
        "created": iso(metric.created_ns),
    }


def _text(key: str, value: object) -> str:
    return f"{value:g} s" if key.endswith("_s") else str(value)
