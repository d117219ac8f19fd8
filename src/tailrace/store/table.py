"""The Delta table `logs` in the data folder: open or create it, read its newest version, write to it.

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
from tailrace.errors import TableError
from tailrace.files import Files
from tailrace.store import columns, commit, log, state
from tailrace.store.failures import translated
from tailrace.store.scan import Caches, LogSnapshot
from tailrace.store.settings import StoreSettings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import polars as pl

    from tailrace.batch import Batch

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

    def __init__(self, root: Path, settings: StoreSettings, files: Files) -> None:
        self.root = root
        self.settings = settings
        self.files = files
        self.set_aside: list[Path] = []  # torn commits that this process moved out of the log
        self._caches = Caches()
        self._state: state.State | None = None
        self._state_lock = threading.Lock()
        self._delta: DeltaTable | None = None
        self._write_lock = threading.RLock()
        self._synced: int | None = None  # version up to which the log is on the disk

    @classmethod
    def open(
        cls,
        data: Path,
        *,
        create: bool = False,
        settings: StoreSettings | None = None,
        files: Files | None = None,
    ) -> LogTable:
        """Open the table in a data folder; with `create`, make it if there is none, and recover it for writing."""
        root = data.absolute() / "logs"
        if _ESCAPE.search(str(root)):  # the library decodes it and then looks in another folder
            raise TableError(f"{root}: a data folder's path must not contain `%` and two digits; choose another one")
        table = cls(root, settings or StoreSettings(), files or Files())
        if create:
            with translated(table.root, "creating the table"):
                table._create()
        table._check()
        return table

    # --- readers --------------------------------------------------------------------------------

    def snapshot(self) -> LogSnapshot:
        """Return the newest version; when nothing changed this costs one look for the next commit."""
        with self._state_lock:
            current = self._state
            current = state.load(self.root) if current is None else state.advance(current, self.root)
            self._state = current
        return LogSnapshot(current, self._caches, self.root)

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
            segments = commit.append(self.root, delta, batches, self.files, self.settings.zstd_level)
        for one in segments:
            self._caches.streams.put(str(one.file), one.streams)

    def sync(self) -> None:
        """Make every visible commit durable; a `TransientError` means to call it again before acknowledging."""
        with self._write_lock, translated(self.root, "making a commit durable"):
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
        with self._write_lock, translated(self.root, doing):
            try:
                if self._delta is None:
                    self._recover()
                    self._delta = DeltaTable(self.root.as_uri())
                yield self._delta
            except BaseException:
                self._delta = None
                raise

    # --- opening --------------------------------------------------------------------------------

    def _create(self) -> None:
        self.files.makedirs(self.root)
        self._recover()
        if not log.versions(self.root):
            self.files.run("create table", self._create_delta)
        self.sync()
        self.files.fsync_dir(self.root)
        self.files.fsync_dir(self.root.parent)

    def _create_delta(self) -> None:
        DeltaTable.create(
            self.root.as_uri(),
            columns.envelope_schema(),
            mode="ignore",
            partition_by=["_date"],
            name="logs",
            configuration=CONFIGURATION,
            raise_if_key_not_exists=False,
        )

    def _recover(self) -> None:
        moved = log.set_aside_torn(self.root, self.files)
        for path in moved:
            _LOGGER.warning("a torn commit was set aside as %s; its rows will be read again", path)
        self.set_aside += moved

    def _check(self) -> None:
        with translated(self.root, "opening the table"):
            newest = log.newest_whole(self.root)
            if newest is None:
                raise TableError(
                    f"{self.root}: there is no table here; `tailrace up` or `tailrace collect` creates one"
                )
            found = DeltaTable(self.root.as_uri(), version=newest).metadata().configuration.get(FORMAT_KEY, "1")
            if not found.isdecimal() or int(found) > FORMAT:
                raise TableError(
                    f"{self.root}: the table has format {found}, this program knows {FORMAT}; use a newer tailrace"
                )
