"""Batches on disk until every sink has them: what a sink did not get before a crash is sent again as it was.

One file per batch, fsynced before any sink sees it: a line of JSON (source, lines, bytes, position), then the rows as
Arrow IPC. An agent that reads its lines again after a crash would number them anew, and cut them differently; sinks
that had got them already could not tell. So the agent goes on behind the newest batch that lies here.
"""

from __future__ import annotations

import io
import json
import logging
import uuid
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.batch import Batch, Position
from tailrace.errors import DataError, TransientError
from tailrace.files import Files

if TYPE_CHECKING:
    from pathlib import Path

_SUFFIX: Final = ".batch"
_BROKEN: Final = ".broken"  # of files that nobody reads again; their numbers stay taken, so that none replaces one
_PUSHED: Final = "pushed-"  # agents of batches that came without a position: their numbers are ours
_LOGGER: Final = logging.getLogger(__name__)


@dataclass(slots=True)
class Entry:
    """One batch that lies in the spool, and the sinks that do not have it yet."""

    path: Path
    position: Position
    bytes: int
    waiting: set[str] = field(default_factory=set)  # names of sinks
    held: Batch | None = None  # the batch itself while it is in memory
    broken: bool = False  # whether it cannot be read, or not be taken: its file is kept for people

    @property
    def pushed(self) -> bool:
        """Whether it came from a sender who waits: the table had it before it was put here."""
        return self.position.agent.startswith(_PUSHED) or came_from_afar(self.position)

    def load(self) -> Batch:
        """Return the batch; `DataError` if the file is damaged or gone, `TransientError` if it cannot be read now."""
        return self.held or _decode(self.path)


class Spool:
    """The folder; one program uses it, under the lock of whoever owns this.

    A damaged batch is set aside when it is opened; one that cannot be read for the moment is a `TransientError`.
    """

    def __init__(self, folder: Path, files: Files | None = None) -> None:
        self._folder = folder
        self._files = files or Files()
        self._pusher = _PUSHED + uuid.uuid4().hex
        self.entries = self._load()  # oldest first
        taken = [path.stem for suffix in (_SUFFIX, _BROKEN) for path in self._folder.glob(f"*{suffix}")]
        self._next = max((int(stem) for stem in taken if stem.isdecimal()), default=-1) + 1

    @property
    def bytes(self) -> int:
        """How much lies here."""
        return sum(entry.bytes for entry in self.entries)

    def put(self, batch: Batch) -> Entry:
        """Keep a batch durably; one without a position is given one. `TransientError` if the disk does not take it."""
        position = batch.position or Position(self._pusher, self._next)
        placed = replace(batch, position=position)
        path = self._folder / f"{self._next:020d}{_SUFFIX}"
        data = _encode(placed)
        try:
            self._files.makedirs(self._folder)
            self._files.save(path, data)
        except OSError as error:
            raise TransientError(f"{path}: cannot be written: {error.strerror or error}") from error
        self._next += 1
        entry = Entry(path, position, len(data), held=placed)
        self.entries.append(entry)
        return entry

    def remove(self, entry: Entry) -> None:
        """Forget a batch that every sink has; one that a crash brings back is recognised by its number."""
        self.entries.remove(entry)
        if entry.broken:
            self._set_aside(entry.path)
        else:
            self._files.unlink(entry.path)

    def last_number(self, agent: str) -> int | None:
        """Return the newest number of an agent that lies here, or None."""
        return max((entry.position.number for entry in self.entries if entry.position.agent == agent), default=None)

    def _load(self) -> list[Entry]:
        found = []
        for path in sorted(self._folder.glob(f"*{_SUFFIX}")):
            try:
                batch = _decode(path)
            except DataError as error:  # one that cannot be read for the moment ends the start: nothing goes past it
                _LOGGER.error("%s", error)  # noqa: TRY400  the message says all
                self._set_aside(path)
                continue
            assert batch.position is not None, "put gives every batch one"
            found.append(Entry(path, batch.position, path.stat().st_size))
        return found

    def _set_aside(self, path: Path) -> None:
        aside = path.with_suffix(_BROKEN)
        try:
            self._files.rename(path, aside)
        except FileNotFoundError:
            _LOGGER.error("%s is gone: its lines may be missing in some sinks", path)  # noqa: TRY400  as above
            return
        _LOGGER.error("%s is set aside as %s: its lines may be missing in some sinks", path, aside.name)


def came_from_afar(position: Position | None) -> bool:
    """Tell whether a batch was pushed here: its sender knows no positions, or says which number it is to follow."""
    return position is None or position.after is not None


def _encode(batch: Batch) -> bytes:
    position = batch.position
    assert position is not None, "put gives every batch one"
    head = {
        "source": batch.source,
        "lines": batch.lines,
        "bytes": batch.bytes,
        "agent": position.agent,
        "number": position.number,
        "after": position.after,
    }
    data = io.BytesIO()
    data.write(json.dumps(head).encode() + b"\n")
    rows = batch.frame.write_ipc(None, compression="lz4")
    data.write(rows.getbuffer())
    return data.getvalue()


def _decode(path: Path) -> Batch:
    try:
        line, _, rows = path.read_bytes().partition(b"\n")
        head = json.loads(line)
        position = Position(head["agent"], head["number"], head["after"])
        return Batch(pl.read_ipc(rows), head["source"], head["lines"], head["bytes"], position)
    except FileNotFoundError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    except OSError as error:  # too many open files, a disk that is away
        raise TransientError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (ValueError, KeyError, TypeError, pl.exceptions.PolarsError) as error:
        raise DataError(f"{path}: cannot be read: {error}") from error
