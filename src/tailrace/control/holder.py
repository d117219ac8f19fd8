"""Which process holds a lease, by a name that tells others on the same machine whether it is still alive.

The name is that of the boot, the space of process numbers, the process and when it began; a process of another
machine or container is never said to be gone, as nobody here can know.
"""

from __future__ import annotations

import os
import secrets
import socket
from pathlib import Path
from typing import Final

_BOOT: Final = Path("/proc/sys/kernel/random/boot_id")
_PARTS: Final = 5
_START: Final = 19  # of the fields behind the name of the program: when the process began


def holder() -> str:
    """Return a name for this process that no other one has, not even after a restart."""
    where = _where()
    number = os.getpid()
    if where is None or (began := _began(number)) is None:
        return f"{socket.gethostname()}/{number}/{secrets.token_hex(4)}"
    return "/".join((*where, str(number), began, secrets.token_hex(4)))


def is_gone(name: str) -> bool:
    """Tell whether the process of a name is known to run no more."""
    parts, where = name.split("/"), _where()
    if where is None or len(parts) != _PARTS or tuple(parts[:2]) != where or not parts[2].isdigit():
        return False
    return _began(int(parts[2])) != parts[3]


def _where() -> tuple[str, str] | None:
    """Return the boot and the space of process numbers; None where the system does not say."""
    try:
        return _BOOT.read_text().strip(), str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return None


def _began(number: int) -> str | None:
    """Return when a process began, in the kernel's ticks; None if there is none, or if it has ended."""
    try:
        text = Path(f"/proc/{number}/stat").read_text()
    except OSError:
        return None
    fields = text[text.rindex(")") + 2 :].split()
    return None if fields[0] in "ZX" else fields[_START]
