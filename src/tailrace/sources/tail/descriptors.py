"""Open and close files for reading, never waiting for one, and tell how many may be open at once."""

from __future__ import annotations

import os
import resource
from contextlib import suppress
from typing import Final

from tailrace import limits

_FLAGS: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_SHARE: Final = 4
_LEAST: Final = 4


def fair_share() -> int:
    """Return how many files a source may hold open: what is left for the table, the API and other sources is more."""
    allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    share = limits.OPEN_FILES if allowed == resource.RLIM_INFINITY else allowed // _SHARE
    return max(_LEAST, min(limits.OPEN_FILES, share))


def open_file(path: str) -> int:
    """Return a descriptor for reading; a named pipe is not waited for. Raises `OSError`."""
    return os.open(path, _FLAGS)


def close_file(handle: int) -> None:
    """Give a descriptor back."""
    with suppress(OSError):  # a network file system may report an old failure here; the descriptor is given back
        os.close(handle)
