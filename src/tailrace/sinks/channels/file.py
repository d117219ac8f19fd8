"""Channels that write text: to a file, or to standard output."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tailrace.errors import TransientError
from tailrace.sinks.channels.lines import encoded
from tailrace.sinks.channels.outbox import Outbox

if TYPE_CHECKING:
    import polars as pl

    from tailrace.channels import FileChannel, StdoutChannel


def to_file(settings: FileChannel) -> Outbox:
    """Return a channel that appends to a file; it is made, with its folder, at the first write."""
    path = Path(settings.path).expanduser()

    def deliver(rows: pl.DataFrame) -> None:
        data = encoded(rows, settings.format)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # One write of an appended file is not mixed with another's; by name each time, so that it may be rotated.
            handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
            try:
                done = 0
                while done < len(data):
                    done += os.write(handle, data[done:])
            finally:
                os.close(handle)
        except OSError as error:
            raise TransientError(f"{path}: cannot be written: {error.strerror or error}") from error

    return Outbox(settings.name, settings.queue, deliver)


def to_stdout(settings: StdoutChannel) -> Outbox:
    """Return a channel that writes to standard output."""

    def deliver(rows: pl.DataFrame) -> None:
        sys.stdout.write(encoded(rows, settings.format).decode("utf-8", "backslashreplace"))
        sys.stdout.flush()

    return Outbox(settings.name, settings.queue, deliver)
