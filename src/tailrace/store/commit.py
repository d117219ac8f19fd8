"""The grouped commit: several batches become one commit of the table, with all their positions.

Comes in: batches, in the order in which they were taken. Goes out: segments that are on the disk, then
one commit that names them and carries each agent's highest number as a Delta transaction. A
position that the table already holds is left out. What happens at a failure:

- before the commit: the written segments are removed and nothing has happened;
- the library fails in a way that leaves open whether the commit is there: the log is asked;
- a commit of somebody else came in between: no failure, look again and commit on top.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import polars as pl
from deltalake.exceptions import CommitFailedError, DeltaError
from deltalake.transaction import AddAction, CommitProperties, PostCommitHookProperties, RemoveAction, Transaction

from tailrace.batch import life
from tailrace.errors import OutOfTurnError, TransientError
from tailrace.store import columns as cols
from tailrace.store import log, segment
from tailrace.store.bucket import OBJECT_STORE
from tailrace.store.failures import first_line

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from deltalake import DeltaTable

    from tailrace.batch import Batch
    from tailrace.files import Files
    from tailrace.store.place import Place
    from tailrace.store.segment import Segment

NO_HOOKS: Final = PostCommitHookProperties(create_checkpoint=False, cleanup_expired_logs=False)
"""Checkpoints and clean-up of the log are done by `maintain`, durably and not while a writer waits."""

ATTEMPTS: Final = 20
"""Commits of others that one commit lets pass before it gives up for this time."""


def append(place: Place, table: DeltaTable, batches: Sequence[Batch], level: int) -> list[Segment]:
    """Commit the batches that the table does not hold yet; return the segments that hold them.

    The commit is visible afterwards but not yet durable. `table` must not be used by another thread meanwhile.
    `UnsettledError` if it stays open whether the commit is there: ask `settled` before the batches are tried again.
    """
    files = place.files
    segments: list[Segment] = []
    written = 0  # batches in `segments`; what is unknown only shrinks, so as many are the same ones
    for _ in range(ATTEMPTS):
        try:
            table.update_incremental()
            fresh, numbers = unknown(table, batches)
            if len(fresh) != written:
                discard(segments, files)
                segments, written = [], 0
                segments = write_segments(place.root, table, fresh, files, level)
                written = len(fresh)
        except CommitFailedError as error:  # new columns, of somebody else and of ours, at once
            if not is_conflict(error):
                raise
            continue
        except BaseException:
            discard(segments, files)
            raise
        if not (segments or numbers) or apply(place, table, segments, [], numbers):
            return segments
    discard(segments, files)
    raise TransientError(f"{place.where}: {ATTEMPTS} commits of other programs came in between")


def unknown(table: DeltaTable, batches: Sequence[Batch]) -> tuple[list[Batch], dict[str, int]]:
    """Return the batches that the table does not hold, and each agent's highest number among them.

    `OutOfTurnError` if one of them is to follow another number than the last.
    """
    fresh: list[Batch] = []
    numbers: dict[str, int] = {}
    known: dict[str, int] = {}
    for batch in batches:
        position = batch.position
        if position is not None:
            if position.agent not in known:
                held = table.transaction_version(position.agent)
                known[position.agent] = -1 if held is None else held
            held = known[position.agent]
            if position.after is not None and _out_of_turn(position.number, position.after, held):
                raise OutOfTurnError(position.agent, position.number, position.after, held)
            if position.number <= held:
                continue
            known[position.agent] = numbers[position.agent] = position.number
        fresh.append(batch)
    return fresh, numbers


def _out_of_turn(number: int, after: int, held: int) -> bool:
    """Tell whether a batch is neither the next one nor known: one that an agent's later life came before is not."""
    return life(number) != life(held) if number <= held else after != held


def write_segments(root: Path, table: DeltaTable, batches: Sequence[Batch], files: Files, level: int) -> list[Segment]:
    """Write the rows of the batches, one segment per date; columns that are new are added to the table first."""
    columns = cols.Columns.of(table.schema())
    frames: list[pl.DataFrame] = []
    added: dict[str, tuple[str, pl.DataType]] = {}
    for batch in batches:
        if batch.frame.height:
            frame, new = cols.align(batch.frame, columns)
            columns = columns.with_new(new)
            added |= new
            frames.append(frame)
    if added:
        fields = cols.delta_fields(added)
        files.run("add columns", lambda: table.alter.add_columns(fields, post_commithook_properties=NO_HOOKS))
    if not frames:
        return []
    written: list[Segment] = []
    try:
        for date, rows in by_date(pl.concat(frames, how="diagonal")):
            written.append(segment.write(root, date, rows, files, level=level, columns=columns.types))
    except BaseException:
        discard(written, files)
        raise
    return written


def apply(
    place: Place,
    table: DeltaTable,
    segments: Sequence[Segment],
    removes: Sequence[RemoveAction],
    numbers: Mapping[str, int],
    *,
    data_change: bool = True,
    why: str = "",
) -> bool:
    """Commit segments and removals on top of the table's state; False if a commit of somebody else forbids it.

    When it fails, the segments are removed only if the log says that they are not committed: a file too many is
    found by `vacuum`, one that the log names and that is gone would be lost rows.
    """
    before = table.version()
    now_ns = time.time_ns()
    transactions = [Transaction(agent, number, now_ns // 1_000_000) for agent, number in numbers.items()]
    actions: list[AddAction | RemoveAction] = [one.action(now_ns, data_change=data_change) for one in segments]
    actions += removes
    said: dict[str, str | int] = {log.ACTIONS_KEY: len(actions) + len(transactions)}
    said |= {log.WHY_KEY: why} if why else {}
    properties = CommitProperties(said, app_transactions=transactions)

    def write() -> None:
        table.create_write_transaction(
            actions,
            "append",
            table.schema(),
            ["_date"],
            commit_properties=properties,
            post_commithook_properties=NO_HOOKS,
        )

    try:
        place.files.run("commit", write)
    except (OSError, DeltaError) as error:
        try:
            if is_committed(place, before, actions, numbers):
                return True
        except TransientError as cut:
            raise UnsettledError(str(cut), before, actions, numbers) from error
        if is_conflict(error):
            return False
        discard(segments, place.files)
        raise
    return True


class UnsettledError(TransientError):
    """A commit was sent, and neither an answer came nor can the log be asked: it may be there or not."""

    def __init__(
        self, text: str, before: int, actions: Sequence[AddAction | RemoveAction], numbers: Mapping[str, int]
    ) -> None:
        super().__init__(text)
        self._asked = (before, actions, numbers)

    def settled(self, place: Place) -> bool:
        """Tell whether the commit is there after all; a `TransientError` if that still cannot be told."""
        return is_committed(place, *self._asked)


def is_committed(
    place: Place, before: int, actions: Sequence[AddAction | RemoveAction], numbers: Mapping[str, int]
) -> bool:
    """Tell whether a commit after a version is the one of these actions and numbers."""
    root = place.root
    place.refresh()
    place.reach(before)
    adds = {action.path for action in actions if isinstance(action, AddAction)}
    removes = {action.path for action in actions if isinstance(action, RemoveAction)}
    for version in (number for number in log.versions(root) if number > before):
        found = log.read(root, version)
        if (found.paths, set(found.removes), found.transactions) == (adds, removes, numbers):
            return True
    return False


def is_conflict(error: Exception) -> bool:
    """Tell whether the library refused a commit because of one of somebody else, not because of disk or network."""
    text = first_line(error)
    return isinstance(error, CommitFailedError) and "os error" not in text and not OBJECT_STORE.search(text)


def discard(segments: Sequence[Segment], files: Files) -> None:
    """Remove segments that were not committed."""
    for one in segments:
        segment.discard(one.file, files)


def by_date(frame: pl.DataFrame) -> list[tuple[dt.date, pl.DataFrame]]:
    """Return the rows by their date, in their order, with `_time` made from `_time_ns`."""
    time_us = pl.from_epoch(pl.col("_time_ns") // 1_000, time_unit="us").dt.replace_time_zone("UTC")
    frame = frame.with_columns(_time=time_us)
    frame = frame.select(segment.in_order(frame.columns))
    first, last = frame.select(pl.col("_time").min().dt.date(), last=pl.col("_time").max().dt.date()).row(0)
    if first == last:
        return [(first, frame)]
    parts = frame.with_columns(_date=pl.col("_time").dt.date()).partition_by("_date", include_key=False, as_dict=True)
    return [(key[0], part) for key, part in parts.items()]
