"""What happened while the rows of a walk were held: which of them still stand, and what must be walked again.

Comes in: the news of every reading since the walk's step, until nothing waited any more. Goes out: the rows that no
event touched. They are numbered after those events, so none that is older than the walk can move or remove what it saw;
and what is newer than the walk has touched the path, or a folder above it:

- of a path that any event is about, the event's own row tells;
- what was below a folder that was renamed, removed, or is silent yet, is not where it was seen;
- a renamed folder is walked again at its new path, and what was told of its content counts no more: the walk may have
  come too late for one place, too early for the other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.sources.file_events import backend as bits
from tailrace.sources.file_events.metadata import text, texts

if TYPE_CHECKING:
    from tailrace.sources.file_events.backend import News

PATHS: Final = 500_000
"""Paths that are remembered; when more events come than that, everything is walked again."""


_FOLDER_MOVED: Final = bits.FOLDER | bits.MOVED


class Window:
    """The events beside the held rows of a walk."""

    def __init__(self) -> None:
        self._touched: set[str] = set()
        self._folders: set[str] = set()
        self.again: dict[bytes, None] = {}  # paths of renamed folders, in their order

    @property
    def full(self) -> bool:
        """Whether there was too much to remember."""
        return len(self._touched) >= PATHS

    def note(self, news: News) -> None:
        """Take what one reading found."""
        if self.full:
            return
        changes = news.changes
        self._touched.update(texts(changes.paths))
        self._touched.update(text(path) for path in changes.old_paths if path is not None)
        for what, path, old in zip(changes.bits, changes.paths, changes.old_paths, strict=True):
            if what & bits.FOLDER and what & (bits.MOVED | bits.DELETED):
                self._folders.add(text(path))
                if old is not None:
                    self._folders.add(text(old))
        self._folders.update(text(path) for path, _ in news.walk)
        self._folders.update(map(text, news.silent))
        self.note_moves(news)

    def note_moves(self, news: News) -> None:
        """Take only which folders were renamed: a walk is still to come, and may look for them at their old place."""
        changes = news.changes
        for what, path in zip(changes.bits, changes.paths, strict=True):
            if what & _FOLDER_MOVED == _FOLDER_MOVED:
                self.again[path] = None

    def spared(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Return the rows that stand."""
        if self._touched:
            rows = rows.filter(~pl.col("file_path").is_in(list(self._touched)))
        if self._folders and rows.height:
            rows = rows.filter(pl.Series([not self._below(path) for path in rows["file_path"]], dtype=pl.Boolean))
        return rows

    def _below(self, path: str) -> bool:
        """Tell whether any folder above a path was noted: folders may be tens of thousands, rows are one step's."""
        while path := path.rpartition("/")[0]:
            if path in self._folders:
                return True
        return False
