r"""Small words about metadata: paths as text, owners by name, how times are written.

>>> text(b"/srv/caf\xc3\xa9"), text(b"/srv/\xff")
('/srv/café', '/srv/\\xff')
"""

from __future__ import annotations

import grp
import pwd
from functools import lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

_NAMES: Final = 65_536


def text(path: bytes) -> str:
    r"""Return a path as the table holds it; a byte that is no UTF-8 as `\xff`."""
    return path.decode("utf-8", "backslashreplace")


def texts(paths: Sequence[bytes]) -> list[str]:
    """Return paths as the table holds them."""
    try:
        return [path.decode() for path in paths]
    except UnicodeDecodeError:
        return [text(path) for path in paths]


@lru_cache(_NAMES)
def owner(uid: int) -> str | None:
    """Return the name of a user, None if it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except (KeyError, OverflowError):
        return None


@lru_cache(_NAMES)
def group(gid: int) -> str | None:
    """Return the name of a group, None if it has none."""
    try:
        return grp.getgrgid(gid).gr_name
    except (KeyError, OverflowError):
        return None
