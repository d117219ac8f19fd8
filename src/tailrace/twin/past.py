"""The past of the table of files: which versions stay readable, and what may go from the disk.

Every version of the last hour stays, the first of each hour of the last day, and of each day of the last 30.
An older version that stays is an *anchor*: a commit with a checkpoint of its own, so that the log between
anchors can be cut. An instant between anchors is made of the one before it and of the events in `logs`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tailrace import limits
from tailrace.clock import NS_PER_S
from tailrace.store import log

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tailrace.twin.table import FilesTable

HOUR_NS: Final = 3_600 * NS_PER_S
DAY_NS: Final = 24 * HOUR_NS

CHECKPOINT_COMMITS: Final = 50
"""Commits after which the log gets a new checkpoint, so that opening reads at most about as many files."""

_LEFT_OVER: Final = (".json.tmp", ".json#")


@dataclass(frozen=True, slots=True)
class Tidied:
    """What went from the disk."""

    files: int
    versions: int


def anchors(checkpoints: Iterable[tuple[int, int]], now_ns: int) -> set[int]:
    """Return the versions to be kept, of those that have a checkpoint, with the times of their commits.

    >>> hour, day = 3_600 * 10**9, 86_400 * 10**9
    >>> sorted(anchors([(1, 0), (2, 9 * hour), (3, 10 * day), (4, 10 * day + 600), (5, 11 * day)], 11 * day))
    [1, 3, 5]
    """
    first: dict[tuple[str, int], int] = {}
    for version, committed_ns in sorted(checkpoints):
        age_ns = now_ns - committed_ns
        if age_ns <= limits.TWIN_HISTORY_DAYS * DAY_NS:
            first.setdefault(("day", committed_ns // DAY_NS), version)
        if age_ns <= DAY_NS:
            first.setdefault(("hour", committed_ns // HOUR_NS), version)
    return set(first.values())


def tidy(files: FilesTable, now_ns: int) -> Tidied:
    """Write a checkpoint if one is due, cut the log between anchors, and remove files that no version needs."""
    root = files.root
    times = dict(files.versions())
    if not times:
        return Tidied(0, 0)
    newest = max(times)
    last = max(log.checkpoints(root), default=-1)
    if newest - last >= CHECKPOINT_COMMITS or (newest > last and now_ns - times.get(last, 0) >= HOUR_NS):
        files.checkpoint()
    found = log.checkpoints(root)
    kept = anchors(((version, times[version]) for version in found if version in times), now_ns)
    lately = min((version for version, at_ns in times.items() if now_ns - at_ns <= HOUR_NS), default=newest)
    base = max((version for version in found if version <= lately), default=None)
    cut = [version for version in times if base is not None and version < base and version not in kept]
    folder = root / log.LOG
    gone = [log.commit_file(root, version) for version in cut]
    gone += [path for version, paths in found.items() if version in cut for path in paths]
    gone += [path for path in folder.iterdir() if any(part in path.name for part in _LEFT_OVER)]
    for path in gone:
        if path.name.endswith(".parquet") or _older(path, now_ns - HOUR_NS):
            files.table.files.unlink(path)
    needed = kept | ({base} if base is not None else set())
    return Tidied(_vacuum(files, needed, now_ns), len(cut))


def _vacuum(files: FilesTable, needed: set[int], now_ns: int) -> int:
    """Remove data files that the newest version, those needed and the commits of the last hour do not name."""
    there = files.place.listed("part=*/*.parquet")
    old = [str(found.path) for found in there if found.modified_ns < now_ns - HOUR_NS]
    named = set(files.snapshot().files["path"])
    unnamed = [path for path in old if path not in named]
    if not unnamed:
        return 0
    for version in needed:
        named.update(files.at(version).files["path"])
    for version in log.versions(files.root):
        commit = log.read(files.root, version)
        named.update(str(files.root / path) for path in (*commit.removes, *commit.paths))
    gone = [path for path in unnamed if path not in named]
    for path in gone:
        files.table.files.unlink(Path(path))
    return len(gone)


def _older(path: Path, before_ns: int) -> bool:
    try:
        return path.stat().st_mtime_ns < before_ns
    except FileNotFoundError:
        return False
