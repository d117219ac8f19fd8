"""What a failure looks like to a person, and which exit code it has.

0 is success. 1 is a finding or a failure outside (a problem found, a full disk, an unreachable server). 2 is a
mistake in what was asked: usage, configuration, query. 130 is Ctrl-C. Anything that is not a `TailraceError` is a
bug of ours and keeps its traceback.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tailrace.errors import ConfigError, QueryError

if TYPE_CHECKING:
    import typer

    from tailrace.errors import TailraceError

FOUND: Final = 1
USAGE: Final = 2


def exit_code(error: TailraceError) -> int:
    """Return the exit code of a failure."""
    return USAGE if isinstance(error, ConfigError | QueryError) else FOUND


def text(error: TailraceError) -> str:
    """Return what a person reads: what, where, what to do; a query's mistake with its line and a caret."""
    return str(error) if isinstance(error, QueryError) and error.line_column else f"error: {error}"


def usage_code(error: typer.TyperException) -> int:
    """Return the exit code of a usage mistake: `USAGE`, or what the command has instead of it."""
    command = getattr(getattr(error, "ctx", None), "command", None)
    return int(getattr(command, "usage_code", USAGE))


def usage_text(error: typer.TyperException) -> str:
    """Return a usage mistake with the command's usage line and where to read more."""
    context = getattr(error, "ctx", None)
    said = f"error: {error.format_message()}"
    if context is None:
        return said
    return f"{said}\n{context.get_usage()}\nTry '{context.command_path} --help' for examples."
