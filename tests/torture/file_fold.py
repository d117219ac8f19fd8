"""A model of the twin: folds documents of file events into the living paths, and what is really there to compare with.

Slow and plain on purpose: a dictionary of paths. Names of one inode share the metadata of the newest row of any.
"""

from __future__ import annotations

import json
import os
import stat
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tailrace.clock import SystemClock
from tailrace.sources.file_events.rows import TYPES
from tailrace.sources.file_events.settings import FileEventsSettings
from tailrace.sources.file_events.source import FileEventsSource

State = tuple[str, int, str, int]
"""Type, inode, mode, size."""


def text(path: str) -> str:
    return os.fsencode(path).decode("utf-8", "backslashreplace")


@dataclass
class Fold:
    """The living paths of a host, after some documents."""

    paths: dict[str, dict[str, Any]] = field(default_factory=dict)
    sequence: int = -1
    documents: int = 0

    def add(self, lines: bytes) -> None:
        for line in lines.splitlines():
            document = json.loads(line)
            self.documents += 1
            if document.get("event.reason") == "delete_tree":  # sums up rows that were told
                continue
            assert document["event.sequence"] > self.sequence
            self.sequence = document["event.sequence"]
            file = {name.removeprefix("file."): value for name, value in document.items() if name[:5] == "file."}
            self._take(document["event.action"], file)

    def _take(self, actions: str | list[str], file: dict[str, Any]) -> None:
        last = (actions if isinstance(actions, str) else actions[-1]).split(",")[-1]
        path, old = file.get("path"), file.get("old_path")
        alive = file.get("mtime") is not None
        if path is None or last == "gap":
            return
        if "moved" in str(actions) and old is not None:
            below = {name: self.paths.pop(name) for name in list(self.paths) if name.startswith(old + "/")}
            self._drop(path)
            self.paths.update({path + name[len(old) :]: row for name, row in below.items()})
            before = self.paths.pop(old, None)
            if not alive and before is not None:
                self.paths[path] = before
        if "deleted" in str(actions):  # what was below it is gone with it, whatever is there now
            self._drop(path)
        if alive:
            self.paths[path] = file | {"sequence": self.sequence}
        elif last != "deleted":
            self.paths.setdefault(path, file)

    def _drop(self, path: str) -> None:
        for name in [name for name in self.paths if name == path or name.startswith(path + "/")]:
            del self.paths[name]

    def state(self) -> dict[str, State | None]:
        newest: dict[tuple[str, str], dict[str, Any]] = {}
        for row in self.paths.values():
            if row.get("mtime"):
                key = (row["device"], row["inode"])
                newest[key] = max(newest.get(key, row), row, key=lambda one: one["sequence"])
        return {path: self._of(row, newest) for path, row in self.paths.items()}

    @staticmethod
    def _of(row: dict[str, Any], newest: dict[tuple[str, str], dict[str, Any]]) -> State | None:
        if not row.get("mtime"):
            return None
        shared = newest[row["device"], row["inode"]]
        return row["type"], int(row["inode"]), shared["mode"], shared["size"]


def really(root: Path) -> dict[str, State]:
    """Return what is at and below a folder."""
    paths = [str(root)]
    for folder, folders, files in os.walk(root):
        paths += [f"{folder}/{name}" for name in (*folders, *files)]
    found = {}
    for path in paths:
        look = os.lstat(path)
        kind = TYPES[stat.S_IFMT(look.st_mode)]
        found[text(path)] = (kind, look.st_ino, f"{stat.S_IMODE(look.st_mode):04o}", look.st_size)
    return found


def differences(fold: Fold, root: Path) -> list[tuple[str, State | None, State | None]]:
    """Return the paths that are not as they really are: path, as folded, as found."""
    folded, found = fold.state(), really(root)
    wrong = [path for path in folded.keys() | found.keys() if folded.get(path) != found.get(path)]
    return [(path, folded.get(path), found.get(path)) for path in sorted(wrong)]


class Folded:
    """What is known of files, for a source that starts: the twin's part."""

    def __init__(self, fold: Fold) -> None:
        self.fold = fold

    def known(self, roots: list[str]) -> Any:
        import polars as pl

        from tailrace.ecs import COLUMNS
        from tailrace.sources.file_events.rows import STATE

        names = {name.removeprefix("file_"): name for name in STATE}
        rows = [
            {column: path if column == "file_path" else row.get(name) for name, column in names.items()}
            for path, row in self.fold.paths.items()
            if any(path == root or path.startswith(root.rstrip("/") + "/") for root in roots)
        ]
        return pl.DataFrame(rows, schema={name: COLUMNS[name] for name in STATE})


class Watching:
    """A source that watches one folder, and the fold of what it tells."""

    def __init__(self, root: Path, backend: str, fold: Fold | None = None, **settings: object) -> None:
        self.fold = Fold() if fold is None else fold
        wanted = {"paths": (str(root),), "backend": backend, "who": "off", "scan_rate": 0, **settings}
        self.source = FileEventsSource(
            FileEventsSettings.model_validate(wanted), name="files", clock=SystemClock(), host="h"
        )
        self.source.prepare(known=Folded(self.fold) if fold is not None else None)
        if fold is not None and fold.documents:
            self.source.restore({"sequence": fold.sequence + 1, "time_ns": time.time_ns()})

    def read(self) -> int:
        """Read once; return the number of documents."""
        before = self.fold.documents
        for block in self.source.read(1 << 20, 0.05):
            self.fold.add(block.data)
        return self.fold.documents - before

    def settle(self, over: Callable[[], bool] = lambda: True, quiet_s: float = 0.8) -> None:
        """Read until something is over, and nothing came for a while: halves of renames wait half a second."""
        until_s = time.monotonic() + quiet_s
        while time.monotonic() < until_s:
            if self.read() or not over():
                until_s = time.monotonic() + quiet_s

    def close(self) -> None:
        self.source.close()
