"""What commands print: answers to standard output, everything else to standard error.

A reader that goes away (`| head`) ends the command quietly, with the exit code that a shell gives for SIGPIPE.
"""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Final

import typer

if TYPE_CHECKING:
    from collections.abc import Iterable

PIPE_CLOSED: Final = 141  # 128 + SIGPIPE
_STEPS: Final = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
_STEP: Final = 1024


def write(text: str) -> None:
    """Print text as it is."""
    write_bytes(text.encode("utf-8", "surrogateescape"))


def write_bytes(data: bytes) -> None:
    """Print bytes as they are, at once, all of them: without a buffer (PYTHONUNBUFFERED) a pipe takes only a part."""
    rest = memoryview(data)
    try:
        sys.stdout.flush()
        while rest:
            rest = rest[sys.stdout.buffer.write(rest) or 0 :]
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(PIPE_CLOSED) from None


def line(text: str = "") -> None:
    """Print one line."""
    write(text + "\n")


def note(text: str) -> None:
    """Say something beside the answer, on standard error."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def as_json(value: object) -> None:
    """Print a value as indented JSON; paths and the like as text."""
    line(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def table(rows: Iterable[tuple[str, str]]) -> None:
    """Print names and values in two columns."""
    pairs = list(rows)
    width = max((len(name) for name, _ in pairs), default=0)
    for name, value in pairs:
        line(f"{name:<{width}}  {value}".rstrip())


def is_terminal() -> bool:
    """Tell whether a person reads standard error."""
    return sys.stderr.isatty()


def coloured() -> bool:
    """Tell whether answers may have colours: on a terminal, unless the user wants none (no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def size(count: float) -> str:
    """Return a number of bytes as people read it.

    >>> size(0), size(1023), size(1536), size(5 * 1024**3)
    ('0 B', '1023 B', '1.5 KiB', '5.0 GiB')
    """
    step = 0
    while count >= _STEP and step < len(_STEPS) - 1:
        count, step = count / _STEP, step + 1
    return f"{count:.0f} B" if step == 0 else f"{count:.1f} {_STEPS[step]}"
