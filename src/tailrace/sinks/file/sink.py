"""Write rows to files of a folder, exactly once.

Rows are appended to one file; when a batch is complete the file is fsynced, then its length and the batch's number are
noted in one step (`journal`). After a crash the file is cut to the noted length. JSON lines are written where they
stay; rows for Parquet are gathered in a hidden file, which becomes a Parquet file when it is full, old, or the program
ends.
"""

from __future__ import annotations

import io
import logging
import re
import struct
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.batch import complete, stack
from tailrace.clock import NS_PER_S
from tailrace.errors import ConfigError, Problem, TransientError
from tailrace.files import Files
from tailrace.sinks.delivery import DELIVERED, ROW, Sent
from tailrace.sinks.file.journal import Journal, State
from tailrace.sinks.json_rows import documents
from tailrace.sinks.sending import SendingSink

if TYPE_CHECKING:
    from tailrace.batch import Position
    from tailrace.clock import Clock
    from tailrace.sinks.around import Around
    from tailrace.sinks.delivery import Rows
    from tailrace.sinks.file.settings import FileSettings

_LENGTH: Final = struct.Struct(">Q")  # in front of each piece of Arrow IPC
_LOGGER: Final = logging.getLogger(__name__)


def file_sink(settings: FileSettings, around: Around) -> SendingSink:
    """Return the sink; a folder that cannot be made is a `ConfigError`."""
    writer = FileWriter(settings, around.folder, around.clock)
    return SendingSink(settings, around, writer, writer)


class FileWriter:
    """Takes rows to files, and remembers which batches they hold: a `Courier`, and what `Remembers`."""

    def __init__(self, settings: FileSettings, folder: Path, clock: Clock, files: Files | None = None) -> None:
        self._settings = settings
        self._clock = clock
        self._files = files or Files()
        try:
            self._files.makedirs(settings.path)
        except OSError as error:
            raise ConfigError([Problem(str(settings.path), f"cannot be made: {error.strerror or error}")]) from error
        self._journal = Journal(folder, self._files)
        self._written = 0  # bytes of the file, also of the batch under way
        self._recover()

    # --- the courier ----------------------------------------------------------------------------

    def send(self, rows: Rows) -> Sent:
        """Append rows; they count when their batch is noted."""
        frame = rows.frame.drop(ROW)
        data = _lines(frame) if self._settings.format == "json" else _piece(frame)
        path = self._current()
        try:
            self._files.append(path, data)
        except OSError as error:
            with suppress(OSError):
                self._files.truncate(path, self._written)
            raise TransientError(f"{path}: cannot be written: {error.strerror or error}") from error
        self._written += len(data)
        return DELIVERED

    def close(self) -> None:
        """Leave whole files behind."""
        try:
            self.undo()
            if self._settings.format == "parquet":
                self._finish()
        except TransientError as error:
            _LOGGER.warning("%s; the next start completes it", error)
        self._journal.close()

    # --- what is remembered ---------------------------------------------------------------------

    def last(self, agent: str) -> int | None:
        """Return the last number of an agent that is in the files, or None."""
        return self._journal.state.numbers.get(agent)

    def holds(self, position: Position) -> bool:
        """Tell whether the files hold a batch."""
        return position.number <= self._journal.state.numbers.get(position.agent, -1)

    def note(self, position: Position | None) -> None:
        """Make what was appended durable, together with its number; begin another file when it is time."""
        state = self._journal.state
        if state.file and self._written != state.length:
            try:
                self._files.fsync(Path(state.file))
            except OSError as error:
                raise TransientError(f"{state.file}: cannot be written: {error.strerror or error}") from error
        numbers = state.numbers if position is None else {**state.numbers, position.agent: position.number}
        self._journal.save(replace(state, length=self._written, numbers=numbers))
        with suppress(TransientError):  # the batch is durable; another file begins with the next one
            if self._due():
                self._finish()

    def undo(self) -> None:
        """Cut off what was appended since the last note."""
        state = self._journal.state
        if state.file and self._written != state.length:
            try:
                self._files.truncate(Path(state.file), state.length)
            except OSError as error:
                raise TransientError(f"{state.file}: cannot be cut: {error.strerror or error}") from error
            self._written = state.length

    # --- files ----------------------------------------------------------------------------------

    def _recover(self) -> None:
        state = self._journal.state
        if not state.file:
            return
        path = Path(state.file)
        try:
            size = path.stat().st_size
        except FileNotFoundError:
            size = 0
        if size < state.length:
            if not _target(path).exists():  # else it was finished just before a crash
                _LOGGER.error(
                    "%s: has %d bytes, and %d were written: somebody took rows away", path, size, state.length
                )
            self._journal.save(replace(state, file="", length=0))
            return
        self._written = size
        self.undo()
        if path.parent != self._settings.path or path.suffix != self._suffix():
            self._finish()  # the configuration changed

    def _suffix(self) -> str:
        return ".jsonl" if self._settings.format == "json" else ".part"

    def _current(self) -> Path:
        """Return the file to append to; a new one is noted before it is made."""
        state = self._journal.state
        if state.file:
            return Path(state.file)
        now_ns, sequence = self._clock.now_ns(), state.sequence + 1
        stamp = datetime.fromtimestamp(now_ns // NS_PER_S, UTC).strftime("%Y%m%dT%H%M%SZ")
        name = f"{self._settings.name}-{stamp}-{sequence:06d}"
        name = f"{name}.jsonl" if self._settings.format == "json" else f".{name}.part"
        path = self._settings.path / name
        self._written = 0
        self._journal.save(State(str(path), 0, now_ns, sequence, state.numbers))
        try:
            self._files.write(path, b"")
            self._files.fsync_dir(path.parent)
        except OSError as error:
            raise TransientError(f"{path}: cannot be made: {error.strerror or error}") from error
        return path

    def _due(self) -> bool:
        state = self._journal.state
        age_s = (self._clock.now_ns() - state.opened_ns) / NS_PER_S
        return bool(state.file) and (state.length >= self._settings.rotate_bytes or age_s >= self._settings.rotate_s)

    def _finish(self) -> None:
        """Begin no more in the file that is written; of Parquet it is made now."""
        state = self._journal.state
        if not state.file:
            return
        path = Path(state.file)
        try:
            if path.suffix == ".part" and state.length:
                self._files.save(_target(path), _parquet(path.read_bytes()))
            if path.suffix == ".part" or not state.length:
                self._files.unlink(path)  # before it is forgotten: nobody would look for it later
        except OSError as error:
            raise TransientError(f"{path}: cannot be finished: {error.strerror or error}") from error
        self._journal.save(replace(state, file="", length=0))
        self._written = 0
        try:
            self._keep()
        except OSError as error:  # somebody else removed one just now, or may alone
            _LOGGER.warning("%s: old files cannot be removed: %s", self._settings.path, error.strerror or error)

    def _keep(self) -> None:
        """Remove the oldest finished files beyond what may be kept."""
        if self._settings.keep_bytes is None:
            return
        own = re.compile(rf"{re.escape(self._settings.name)}-\d{{8}}T\d{{6}}Z-\d{{6,}}\.(jsonl|parquet)")
        found = sorted(path for path in self._settings.path.iterdir() if own.fullmatch(path.name))
        sizes = [path.stat().st_size for path in found]
        excess = sum(sizes) - self._settings.keep_bytes
        for path, size in zip(found, sizes, strict=True):
            if excess <= 0:
                return
            _LOGGER.info("%s: removed, since keep_bytes is reached", path)
            self._files.unlink(path)
            excess -= size


def _target(part: Path) -> Path:
    """Return the Parquet file that a hidden file becomes."""
    return part.with_name(part.name.removeprefix(".").removesuffix(".part") + ".parquet")


def _lines(frame: pl.DataFrame) -> bytes:
    text = documents(frame).str.join("\n").item()
    return f"{text}\n".encode() if frame.height else b""


def _piece(frame: pl.DataFrame) -> bytes:
    data = frame.write_ipc(None, compression="lz4").getbuffer()
    return _LENGTH.pack(len(data)) + bytes(data)


def _parquet(pieces: bytes) -> bytes:
    """Return the rows of a hidden file as Parquet, with the columns of the table."""
    frames, at = [], 0
    while at < len(pieces):
        (length,) = _LENGTH.unpack_from(pieces, at)
        at += _LENGTH.size
        frames.append(pl.read_ipc(pieces[at : at + length]))
        at += length
    data = io.BytesIO()
    complete(stack(frames)).write_parquet(data, compression="zstd")
    return data.getvalue()
