"""Decide the data folder and this machine's name, where nobody names them."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING

from tailrace.errors import TableError
from tailrace.store.urls import url_of

if TYPE_CHECKING:
    from collections.abc import Mapping

TABLE_LOG = Path("logs", "_delta_log")
"""What a data folder that holds a table has in it."""


def data_folder(
    environ: Mapping[str, str] | None = None, here: Path | None = None, *, root: bool | None = None
) -> Path:
    """Return `./data` if it holds a table, else `/var/lib/tailrace` for root and `~/.local/share/tailrace` for others.

    `TAILRACE_DATA` goes before all of these, unless it is a URL, and `XDG_DATA_HOME` moves the last one.
    """
    environ = os.environ if environ is None else environ
    if (named := environ.get("TAILRACE_DATA")) and url_of(named) is None:
        return Path(named).expanduser()
    local = Path("data")
    if os.path.isdir((here or Path()) / local / TABLE_LOG):  # noqa: PTH112  false, not an error, where it is not ours
        return local
    if os.geteuid() == 0 if root is None else root:
        return Path("/var/lib/tailrace")
    base = environ.get("XDG_DATA_HOME", "")
    home = Path(base) if base.startswith("/") else Path(environ.get("HOME", "~")).expanduser() / ".local" / "share"
    return home / "tailrace"


def named_data() -> str:
    """Return what the environment names as data: a folder, the URL of a table, or nothing."""
    return os.environ.get("TAILRACE_DATA", "")


def holds_table(data: Path) -> bool:
    """Tell whether a data folder holds a table; one that this user may not look into is a `TableError`."""
    try:
        return (data / TABLE_LOG).is_dir()
    except PermissionError as error:
        raise TableError(f"{error.filename} cannot be read (give this user the right to read {data})") from None


def machine_name() -> str:
    """Return this machine's name."""
    return socket.gethostname()
