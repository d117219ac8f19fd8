"""Paths as people give them: made absolute, since a stream is named by its path, and looked for."""

from __future__ import annotations

import os
from glob import has_magic, iglob
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def absolute(paths: Iterable[Path]) -> list[str]:
    """Return the paths from the root on; links in them stay, and so do patterns."""
    return [os.path.abspath(path.expanduser()) for path in paths]  # noqa: PTH100  Path.absolute keeps `..`


def missing(paths: Iterable[str]) -> list[str]:
    """Return the paths that are not there, and the patterns that match nothing now."""
    return [path for path in paths if not _is_there(Path(path).expanduser())]


def _is_there(path: Path) -> bool:
    if not has_magic(str(path)):
        return os.path.lexists(path)
    return any(True for _ in iglob(str(path), recursive=True))  # noqa: PTH207  stops at the first
