"""`tailrace alerts`: see how alerts stand and what they said, make and remove them."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tailrace.cli import (
    alerts_backtest,
    alerts_create,
    alerts_observe,
    alerts_parked,
    alerts_receivers,
    alerts_silence,
    alerts_test,
    check,
    options,
    output,
)
from tailrace.cli.files_answers import Form

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tailrace.cli.alerts_shown import AlertRow

app = typer.Typer(no_args_is_help=True, help="See how alerts stand and what they said; make and remove them.")

Name = Annotated[str, typer.Argument(metavar="ALERT", help="Name of an alert, or the id of its rule.")]
Output = Annotated[Form, typer.Option("--output", "-o", metavar="text|jsonl", help="Format of the rows.")]
Words = Annotated[
    options.Wording,
    typer.Option("--wording", metavar="puppylog|plain", help="In puppylog's words, or by names of states."),
]


@app.command("list")
def alerts_list(
    wording: Words = "plain",
    form: Output = "text",
    config: options.ConfigFile = None,
    data: options.Data = None,
    url: options.Url = None,
) -> None:
    """List all alerts with their states, those of rule files among them.

    For example:

        tailrace alerts list

        tailrace alerts list --url http://127.0.0.1:9080 -o jsonl
    """
    from tailrace.cli.alerts_places import place, rows, told
    from tailrace.cli.alerts_shown import available

    with place(data, url, config) as where:
        found = told(rows(where))
    if form == "jsonl":
        _documents(row.as_json() for row in found)
    elif wording == "puppylog":
        output.line(available([row.name for row in found]))
    elif found:
        width = max(len(row.name) for row in found)
        for row in found:
            unsure = f"  ({row.outcome})" if row.outcome in ("error", "late") else ""
            output.line(f"{row.state:<9}  {row.name:<{width}}  {_one_line(row.expr)}{unsure}")
    else:
        output.note("there are no alerts; make some: tailrace metrics create --default")


def _one_line(expr: str) -> str:
    """Return an expression of several lines, as rule files have them, in a row of the list."""
    return " ".join(line.strip() for line in expr.strip().splitlines())


@app.command("get")
def alerts_get(
    name: Name,
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=1, help="Lines at most.")] = 100,
    form: Output = "text",
    config: options.ConfigFile = None,
    data: options.Data = None,
    url: options.Url = None,
) -> None:
    """Show what an alert said, newest first: each window in which its condition was true, and when it was over.

    For example:

        tailrace alerts get totaltraffic

        tailrace alerts get totaltraffic --limit 10 -o jsonl
    """
    from tailrace.cli.alerts_places import named, place, rows
    from tailrace.cli.alerts_shown import entry_json, history_line

    with place(data, url, config) as where:
        pairs = [(row, entry) for row in named(rows(where), name) for entry in where.history(row.id, limit)]
    pairs = sorted(pairs, key=lambda pair: -pair[1].at_ns)[:limit]
    if form == "jsonl":
        _documents({"alert": row.name, **entry_json(entry)} for row, entry in pairs)
        return
    for row, entry in pairs:
        output.line(history_line(row, entry))
    if not pairs:
        output.note(f"{name} has said nothing yet")


@app.command("meta")
def alerts_meta(
    name: Name,
    json: options.Json = False,
    config: options.ConfigFile = None,
    data: options.Data = None,
    url: options.Url = None,
) -> None:
    """Show what an alert is: its expression, how often it is evaluated, how it stands.

    For example:

        tailrace alerts meta totaltraffic
    """
    from tailrace.cli.alerts_places import named, place, rows

    with place(data, url, config) as where:
        found = named(rows(where), name)
    if json:
        output.as_json([row.as_json() for row in found])
        return
    for number, row in enumerate(found):
        if number:
            output.line()
        output.table(_described(row))


app.command("observe")(alerts_observe.alerts_observe)
app.command("create")(alerts_create.alerts_create)


@app.command("delete")
def alerts_delete(
    name: Name,
    config: options.ConfigFile = None,
    data: options.Data = None,
    url: options.Url = None,
) -> None:
    """Remove an alert that was made by a command, the API or the page; one of a rule file is removed there.

    For example:

        tailrace alerts delete totaltraffic
    """
    from tailrace.cli.alerts_places import named, place, remove, rows

    with place(data, url, config) as where:
        remove(where, named(rows(where), name))
    output.line(f"deleted {name}")


app.command("silence")(alerts_silence.alerts_silence)
app.command("parked")(alerts_parked.alerts_parked)
app.command("test-receiver")(alerts_receivers.alerts_test_receiver)
alerts_test.register(app)
alerts_backtest.register(app)


@app.command("check")
def alerts_check(
    files: Annotated[list[Path], typer.Argument(readable=False, metavar="FILE…", help="Rule files to check.")],
    data: options.Data = None,
    strict: Annotated[bool, typer.Option("--strict", help="Take what is doubtful for a mistake.")] = False,
    json: options.Json = False,
) -> None:
    """Find the mistakes of rule files, as `tailrace check rules` does: with --data also what lines they look for.

    For example:

        tailrace alerts check rules.yaml --data ./data
    """
    check.check_rules(files, data, strict, json)


def _described(row: "AlertRow") -> "Iterable[tuple[str, str]]":
    from tailrace.cli.report import words

    for key, value in row.as_json().items():
        if isinstance(value, dict):
            yield from ((f"{key[:-1]} {name}", str(text)) for name, text in value.items())
        elif isinstance(value, float):
            yield words(key.removesuffix("_s")), f"{value:g} s"
        elif isinstance(value, bool):
            yield key, "yes" if value else "no"
        elif value not in ("", None):
            yield key, str(value)


def _documents(rows: "Iterable[object]") -> None:
    for row in rows:
        output.line(json.dumps(row, ensure_ascii=False))
