"""Decide the data folder and this machine's name, where nobody names them."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

TABLE_LOG = Path("logs", "_delta_log")
"""What a data folder that holds a table has in it."""


def data_folder(
    environ: Mapping[str, str] | None = None, here: Path | None = None, *, root: bool | None = None
) -> Path:
    """Return `./data` if it holds a table, else `/var/lib/tailrace` for root and `~/.local/share/tailrace` for others.

    `TAILRACE_DATA` goes before all of these, and `XDG_DATA_HOME` moves the last one.
    """
    environ = os.environ if environ is None else environ
    if named := environ.get("TAILRACE_DATA"):
        return Path(named).expanduser()
    local = Path("data")
    if ((here or Path()) / local / TABLE_LOG).is_dir():
        return local
    if os.geteuid() == 0 if root is None else root:
        return Path("/var/lib/tailrace")
    base = environ.get("XDG_DATA_HOME", "")
    home = Path(base) if base.startswith("/") else Path(environ.get("HOME", "~")).expanduser() / ".local" / "share"
    return home / "tailrace"


def machine_name() -> str:
    """Return this machine's name."""
    return socket.gethostname()
