"""`tailrace check`: find the mistakes of a file or a query before it is used."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from tailrace.cli import failures, options, output
from tailrace.errors import ConfigError, QueryError

if TYPE_CHECKING:
    from tailrace.cli.check_rules import Checked
    from tailrace.config.model import Config

app = typer.Typer(no_args_is_help=True, help="Check a configuration, rules or a query without using them.")


@app.command("config")
def check_config(
    file: Annotated[Path, typer.Argument(readable=False, metavar="FILE", help="YAML file to check.")],
    json: options.Json = False,
) -> None:
    """Find all mistakes of a configuration; warn about what is not there.

    Exit code 0: it can be used. 1: it has mistakes. 2: it cannot be read.

    For example:

        tailrace check config tailrace.yaml

        tailrace check config --json tailrace.yaml
    """
    from tailrace.config.load import load

    try:
        config = load(file)
    except ConfigError as error:
        _refuse(error, file, json=json)
    from tailrace.cli.check_rules import mistakes

    warnings = [*missing_paths(config), *config.spec.warnings, *mistakes(config.alerts.rule_files)]
    warnings += [*untold(config), *missing_here(config)]
    if json:
        output.as_json({"ok": True, "file": str(file), "warnings": warnings})
        return
    for warning in warnings:
        output.note(f"warning: {warning}")
    count = len(config.sources)
    output.line(f"{file}: good, {count} source{'s' * (count != 1)}")


@app.command("spec")
def check_spec(
    file: Annotated[
        Path, typer.Argument(readable=False, metavar="FILE", help="YAML file with a spec, or a configuration.")
    ],
    sample: Annotated[
        list[Path] | None,
        typer.Option("--sample", readable=False, metavar="LOG", help="Try it on this file or folder; may be repeated."),
    ] = None,
    form: Annotated[str, typer.Option("--format", help="Format of the sample.")] = "auto",
    examples: Annotated[
        int, typer.Option("--examples", min=0, max=1000, help="Show so many lines that each step took, and made.")
    ] = 0,
    json: options.Json = False,
) -> None:
    """Find all mistakes of a spec, and show what it does to a sample of logs: nothing is stored.

    Volumes are the text of lines and fields. Exit code 0: it can be used. 1: it has mistakes. 2: it cannot be read.

    For example:

        tailrace check spec reduce.yaml

        tailrace check spec reduce.yaml --sample /var/log/app.log --examples 3
    """
    from tailrace.cli import check_spec as command

    try:
        spec = command.load(file)
    except ConfigError as error:
        _refuse(error, file, json=json)
    done = command.try_out(spec, sample, form, examples) if sample else None
    if json:
        tried = None if done is None else command.as_json(done)
        warnings = list(spec.warnings)
        output.as_json({"ok": True, "file": str(file), "steps": len(spec.steps), "warnings": warnings, "sample": tried})
        return
    output.line(f"{file}: good, {command.said(spec)}")
    if done is not None:
        command.show(done)
    for warning in spec.warnings if done is None else done.warnings:
        output.note(f"warning: {warning}")


@app.command("rules")
def check_rules(
    files: Annotated[list[Path], typer.Argument(readable=False, metavar="FILE…", help="Rule files to check.")],
    data: Annotated[
        Path | None,
        typer.Option(
            "--data", metavar="DIR", readable=False, help="Data folder: are there lines that a rule looks for?"
        ),
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Take what is doubtful for a mistake.")] = False,
    json: options.Json = False,
) -> None:
    """Find all mistakes of rule files, and warn about rules that never fire, look away or say nothing.

    Exit code 0: they can be used. 1: there are mistakes. 2: a file cannot be read.

    For example:

        tailrace check rules rules.yaml

        tailrace check rules --data data --strict rules.yaml more.yaml
    """
    from tailrace.cli import check_rules as command

    streams = command.streams_of(data)
    found = [command.checked(file, streams) for file in files]
    if json:
        output.as_json([each.as_json() for each in found])
    else:
        for each in found:
            _show_rules(each)
    if any(each.mistakes or (strict and each.doubts) for each in found):
        raise typer.Exit(failures.FOUND)


def _show_rules(found: "Checked") -> None:
    for mistake in found.mistakes:
        output.note(mistake.one_line(str(found.file)))
    for doubt in found.doubts:
        output.note(f"warning: {doubt.one_line(str(found.file))}")
    if not found.mistakes:
        output.line(f"{found.file}: good, {found.rules} rule{'s' * (found.rules != 1)}")


def _refuse(error: ConfigError, file: Path, *, json: bool) -> NoReturn:
    """Print all mistakes of a file, and end."""
    if all(problem.line is None for problem in error.problems):
        raise error
    if json:
        problems = [_as_dict(error, number) for number in range(len(error.problems))]
        output.as_json({"ok": False, "file": str(file), "problems": problems})
    else:
        output.note(str(error))
    raise typer.Exit(failures.FOUND) from None


def _as_dict(error: ConfigError, number: int) -> dict[str, object]:
    problem = error.problems[number]
    return {name: getattr(problem, name) for name in ("where", "what", "hint", "line", "column")}


def missing_paths(config: "Config") -> list[str]:
    """Return a warning for every path of a source that matches nothing at this moment."""
    from tailrace.cli.paths import missing

    warnings: list[str] = []
    for index, source in enumerate(config.sources):
        if source.type == "files":
            wanted = dict.fromkeys(source.paths, "paths")
        else:
            wanted = {source.path: "path"} if source.type == "fifo" else {}
        warnings += [
            f"$.sources[{index}].{wanted[path]}: {path} does not exist; it is read when it appears"
            for path in missing(wanted)
        ]
    return warnings


def missing_here(config: "Config") -> list[str]:
    """Return a warning for each library and certificate that the configuration needs and that is not here."""
    from tailrace.cli import probes_fleet

    found = [*probes_fleet.extras(config), *probes_fleet.certificate(config)]
    return [f"{one.what} ({one.do})" for one in found if one.state == "fail"]


def untold(config: "Config") -> list[str]:
    """Return a warning for all that would keep receivers from being told: secrets and files that are not here."""
    if not config.alerts.receivers:
        return []
    from tailrace.alerts.notify.doubts import doubts

    receivers = enumerate(config.alerts.receivers)
    return [str(doubt) for index, one in receivers for doubt in doubts(one, ("alerts", "receivers", index))]


@app.command("query")
def check_query(
    query: Annotated[str, typer.Argument(metavar="LOGQL", help="Query to check.")],
    json: options.Json = False,
) -> None:
    """Show how a query is understood, or where its mistake is.

    Exit code 0: it can be asked. 1: it has a mistake.

    For example:

        tailrace check query '{app="web"} |= "error" | json | status >= 500'
    """
    from tailrace.query.parser import parse

    try:
        text = str(parse(query))
    except QueryError as error:
        if json:
            line, column = error.line_column or (None, None)
            output.as_json({"ok": False, "what": error.what, "hint": error.hint, "line": line, "column": column})
        else:
            output.note(str(error))
        raise typer.Exit(failures.FOUND) from None
    if json:
        output.as_json({"ok": True, "query": text})
    else:
        output.line(text)
