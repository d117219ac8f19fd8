"""The table's log: one JSON file per commit, read here to see what each commit changed.

Delta's own reader builds the whole state; this one reads single commits, which is what following
new rows, refreshing a snapshot in a millisecond and recognising a torn commit need. A commit that
Tailrace wrote says how many actions it holds (`tailrace.actions`), so one cut at the end of a line
is recognised too. After a power cut `set_aside_torn` moves a torn newest commit out of the log.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from tailrace.errors import TableError
from tailrace.store import footer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from tailrace.files import Files

LOG: Final = "_delta_log"
LAST_CHECKPOINT: Final = "_last_checkpoint"
TORN: Final = "_torn"
ACTIONS_KEY: Final = "tailrace.actions"
"""Key of the commit's information that counts the add, remove and txn actions."""

WHY_KEY: Final = "tailrace.why"
"""Key of the commit's information that says why rows went: `retention`, or `delete:START:END` in nanoseconds."""

REPLACE: Final = "tailrace:replace"
"""Name of the transaction that commits which remove files carry; it is no agent's."""

_COMMIT: Final = re.compile(r"(\d{20})\.json")
_CHECKPOINT: Final = re.compile(r"(\d{20})\.checkpoint(\..*)?\.parquet")

Action = dict[str, Any]  # the JSON of Delta's protocol


class TornCommitError(TableError):
    """A commit's file is empty, cut or garbage."""


@dataclass(frozen=True, slots=True)
class Commit:
    """What one commit changed."""

    version: int
    adds: Sequence[Action]
    removes: Mapping[str, int]  # path to the time of its removal in milliseconds
    transactions: Mapping[str, int]
    reshapes: bool  # it changes the schema, the configuration or the protocol
    gone: frozenset[str] = frozenset()  # the removed files of which rows went, for `why`
    why: str = ""

    @property
    def paths(self) -> set[str]:
        """The paths of the files it added."""
        return {add["path"] for add in self.adds}


def commit_file(root: Path, version: int) -> Path:
    """Return the file of a version's commit."""
    return root / LOG / f"{version:020d}.json"


def versions(root: Path) -> list[int]:
    """Return the versions whose commits are there as files, rising."""
    log = root / LOG
    names = (_COMMIT.fullmatch(path.name) for path in log.iterdir()) if log.is_dir() else ()
    return sorted(int(match[1]) for match in names if match)


def read(root: Path, version: int) -> Commit:
    """Read one commit; `FileNotFoundError` if there is none, `TornCommitError` if it is not whole."""
    file = commit_file(root, version)
    try:
        actions = [json.loads(line) for line in file.read_text(encoding="utf-8").split("\n") if line.strip()]
        kinds = [(kind, action[kind]) for action in actions for kind in action]
        return _commit(version, kinds)
    except (ValueError, KeyError, TypeError) as error:
        raise TornCommitError(f"{file}: this commit is not whole: {error}") from error


def _commit(version: int, kinds: Sequence[tuple[str, Action]]) -> Commit:
    if not kinds:
        raise ValueError("it is empty")
    counted = [kind for kind, _ in kinds if kind in ("add", "remove", "txn")]
    for kind, action in kinds:
        if kind == "commitInfo" and action.get(ACTIONS_KEY, len(counted)) != len(counted):
            raise ValueError(f"{len(counted)} actions of {action[ACTIONS_KEY]}")
    return Commit(
        version,
        adds=[action for kind, action in kinds if kind == "add"],
        removes={action["path"]: action.get("deletionTimestamp") or 0 for kind, action in kinds if kind == "remove"},
        transactions={action["appId"]: action["version"] for kind, action in kinds if kind == "txn"},
        reshapes=any(kind in ("metaData", "protocol") for kind, _ in kinds),
        gone=frozenset(action["path"] for kind, action in kinds if kind == "remove" and action.get("dataChange")),
        why=next((str(action.get(WHY_KEY, "")) for kind, action in kinds if kind == "commitInfo"), ""),
    )


def newest_whole(root: Path) -> int | None:
    """Return the newest version whose commit is whole, or None if there is no commit at all."""
    found = versions(root)
    for version in reversed(found):
        try:
            read(root, version)
        except TornCommitError:
            continue
        return version
    return None


def checkpoints(root: Path) -> dict[int, list[Path]]:
    """Return the files of each checkpoint, by version."""
    found: dict[int, list[Path]] = {}
    log = root / LOG
    for path in log.iterdir() if log.is_dir() else ():
        match = _CHECKPOINT.fullmatch(path.name)
        if match:
            found.setdefault(int(match[1]), []).append(path)
    return found


def transactions(root: Path) -> dict[str, int]:
    """Return the last number of every agent: from the newest checkpoint and the commits after it."""
    found = checkpoints(root)
    newest = max(found, default=-1)
    numbers: dict[str, int] = {}
    for path in found.get(newest, ()):
        rows = pl.read_parquet(path, columns=["txn"])["txn"].drop_nulls()
        numbers |= {row["appId"]: row["version"] for row in rows.to_list() if row["appId"] is not None}
    for version in versions(root):
        if version > newest:
            numbers |= read(root, version).transactions
    numbers.pop(REPLACE, None)
    return numbers


def set_aside_torn(root: Path, files: Files) -> list[Path]:
    """Move torn commits from the end of the log, and torn checkpoints, to `_torn` and return them.

    Only the end is looked at: a commit is made durable before the next one is, so a power cut tears the newest.
    Checkpoints can go because commits are removed only behind one that is durable.
    """
    torn = [*_torn_commits(root), *_torn_checkpoints(root)]
    moved = [_set_aside(root, file, files) for file in torn]
    if moved:
        files.fsync_dir(root / LOG)
    return moved


def _torn_commits(root: Path) -> list[Path]:
    torn: list[Path] = []
    for version in reversed(versions(root)):
        try:
            read(root, version)
        except TornCommitError:
            torn.append(commit_file(root, version))
        else:
            break
    return torn


def _torn_checkpoints(root: Path) -> list[Path]:
    torn = [path for paths in checkpoints(root).values() for path in paths if not _is_whole(path)]
    pointer = root / LOG / LAST_CHECKPOINT
    if pointer.exists():
        try:
            version = json.loads(pointer.read_bytes())["version"]
        except (ValueError, KeyError, TypeError):
            version = None
        if version is None or any(path.name.startswith(f"{version:020d}") for path in torn):
            torn.append(pointer)
    return torn


def _is_whole(checkpoint: Path) -> bool:
    try:
        footer.rows(checkpoint)
    except (ValueError, IndexError, KeyError):
        return False
    return True


def _set_aside(root: Path, file: Path, files: Files) -> Path:
    folder = root / TORN
    files.makedirs(folder)
    number = sum(1 for _ in folder.iterdir())
    target = folder / f"{file.name}.{number}"
    files.rename(file, target)
    files.fsync_dir(folder)
    return target
