"""`tailrace config`: what is in force, and what could be."""

from typing import Annotated

import typer

from tailrace.cli import options, output

app = typer.Typer(no_args_is_help=True, help="Show the effective configuration, or its schema.")


@app.command("show")
def show_config(
    config: options.ConfigFile = None,
    data: options.Data = None,
    listen: Annotated[str | None, typer.Option("--listen", metavar="HOST:PORT", help="As 'up' takes it.")] = None,
    json: options.Json = False,
) -> None:
    """Print the effective configuration as YAML, each value with where it comes from.

    For example:

        tailrace config show

        tailrace config show --config tailrace.yaml --json
    """
    from tailrace.config.load import resolve
    from tailrace.config.show import origins, show

    loaded = resolve(config, {"data": data, "listen": listen})
    if json:
        output.as_json(origins(loaded))
    else:
        output.write(show(loaded))


@app.command("schema")
def print_schema() -> None:
    """Print the JSON Schema of the configuration file, for editors.

    For example:

        tailrace config schema > tailrace.schema.json
    """
    from tailrace.config.describe import schema

    output.as_json(schema())
