"""Scan trees in steps and tell how they differ from what is known of them: baseline, gaps, rounds of a poll.

Comes in: roots with a reason, a scope, and what is known (`Known`), asked when a root's turn comes; of single folders
that wait (`unwatched`) in one question. Goes out: rows without number and process: `event_action`, `event_confidence`
(`synthetic`), `event_reason` and the `file_*` columns. Where nothing is known all is told: as `initial_scan` for
`baseline` and `restart`, else as `created`.

A directory's verdicts come with the step that ends its listing, never later, so that an event of what happens
afterwards is numbered afterwards; and what seems to be gone is looked for once more by its own name.
About 3 µs per entry, of which a third is the kernel's.
"""

from __future__ import annotations

import os
from collections import deque
from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.ecs import COLUMNS
from tailrace.sources.file_events import diff
from tailrace.sources.file_events.known import Answers, Children
from tailrace.sources.file_events.metadata import text
from tailrace.sources.file_events.rows import meanings, rows, texts
from tailrace.sources.file_events.walker import Walker

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tailrace.sources.file_events.backend import Known, Reason
    from tailrace.sources.file_events.devices import Devices
    from tailrace.sources.file_events.on_their_way import OnTheirWay
    from tailrace.sources.file_events.pace import Pace
    from tailrace.sources.file_events.scope import Scope
    from tailrace.sources.file_events.walker import Found

ROWS: Final[Mapping[str, pl.DataType]] = {
    name: COLUMNS[name] for name in ("event_action", "event_confidence", "event_reason", *diff.FILE)
}
"""Columns of the rows that come of a scan."""

_WITHOUT_KNOWN: Final = ("moved_in", "exchanged")  # what was known below is of another directory
_FIRST: Final = ("baseline", "restart")
_ASKED: Final = 200  # single folders that one question is about


class Scan:
    """Walks under way, one root after another."""

    def __init__(
        self,
        scope: Scope | None,
        devices: Devices,
        known: Known | None = None,
        *,
        cross_mounts: bool = False,
        pace: Pace | None = None,
        remember: bool = False,
        on_their_way: OnTheirWay | None = None,
        names: Callable[[str, os.stat_result], Sequence[str] | None] | None = None,
    ) -> None:
        self._scope = scope
        self._devices = devices
        self._known = None if known is None else Answers(known, on_their_way)
        self._cross_mounts = cross_mounts
        self._names = names
        self._pace = pace
        self._queue: deque[tuple[str, Reason]] = deque()
        self._tree: _Tree | None = None
        self._refused: list[tuple[bytes, str]] = []
        self._remember = remember
        self._seen: list[pl.DataFrame] = []
        self.entries = 0
        self.refusals = 0

    def add(self, root: bytes, reason: Reason) -> None:
        """Walk a file or folder too, after what is being walked."""
        self._queue.append((os.fsdecode(root), reason))

    def step(self, entries: int) -> pl.DataFrame:
        """Look at so many entries more, about, and return their rows, possibly none."""
        if self._pace is not None:
            entries = self._pace.allowed(entries)
        frames = []
        left = entries
        while left > 0 and self._next():
            assert self._tree is not None
            found, frame = self._tree.step(left)
            frames.append(frame)
            left -= max(1, len(found))
            if self._remember:
                self._seen.append(diff.lean(found))
            if self._tree.walker.done:
                self._finish(self._tree)
        if self._pace is not None:
            self._pace.spend(entries - left)
        self.entries += entries - left
        return pl.concat(frames, how="diagonal").select(ROWS.keys()) if frames else pl.DataFrame(schema=ROWS)

    @property
    def done(self) -> bool:
        """Whether everything added was walked."""
        return self._tree is None and not self._queue

    @property
    def refused(self) -> Sequence[tuple[bytes, str]]:
        """Folders that could not be listed, and why."""
        return self._refused

    def state(self) -> list[tuple[str, Reason, list[str]]]:
        """Return what is still to be walked, as JSON: roots, reasons, and the directories that wait."""
        under_way = [(self._tree.walker.root, self._tree.reason, self._tree.walker.state())] if self._tree else []
        return under_way + [(root, reason, [root]) for root, reason in self._queue]

    def seen(self) -> pl.DataFrame:
        """Return, once, what was seen since the last time, lean; only a scan that is to remember has it."""
        seen = pl.concat(self._seen) if self._seen else pl.DataFrame(schema=diff.LEAN)
        self._seen = []
        return seen

    def close(self) -> None:
        """Release what is open."""
        if self._tree is not None:
            self._tree.walker.close()

    def resume(self, state: Sequence[tuple[str, Reason, Sequence[str]]]) -> None:
        """Go on from the state of a scan that was interrupted."""
        for root, reason, waiting in state:
            if self._tree is None and list(waiting) != [root]:
                self._tree = self._begin(root, reason)
                self._tree.walker.resume(waiting)
            else:
                self._queue.append((root, reason))

    def _next(self) -> bool:
        if self._tree is None and self._queue:
            self._tree = self._begin(*self._queue.popleft())
        return self._tree is not None

    def _begin(self, root: str, reason: Reason) -> _Tree:
        known = pl.DataFrame(schema=diff.LEAN)
        if self._known is not None and reason not in _WITHOUT_KNOWN:
            waiting = [_text(other) for other, why in self._queue if why == reason == "unwatched"]
            known = self._known.of(_text(root), waiting[:_ASKED])
        walker = Walker(root, self._scope, cross_mounts=self._cross_mounts, names=self._names)
        return _Tree(walker, reason, self._scope, self._devices, Children(known))

    def _finish(self, tree: _Tree) -> None:
        self._refused += [(os.fsencode(path), why) for path, why in tree.walker.refused]
        self.refusals += tree.walker.refusals
        self._tree = None


class _Tree:
    """One root that is being walked, and what was known of it."""

    def __init__(self, walker: Walker, reason: Reason, scope: Scope | None, devices: Devices, known: Children) -> None:
        self.walker = walker
        self.reason: Reason = reason
        self._scope = scope
        self._devices = devices
        self._known = known
        self._new = "initial_scan" if not len(known) and reason in _FIRST else "created"
        self._root = known.at([_text(walker.root)])
        self._open = pl.DataFrame(schema=diff.LEAN)  # known entries of the directory whose listing goes on

    def step(self, entries: int) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Look at so many entries more; return all of them, and the rows to tell."""
        seen = self.walker.step(entries)
        found = rows(seen.paths, seen.stats, seen.targets, self._devices)
        if not len(self._known):
            return found, self._told(found.with_columns(event_action=pl.lit(self._new)))
        known = pl.concat([self._root, self._open, self._known.of(texts(seen.begun))])
        self._root = self._root.clear()
        others = diff.others(known, found)
        if others:
            self._known.drop_below(others)
            known = known.filter(~diff.below(others))
        gone = self._gone(seen, diff.missing(known, found))
        told = diff.changed(known, found, self._new)
        return found, self._told(pl.concat([gone, told], how="diagonal"))

    def _gone(self, seen: Found, missing: pl.DataFrame) -> pl.DataFrame:
        """Return rows for what is not there any more; keep what the listing that goes on may still find."""
        open_folder = self.walker.open_folder
        self._open = missing.filter(
            pl.col("parent").is_in(diff.folder_keys(texts([open_folder] if open_folder else [])).implode())
        )
        listed = pl.col("parent").is_in(diff.folder_keys(texts(seen.listed)).implode())
        paths = missing.filter(listed | (pl.col("file_path") == _text(self.walker.root)))["file_path"]
        gone = [path for path in paths if not _there(path, self._scope)]
        return pl.DataFrame({"file_path": gone}, schema={"file_path": pl.String}).with_columns(
            event_action=pl.lit("deleted")
        )

    def _told(self, told: pl.DataFrame) -> pl.DataFrame:
        missing = [pl.lit(None, ROWS[name]).alias(name) for name in diff.FILE if name not in told.columns]
        why = [pl.lit("synthetic").alias("event_confidence"), pl.lit(self.reason, pl.String).alias("event_reason")]
        return told.with_columns(*why, *missing).select(ROWS.keys())


def _text(path: str) -> str:
    return text(os.fsencode(path))


def _there(path: str, scope: Scope | None) -> bool:
    """Tell whether something that is meant is at a path of the table."""
    return any(_is_there(name) for name in meanings(path) if scope is None or scope.wants(name))


def _is_there(path: bytes) -> bool:
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:  # nothing says that it is gone
        return True
    return True
