"""`tailrace check`: find the mistakes of a file or a query before it is used."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tailrace.cli import failures, options, output
from tailrace.errors import ConfigError, QueryError

if TYPE_CHECKING:
    from tailrace.config.model import Config

app = typer.Typer(no_args_is_help=True, help="Check a configuration or a query without using it.")


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
        if all(problem.line is None for problem in error.problems):
            raise
        if json:
            output.as_json(
                {"ok": False, "file": str(file), "problems": [_as_dict(error, n) for n in range(len(error.problems))]}
            )
        else:
            output.note(str(error))
        raise typer.Exit(failures.FOUND) from None
    warnings = missing_paths(config)
    if json:
        output.as_json({"ok": True, "file": str(file), "warnings": warnings})
        return
    for warning in warnings:
        output.note(f"warning: {warning}")
    count = len(config.sources)
    output.line(f"{file}: good, {count} source{'s' * (count != 1)}")


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
