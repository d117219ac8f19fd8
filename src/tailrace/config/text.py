"""Read a file that an operator wrote: bounded, and as UTF-8."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tailrace.errors import ConfigError, Problem
from tailrace.limits import CONFIG_BYTES

if TYPE_CHECKING:
    from pathlib import Path


def text_of(path: Path, most: int = CONFIG_BYTES) -> str:
    """Return the text of a file, which has at most so many bytes; what cannot be read is the operator's mistake."""
    try:
        with path.open("rb") as file:
            data = file.read(most + 1)
    except FileNotFoundError:
        raise ConfigError("there is no such file", file=str(path)) from None
    except IsADirectoryError:
        raise ConfigError("this is a folder; name the file in it", file=str(path)) from None
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", file=str(path)) from None
    if len(data) > most:
        raise ConfigError(f"longer than {most:,} bytes; this is no configuration", file=str(path))
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise ConfigError([Problem("$", "not UTF-8 text", "save it as UTF-8", line, 1)], file=str(path)) from None
