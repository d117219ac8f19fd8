"""The Delta table `logs`, in the data folder or in object storage: open or create it, read its newest version, write.

One `LogTable` serves a whole process: any thread may take snapshots, and writers take turns. Readers
need no permission to write and leave a torn newest commit alone; the first write sets it
aside. Refused: a folder without a table, a table of a newer format, a folder that may not be written
(`TableError`); a full disk is a `TransientError`.
"""

from __future__ import annotations

import logging
import re
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from deltalake import DeltaTable

from tailrace import limits
from tailrace.errors import OutOfTurnError, TableError
from tailrace.files import Files
from tailrace.store import columns, commit, log, state
from tailrace.store.failures import translated
from tailrace.store.location import place_of_logs
from tailrace.store.scan import Caches, LogSnapshot
from tailrace.store.settings import StoreSettings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import polars as pl

    from tailrace.batch import Batch
    from tailrace.store.bucket import ObjectSettings
    from tailrace.store.place import Place

FORMAT: Final = 1
"""Version of what Tailrace itself means by its columns; a table of a higher one is refused."""

FORMAT_KEY: Final = "tailrace.format"

CONFIGURATION: Final = {
    FORMAT_KEY: str(FORMAT),
    "delta.dataSkippingNumIndexedCols": str(limits.STATS_COLUMNS),
    "delta.logRetentionDuration": "interval 1 hours",
    "delta.deletedFileRetentionDuration": "interval 1 days",
}

_ESCAPE: Final = re.compile(r"%[0-9A-Fa-f]{2}")
_LOGGER: Final = logging.getLogger(__name__)


class LogTable:
    """The table `logs`; implements `contracts.Table` and what the sink and the maintenance write through."""

    def __init__(self, place: Place, settings: StoreSettings) -> None:
        self.place = place
        self.root = place.root
        self.where = place.where  # for people
        self.settings = settings
        self.set_aside: list[Path] = []  # torn commits that this process moved out of the log
        self._caches = Caches.of(place)
        self._state: state.State | None = None
        self._state_lock = threading.Lock()
        self._delta: DeltaTable | None = None
        self._write_lock = threading.RLock()
        self._synced: int | None = None  # version up to which the log is on the disk
        self._unsettled: tuple[Sequence[Batch], commit.UnsettledError] | None = (
            None  # batches whose commit may be there
        )

    @classmethod
    def open(
        cls,
        data: Path,
        *,
        create: bool = False,
        settings: StoreSettings | None = None,
        files: Files | None = None,
        url: str = "",
        objects: ObjectSettings | None = None,
    ) -> LogTable:
        """Open the table in a data folder; with `create`, make it if there is none, and recover it for writing.

        With a URL the table lies below it in object storage, and its mirror in the data folder.
        """
        place = place_of_logs(data.absolute(), url, objects, files or Files())
        if _ESCAPE.search(str(place.root)):  # the library decodes it and then looks in another folder
            raise TableError(
                f"{place.root}: a data folder's path must not contain `%` and two digits; choose another one"
            )
        table = cls(place, settings or StoreSettings())
        if create:
            with translated(table.where, "creating the table"):
                table._create()
        table._check()
        return table

    @property
    def files(self) -> Files:
        """What writes and removes files durably, where the table lies."""
        return self.place.files

    # --- readers --------------------------------------------------------------------------------

    def snapshot(self) -> LogSnapshot:
        """Return the newest version; when nothing changed this costs one look for the next commit."""
        with translated(self.where, "reading the log"):
            self.place.refresh()
        with self._state_lock:
            current = self._state
            current = state.load(self.place) if current is None else state.advance(current, self.place)
            self._state = current
        return LogSnapshot(current, self._caches)

    def streams_of(self, paths: Sequence[str]) -> pl.DataFrame:
        """Return the streams of some files, as `contracts.Segments.streams` does."""
        return self._caches.streams.of(paths)

    # --- writers --------------------------------------------------------------------------------

    def commit(self, batches: Sequence[Batch]) -> None:
        """Make the rows of the batches visible, all or none; positions that are known are left out.

        The caller makes them durable with `sync` before it acknowledges them. A `TransientError` means
        that nothing was committed and the same call may be made again.
        """
        with self.writing("committing") as delta:
            batches = self._open(batches)
            try:
                segments = commit.append(self.place, delta, batches, self.settings.zstd_level)
            except commit.UnsettledError as error:
                self._unsettled = batches, error
                raise
        for one in segments:
            self._caches.streams.put(str(one.file), one.streams)

    def _open(self, batches: Sequence[Batch]) -> Sequence[Batch]:
        """Return the batches that are not in a commit of which was unknown whether it is there, and it is.

        Batches with a position would be recognised; others are known by what they are, since who sent them tries again.
        """
        if self._unsettled is None:
            return batches
        sent, error = self._unsettled
        there = error.settled(self.place)
        self._unsettled = None
        return [batch for batch in batches if not any(batch is one for one in sent)] if there else batches

    def sync(self) -> None:
        """Make every visible commit durable; a `TransientError` means to call it again before acknowledging."""
        with self._write_lock, translated(self.where, "making a commit durable"):
            found = log.versions(self.root)
            for version in found:
                if self._synced is None or version > self._synced:
                    self.files.fsync(log.commit_file(self.root, version))
            self.files.fsync_dir(self.root / log.LOG)
            self._synced = found[-1] if found else None

    def last_number(self, agent: str) -> int | None:
        """Return the last number of an agent that the table holds, durably, or None."""
        with self.writing("reading positions") as delta:
            delta.update_incremental()
            number = delta.transaction_version(agent)
        if number is not None:
            self.sync()
        return number

    @contextmanager
    def writing(self, doing: str) -> Iterator[DeltaTable]:
        """Lend the library's handle for writing; one thread at a time. A failure makes the next one start anew."""
        with self._write_lock, translated(self.where, doing):
            try:
                if self._delta is None:
                    self._recover()
                    self._delta = self.place.delta()
                yield self._delta
            except OutOfTurnError:  # said by the log as it is, before anything was written
                raise
            except BaseException:
                self._delta = None
                raise

    # --- opening --------------------------------------------------------------------------------

    def _create(self) -> None:
        self.files.makedirs(self.root)
        self._recover()
        if not log.versions(self.root):
            self.place.create(
                columns.envelope_schema(), partition_by=["_date"], name="logs", configuration=CONFIGURATION
            )
            self.place.refresh()
        self.sync()
        self.files.fsync_dir(self.root)
        self.files.fsync_dir(self.root.parent)

    def _recover(self) -> None:
        self.place.refresh()
        moved = log.set_aside_torn(self.root, self.files)
        for path in moved:
            _LOGGER.warning("a torn commit was set aside as %s; its rows will be read again", path)
        self.set_aside += moved

    def _check(self) -> None:
        with translated(self.where, "opening the table"):
            self.place.refresh()
            newest = log.newest_whole(self.root)
            if newest is None:
                raise TableError(
                    f"{self.where}: there is no table here; `tailrace up` or `tailrace collect` creates one"
                )
            found = DeltaTable(self.root.as_uri(), version=newest).metadata().configuration.get(FORMAT_KEY, "1")
            if not found.isdecimal() or int(found) > FORMAT:
                raise TableError(
                    f"{self.where}: the table has format {found}, this program knows {FORMAT}; use a newer tailrace"
                )
