"""Clean-up: files that no version in use names any more, and the log behind its newest checkpoint.

A data file goes when the table no longer names it and its grace is over: counted from the commit that
removed it, or, for one that no commit in the log speaks of (a crash left it, or it is being
committed just now), from when it was written. The log is cut only behind a checkpoint that is on the disk.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tailrace.clock import NS_PER_S
from tailrace.files import TEMPORARY
from tailrace.store import log, skip
from tailrace.store.failures import translated

if TYPE_CHECKING:
    from pathlib import Path

    from tailrace.store.place import Found
    from tailrace.store.table import LogTable

CHECKPOINT_COMMITS: Final = 50
"""Commits after which the log gets a new checkpoint, so that opening reads at most about as many files."""

_SEGMENTS: Final = "_date=*/*.parquet"
_LEFT_OVER: Final = re.compile(r"\d{20}\.json#\d+|_commit_[0-9a-f-]+\.json\.tmp")


@dataclass(frozen=True, slots=True)
class VacuumReport:
    """What was removed from the disk."""

    files: int
    bytes: int
    log_files: int


def vacuum(table: LogTable, *, now_ns: int | None = None, grace_s: float | None = None) -> VacuumReport:
    """Remove unnamed data files after their grace, and shorten the log."""
    now_ns = time.time_ns() if now_ns is None else now_ns
    before_ns = now_ns - round((table.settings.grace_s if grace_s is None else grace_s) * NS_PER_S)
    with translated(table.where, "cleaning up"):
        orphan_before_ns = min(before_ns, now_ns - round(table.place.orphan_grace_s * NS_PER_S))
        gone = _unnamed(table, before_ns, orphan_before_ns)
        size = sum(found.bytes for found in gone)
        table.place.remove(found.path for found in gone)
        table.place.remove(_widowed(table))
        checkpoint(table)
        return VacuumReport(len(gone), size, cut_log(table, before_ns))


def _unnamed(table: LogTable, removed_before_ns: int, written_before_ns: int) -> list[Found]:
    there = table.place.listed(_SEGMENTS)  # before the snapshot: what is committed in between stays
    named = set(table.snapshot().files["path"])
    unnamed = [found for found in there if str(found.path) not in named]
    if not unnamed:
        return []
    table.place.reach(-1)
    removed_ns = _removed_ns(table.root)
    return [
        found
        for found in unnamed
        if (
            removed_ns[str(found.path)] < removed_before_ns
            if str(found.path) in removed_ns
            else found.modified_ns < written_before_ns
        )
    ]


def _widowed(table: LogTable) -> list[Path]:
    """Return the skip indexes whose segment is off the disk, and what a crash left of them."""
    indexes = [found.path for found in table.place.listed(f"{skip.FOLDER}/*")]
    indexes = [path for path in indexes if path.suffix in (skip.SUFFIX, TEMPORARY)]
    there = {found.path.stem for found in table.place.listed(_SEGMENTS)}
    return [path for path in indexes if path.stem.removesuffix(skip.SUFFIX) not in there]


def _older(path: Path, before_ns: int) -> bool:
    try:
        return path.stat().st_mtime_ns < before_ns
    except FileNotFoundError:  # somebody else's clean-up was faster
        return False


def _removed_ns(root: Path) -> dict[str, int]:
    """Return when each file was removed, as far back as the log's commits go."""
    found: dict[str, int] = {}
    for version in log.versions(root):
        try:
            removed = log.read(root, version).removes
        except (FileNotFoundError, log.TornCommitError):
            continue
        found.update((str(root / path), at_ms * 1_000_000) for path, at_ms in removed.items())
    return found


def checkpoint(table: LogTable) -> bool:
    """Write a checkpoint of the log if there are many commits since the last one; tell whether it did."""
    versions = log.versions(table.root)
    last = max(log.checkpoints(table.root), default=-1)
    if not versions or versions[-1] - last < CHECKPOINT_COMMITS:
        return False
    with table.writing("writing a checkpoint") as delta:
        delta.update_incremental()
        table.files.run("checkpoint", delta.create_checkpoint)
    table.place.tidy()
    return True


def cut_log(table: LogTable, before_ns: int) -> int:
    """Remove commits and checkpoints that are older than the newest checkpoint and than a time; return how many."""
    folder = table.root / log.LOG
    found = log.checkpoints(table.root)
    newest = max(found, default=-1)
    old = [log.commit_file(table.root, version) for version in log.versions(table.root) if version < newest]
    old += [path for version, paths in found.items() if version < newest for path in paths]
    old += [path for path in folder.iterdir() if _LEFT_OVER.fullmatch(path.name)]
    gone = [path for path in old if _older(path, before_ns)]
    if gone:
        for path in (*found.get(newest, ()), *folder.glob(log.LAST_CHECKPOINT)):
            table.files.fsync(path)
        table.files.fsync_dir(folder)
    table.place.remove(gone)
    return len(gone)
