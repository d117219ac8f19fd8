"""Acts of many events told once more as one: a tree that one process removed.

Comes in: rows of events as they are told, with their numbers. Goes out: one row per removed tree, when its process has
been quiet for a while: `deleted` with the reason `delete_tree`, how many paths, the sum of their sizes, and the span of
time. It has the number of the event that removed the top folder, so it changes nothing in the order of things.

Sizes are those told last of each path; where one is not known, as of files from before this start, there is no sum.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.clock import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Iterator

QUIET_NS: Final = NS_PER_S
"""Time without a removal by a process after which its act is over."""
LEAST: Final = 3
"""Paths of the smallest act; less is told by its events well enough."""
SIZES: Final = 300_000
"""Paths whose size is remembered, the newest."""
_WHO: Final = ("event_provider", "process_pid", "process_name", "process_executable", "user_id", "user_name")


@dataclass(slots=True)
class _Tree:
    """A folder that was removed, or some of whose content was."""

    count: int = 0
    bytes: int | None = 0
    first_ns: int = 0
    number: int | None = None  # of the event that removed the folder itself
    inside: list[str] = field(default_factory=list)  # removed folders directly below

    def take(self, count: int, size: int | None, now_ns: int) -> None:
        """Count what was removed below."""
        self.first_ns = self.first_ns or now_ns
        self.count += count
        self.bytes = None if self.bytes is None or size is None else self.bytes + size


@dataclass(slots=True)
class _Run:
    """What one process removes."""

    last_ns: int = 0
    trees: dict[str, _Tree] = field(default_factory=dict)
    who: dict[str, object] = field(default_factory=dict)


class Acts:
    """Watches rows go by."""

    def __init__(self) -> None:
        self._runs: dict[int, _Run] = {}
        self._sizes: deque[pl.DataFrame] = deque()
        self._remembered = 0

    def see(self, rows: pl.DataFrame, now_ns: int) -> None:
        """Take rows as they are told."""
        if "file_size" in rows.columns:
            self._remember(rows.filter(pl.col("file_size").is_not_null()).select("file_path", "file_type", "file_size"))
        gone = rows.filter((pl.col("event_action") == "deleted") & pl.col("event_reason").is_null())
        if not gone.height or "process_pid" not in gone.columns:
            return
        told = gone.select("file_path", "file_type", "process_pid", "event_sequence").with_columns(size=self._of(gone))
        for path, kind, pid, number, size in told.filter(pl.col("process_pid").is_not_null()).iter_rows():
            run = self._runs.setdefault(pid, _Run())
            run.last_ns = now_ns
            self._removed(run, path, number, 0 if kind == "dir" else size, folder=kind == "dir", now_ns=now_ns)
        for row in gone.unique("process_pid").select(name for name in _WHO if name in gone.columns).to_dicts():
            if row["process_pid"] in self._runs:
                self._runs[row["process_pid"]].who = row

    def over(self, now_ns: int) -> pl.DataFrame | None:
        """Return the rows of acts that are over."""
        found = []
        for pid in [pid for pid, run in self._runs.items() if now_ns - run.last_ns >= QUIET_NS]:
            run = self._runs.pop(pid)
            found += [{**run.who, **row} for row in _rows(run)]
        return pl.DataFrame(found, infer_schema_length=None) if found else None

    def _removed(self, run: _Run, path: str, number: int, size: int | None, *, folder: bool, now_ns: int) -> None:
        above = run.trees.setdefault(path.rpartition("/")[0], _Tree())
        if not folder:
            above.take(1, size, now_ns)
            return
        tree = run.trees.setdefault(path, _Tree())
        tree.take(1, 0, now_ns)
        tree.number = number
        for inner in tree.inside:
            run.trees.pop(inner, None)
        above.inside.append(path)
        above.take(tree.count, tree.bytes, now_ns)

    def _remember(self, told: pl.DataFrame) -> None:
        self._sizes.append(told.filter(pl.col("file_type") != "dir").select("file_path", "file_size"))
        self._remembered += len(self._sizes[-1])
        while self._remembered > SIZES and len(self._sizes) > 1:
            self._remembered -= len(self._sizes.popleft())

    def _of(self, gone: pl.DataFrame) -> pl.Series:
        """Return the size that was told last of each path."""
        if not self._sizes:
            return pl.Series([None], dtype=pl.Int64).new_from_index(0, len(gone))
        known = pl.concat(self._sizes).unique("file_path", keep="last")
        return gone.select("file_path").join(known, on="file_path", how="left", maintain_order="left")["file_size"]


def _rows(run: _Run) -> Iterator[dict[str, object]]:
    """Yield the trees that were removed as a whole and are not inside another one."""
    for path, tree in run.trees.items():
        if tree.number is not None and tree.count >= LEAST and not _inside(run, path):
            span = pl.from_epoch(pl.Series([tree.first_ns, run.last_ns]), "ns").dt.strftime("%Y-%m-%dT%H:%M:%S%.9fZ")
            yield {
                "event_action": "deleted",
                "event_reason": "delete_tree",
                "event_confidence": "inferred",
                "event_sequence": tree.number,
                "event_start": span[0],
                "event_end": span[1],
                "event_count": tree.count,
                "event_bytes": tree.bytes,
                "file_path": path,
                "file_type": "dir",
            }


def _inside(run: _Run, path: str) -> bool:
    above = run.trees.get(path.rpartition("/")[0])
    return above is not None and above.number is not None
