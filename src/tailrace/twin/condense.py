"""Condense: put one record per living path in the place of all records that were read, at once.

Comes in: the table. A pass takes the oldest records of the tail, at most about `limits.TWIN_CONDENSE_ROWS`, folds them
with the living paths that they touch, and rewrites only the files whose range they fall into. Records that arrive
meanwhile are in files that the pass has not read, so they stay. If somebody else condenses meanwhile, the table refuses
the slower of both: nothing has happened then, and its next pass starts from there.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

import polars as pl

from tailrace import limits
from tailrace.clock import NS_PER_S
from tailrace.twin import table
from tailrace.twin.records import KEY, SCHEMA, empty
from tailrace.twin.state import build

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from tailrace.twin.state import State
    from tailrace.twin.table import FilesTable


@dataclass(frozen=True, slots=True)
class Condensed:
    """What condensing did."""

    passes: int = 0
    records: int = 0  # taken out of the tail
    files_before: int = 0
    files_after: int = 0

    def __add__(self, other: Condensed) -> Condensed:
        return Condensed(
            self.passes + other.passes,
            self.records + other.records,
            self.files_before + other.files_before,
            self.files_after + other.files_after,
        )


def condense(
    files: FilesTable, *, rows: int = limits.TWIN_CONDENSE_ROWS, stopping: Callable[[], bool] = lambda: False
) -> Condensed:
    """Condense until the records that were there at the start are folded; what comes meanwhile may stay."""
    done = Condensed()
    waiting = files.snapshot().part("tail")["path"].to_list()
    while waiting and not stopping():
        step = one_pass(files, rows)
        if step is None:
            break
        done += step
        there = set(files.snapshot().part("tail")["path"])
        waiting = [path for path in waiting if path in there]
    return done


def one_pass(files: FilesTable, rows: int) -> Condensed | None:
    """Fold the oldest records of the tail; None if there are none, or somebody else was faster."""
    snapshot = files.snapshot()
    tail = snapshot.part("tail")
    tail = tail.filter((pl.col("rows").cum_sum() - pl.col("rows")) < rows)
    if not tail.height:
        return None
    acts = table.scan(snapshot.part("gone")["path"].to_list()).collect()
    later = table.scan(tail["path"].to_list()).collect()
    state = build(snapshot.part("live")["path"].to_list(), later, acts)
    slots = _slots(state)
    rewritten = [path for path, fresh in slots if path and (fresh.height or path in state.masked)]
    old = pl.concat([tail, snapshot.part("gone"), snapshot.part("live").filter(pl.col("path").is_in(rewritten))])
    gone = _lately(state.acts, later)
    live = (("live", frame) for frame in _written(state.masked, slots))
    del state, later, acts  # what is written needs the room
    written = files.replace(snapshot, old, chain(live, [("gone", gone)]))
    return None if written is None else Condensed(1, int(tail["rows"].sum()), old.height, written)


def _slots(state: State) -> list[tuple[str, pl.DataFrame]]:
    """Return each file with the new records of its range, which begins at its first path and ends before the next's."""
    fresh = state.overlay.sort(KEY)
    if not state.files:
        return [("", fresh)]
    starts = [table.bounds(path)[0] for path in state.files]
    found: list[tuple[str, pl.DataFrame]] = []
    begin = 0
    for number, path in enumerate(state.files):
        if number + 1 < len(starts):
            host, first = starts[number + 1]
            before = (pl.col("host") < host) | ((pl.col("host") == host) & (pl.col("path") < first))
            end = int(fresh.select(before.sum()).item())
        else:
            end = fresh.height
        found.append((path, fresh.slice(begin, end - begin)))
        begin = end
    return found


def _written(masked: Mapping[str, pl.DataFrame], slots: Sequence[tuple[str, pl.DataFrame]]) -> Iterator[pl.DataFrame]:
    """Yield the new content of the files that change, cut or joined to a good size."""
    most = limits.TWIN_SEGMENT_ROWS
    held: list[pl.DataFrame] = []
    for path, fresh in slots:
        if path and not fresh.height and path not in masked:
            yield from _pieces(held, most)
            held = []
            continue
        frames = [fresh.lazy()]
        if path:
            kept = table.scan([path])
            if path in masked:
                kept = kept.join(masked[path].lazy(), on=list(KEY), how="anti")
            frames.append(kept)
        held.append(pl.concat([frame.select(*SCHEMA) for frame in frames]).sort(KEY).collect())
        if sum(frame.height for frame in held) >= most:
            whole = pl.concat(held)
            held = []
            full = whole.height // most * most
            yield from _pieces([whole.head(full)], most)
            held = [whole.slice(full)]
    yield from _pieces(held, most)


def _pieces(frames: Sequence[pl.DataFrame], most: int) -> Iterator[pl.DataFrame]:
    rows = pl.concat(frames) if frames else empty()
    for begin in range(0, rows.height, most):
        yield rows.slice(begin, most)


def _lately(acts: pl.DataFrame, later: pl.DataFrame) -> pl.DataFrame:
    """Return the acts of the hour before the newest record of their host."""
    newest = pl.concat([acts.select("host", "time_ns"), later.select("host", "time_ns")])
    newest = newest.group_by("host").agg(pl.col("time_ns").max() - round(limits.TWIN_ACTS_S * NS_PER_S))
    found = acts.join(newest, on="host", suffix=" least").filter(pl.col("time_ns") >= pl.col("time_ns least"))
    return found.select(*SCHEMA).sort(KEY)
