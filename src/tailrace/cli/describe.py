"""Describe the command line from its commands: the reference page.

`python -m tailrace.cli.describe FOLDER` writes `cli.md` there; `make docs` does that, and a test holds the page to the
commands.
"""

from __future__ import annotations

import inspect
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import typer

from tailrace.cli.app import app

if TYPE_CHECKING:
    from collections.abc import Iterator

_HEAD: Final = """\
# Command line

<!-- Made by `make docs` from the commands in src/tailrace/cli; change the docstrings there. -->

Answers go to standard output, everything else to standard error. Exit codes: 0 success; 1 a finding, or a failure
outside (a problem found, a full disk, an unreachable server); 2 a mistake in what was asked (usage, configuration,
query); 130 Ctrl-C; 141 the reader of the answer went away.

Times are RFC 3339 (`2026-01-02T03:04:05Z`; without a zone: UTC), Unix seconds or nanoseconds, `now`, `now-1h`, or a
duration such as `90m` that counts back from now.
"""

Command = Any
"""A command of Typer's own copy of Click, which has no public type."""


def markdown() -> str:
    """Return the reference page: one section per command."""
    top = typer.main.get_command(app)
    return "\n".join([_HEAD, *(_section(words, command) for words, command in _commands(("tailrace",), top))])


def _commands(words: tuple[str, ...], command: Command) -> Iterator[tuple[tuple[str, ...], Command]]:
    """Yield every command that does something, with the words that call it."""
    below = getattr(command, "commands", None)
    if below is None:
        yield words, command
        return
    for name, inner in below.items():
        yield from _commands((*words, name), inner)


def _section(words: tuple[str, ...], command: Command) -> str:
    text, _, examples = inspect.cleandoc(command.help or "").partition("For example:")
    arguments = " ".join(_argument(each) for each in command.params if each.param_type_name == "argument")
    rows = [f"| `{_flags(each)}` | {_meaning(each)} |" for each in command.params if not getattr(each, "hidden", False)]
    shown = [line.strip() for line in examples.splitlines() if line.strip()]
    parts = [
        f"## `{' '.join(words)}`",
        "",
        text.strip(),
        "",
        "```",
        f"{' '.join(words)} [OPTIONS] {arguments}".rstrip(),
        "```",
        "",
        "| flag | meaning |",
        "|---|---|",
        *rows,
        "",
        "```sh",
        *shown,
        "```",
        "",
    ]
    return "\n".join(parts)


def _argument(parameter: Command) -> str:
    return parameter.metavar if parameter.required else f"[{parameter.metavar}]"


def _flags(parameter: Command) -> str:
    if parameter.param_type_name == "argument":
        return str(parameter.metavar)
    names = ", ".join(parameter.opts)
    return f"{names} {parameter.metavar}".replace("|", "\\|") if parameter.metavar else names


def _meaning(parameter: Command) -> str:
    text = parameter.help or ""
    if parameter.default not in (None, False, ()) and not callable(parameter.default):
        text += f" (default: {parameter.default})"
    if getattr(parameter, "envvar", None):
        text += f" (environment: {parameter.envvar})"
    return text.replace("|", "\\|")


def main() -> None:
    """Write `cli.md` into the folder that the command line names."""
    Path(sys.argv[1], "cli.md").write_text(markdown(), encoding="utf-8")


if __name__ == "__main__":
    main()
