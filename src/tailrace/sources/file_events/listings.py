"""Which directories a poll need not list: the names in them are those of the last round.

Comes in: directories as a walk opens them, and what a round saw and told. Goes out: the names in a directory, or None:
it has to be listed. Making, removing and renaming change a directory's times, where a file system keeps to that:

- it is believed when a round saw names change and the times with them, and never again when the times stayed;
- times count when they had been the same for two seconds before a listing: a change after it gives other ones;
- every tenth round lists everything.

A file's own times are looked at in every round.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tailrace.clock import Clock

SETTLED_S: Final = 2.0
"""The coarsest times of a file system."""
FULL: Final = 10
"""Rounds of which one lists everything."""

_PARENT: Final = r"(?s)^(.*)/[^/]+$"
_Times = tuple[int, int, int]


@dataclass(slots=True)
class _Folder:
    """A directory as it was when it was opened last."""

    device: int
    times: _Times
    since_s: float  # when it was first seen with these times
    listed_s: float
    round: int
    changed: bool = False  # in that round


class Listings:
    """What is remembered of directories between rounds."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._folders: dict[str, _Folder] = {}
        self._paths = pl.Series("file_path", dtype=pl.String)
        self._spans: dict[str, tuple[int, int]] = {}  # of directories, among the paths
        self._believed: dict[int, bool] = {}  # by device
        self._round = 0
        self.spared = 0

    def names(self, folder: str, look: os.stat_result) -> list[str] | None:
        """Return the names in a directory that was opened, None if it is to be listed."""
        now_s, times = self._clock.monotonic_s(), _times(look)
        before = self._folders.get(folder)
        if before is None or before.times != times:
            changed = before is not None
            self._folders[folder] = _Folder(look.st_dev, times, now_s, now_s, self._round, changed)
            return None
        before.round, before.changed = self._round, False
        span = self._spans.get(folder)
        settled = before.listed_s - before.since_s >= SETTLED_S
        if span is not None and settled and self._believed.get(look.st_dev) and self._round % FULL:
            paths = self._paths[span[0] : span[1]].to_list()
            if "\\x" not in "".join(paths):  # a byte that is no text: which one is not certain
                self.spared += 1
                return [path.rpartition("/")[2] for path in paths]
        before.listed_s = now_s
        return None

    def finish(self, seen: pl.DataFrame, told: pl.Series, refused: Sequence[str] | None) -> None:
        """Take what a round saw, the paths that it told as made or gone, and what it could not list (None = much)."""
        for folder in told.str.extract(_PARENT).unique().drop_nulls():
            self._judge(folder or "/")
        for folder in self._folders if refused is None else refused:
            if folder in self._folders:
                self._folders[folder].round = -1
        self._folders = {path: folder for path, folder in self._folders.items() if folder.round == self._round}
        rows = seen.select("file_path", folder=pl.col("file_path").str.extract(_PARENT)).sort("folder")
        spans = rows.with_row_index("row").group_by("folder").agg(first=pl.col("row").min(), last=pl.col("row").max())
        self._paths = rows["file_path"]
        self._spans = {
            folder or "/": (first, last + 1) for folder, first, last in spans.iter_rows() if folder is not None
        }
        self._round += 1

    def _judge(self, path: str) -> None:
        """Note whether the times of a directory changed with its names."""
        folder = self._folders.get(path)
        if folder is None or folder.round != self._round:
            return
        if folder.changed:
            self._believed.setdefault(folder.device, True)
            return
        try:
            stayed = _times(os.lstat(path)) == folder.times  # else a name came after it was opened
        except OSError:
            return
        if stayed and folder.since_s < folder.listed_s:
            self._believed[folder.device] = False


def _times(look: os.stat_result) -> _Times:
    return look.st_mtime_ns, look.st_ctime_ns, look.st_ino
