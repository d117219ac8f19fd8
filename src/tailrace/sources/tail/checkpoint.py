"""The agent's durable memory: how far each source is, and which batches are on their way.

Comes in: `plan`, what a batch will have read when it is committed; `settle`, that it is. Goes
out: the numbers of batches, and the state that every source continues from. A plan is on the disk
before its batch is sent; after a crash `recover` compares the plans with the last number that the
table holds: those up to it are done, the others never happened and are read again.

The log is append-only (`records`), is rewritten as a whole when it has grown, and belongs to one
process at a time. A log that is whole is only read at the start, and added to. One that cannot be written, as on a
full disk, is tried again as long as `patience` lasts, if there is any; it does not stop the start either. Nor does
a log that is torn, foreign or of another version: its good prefix counts, the file is set aside as
`.broken-<n>`, and `warnings` says so. Refused is only what an operator must mend: a folder without permission, a log
that the disk does not give back. Not thread-safe.

One plan is one write and one fsync, and a plan is made per batch, not per file: that is what groups them.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import random
import uuid
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, cast

from tailrace.batch import LIFE_BITS, Position, life
from tailrace.errors import ConfigError, Problem, TableError, TailraceError, TransientError
from tailrace.files import Files
from tailrace.sources.tail import records

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tailrace.patience import Patience

FORMAT: Final = "tailrace-checkpoint"
VERSION: Final = 1
LOG_BYTES: Final = 4 << 20
"""The log is rewritten when it is larger than this and than four times its newest snapshot."""

_LIVES_SKIPPED: Final = 256  # a copy of a folder begins another life than the folder itself, most likely
_DENIED: Final = (errno.EACCES, errno.EPERM, errno.EROFS)
_GONE: Final = (errno.ENOENT, errno.ENOTDIR)
_LOGGER: Final = logging.getLogger(__name__)

Marks = dict[str, dict[str, object]]


class Checkpoint:
    """The memory of one agent in one folder; made by `open`."""

    def __init__(self, folder: Path, agent_name: str, files: Files, lock: int, patience: Patience | None) -> None:
        self.warnings: list[str] = []
        self.agent = f"{agent_name}-{uuid.uuid4().hex}"
        self.state: Marks = {}
        self.next_number = 0
        self._path = folder / "checkpoint.log"
        self._files = files
        self._lock = lock
        self._patience = patience
        self._open: dict[int, Marks] = {}  # plans that are not settled, oldest first
        self._alone: set[int] = set()  # those of them that no batch belongs to
        self._fences: dict[int, int | None] = {}  # numbers that only end what was before, and what a table held then
        self._stored = -1  # the last settled plan with a batch
        self._settled: list[int] = []  # since the last record
        self._dropped: list[int] = []  # the same, plans that never happened
        self._log_bytes = 0
        self._snapshot_bytes = 0
        self._load()
        self._begin()

    @classmethod
    def open(
        cls, folder: Path, *, agent_name: str, files: Files | None = None, patience: Patience | None = None
    ) -> Checkpoint:
        """Open the checkpoint of an agent, creating it if needed; `ConfigError` if another process has it."""
        files = files or Files()
        try:
            files.makedirs(folder)
            lock = _lock(folder / "lock", agent_name)
        except OSError as error:
            raise _meaning(error, folder) from error
        try:
            return cls(folder, agent_name, files, lock, patience)
        except BaseException:
            os.close(lock)
            raise

    def plan(self, marks: Mapping[str, Mapping[str, object]], *, batch: bool = True) -> Position:
        """Give a batch its number and make durable what it will have read; more than one plan may be open.

        Without a `batch`, since no row is left of what was read, the plan itself is what is kept: after a crash it
        counts, if everything before it does.
        """
        number = self.next_number
        (self._alone.discard if batch else self._alone.add)(number)  # a number whose plan failed is used again
        plan = {source: dict(changes) for source, changes in marks.items()}
        self._record(number, plan)
        self._settled, self._dropped = [], []
        self._open[number] = plan
        self.next_number = number + 1
        if self._log_bytes > max(LOG_BYTES, 4 * self._snapshot_bytes):
            with suppress(TransientError):  # the plan is durable; the next one has to rewrite the log before it is
                self._rewrite()
        return Position(self.agent, number)

    def fence(self, held: int | None) -> Position:
        """Give out a number that no batch belongs to, for a table of which `held` is the last one; before `recover`.

        When a table has taken it, behind `held` and nothing else, nothing of an earlier life of this agent can be
        stored there any more, however long it is on its way. The number is far above all before it, so that the
        numbers of two lives are told apart (`life`). Refused is a table that knows more than is noted here:
        then somebody else goes by the same name.
        """
        last = -1 if held is None else held
        if last >= self.next_number and not self.warnings:
            what = f"agent {self.agent} has sent more than this folder knows of: it is a copy that is used elsewhere, "
            what += "or it was brought back from a backup"
            hint = f"remove {self._path} and everything is read again under a new identity"
            raise ConfigError([Problem(str(self._path.parent), what, hint)])
        skipped = 1 + random.randrange(_LIVES_SKIPPED)  # noqa: S311  tells copies apart, hides nothing
        number = (life(max(last + 1, self.next_number)) + skipped) << LIFE_BITS
        self._fences[number] = held
        self._record(number, {})
        self._settled, self._dropped = [], []
        self.next_number = number + 1
        return Position(self.agent, number, last)

    def meant(self, held: int | None) -> int | None:
        """Return the last number with a batch or plan that a table holds which says that it holds `held`."""
        while held in self._fences:
            held = self._fences[held]
        return held

    def settle(self, number: int) -> None:
        """Take the batch of a plan as committed; durable with the next plan, `recover` or `close`."""
        self._merge(number)
        self._settled.append(number)

    def recover(self, last_number: int | None) -> None:
        """Settle the plans up to the table's last number and drop the others for good; before the first plan.

        Plans without a batch that follow are settled up to the first one that had one. A table that knows nothing of
        this agent, though batches were settled, is a new one: all is read again for it.
        What is decided here is durable with the next plan; a crash before it leads to the same decision.
        """
        last_number = self.meant(last_number)
        last = -1 if last_number is None else last_number
        missed = last_number is None and self._stored >= 0
        if missed:
            _LOGGER.warning("%s: the table holds nothing of what was read so far: all is read again", self._path)
            self.state, self._stored = {}, -1
            self._log_bytes = 0  # the next plan follows a snapshot without the old state
        elif last >= self.next_number:
            lost = last + 1 - self.next_number
            _LOGGER.warning("%s: the table holds %d batches that are not noted here; their lines are read again",
                self._path, lost)  # fmt: skip
        for number in sorted(self._open):
            missed |= number > last and number not in self._alone
            if not missed:
                self.settle(number)
        self._dropped += self._open
        self._open.clear()
        self._alone.clear()
        # A dropped number is never used again: its batch may still be on its way somewhere.
        self.next_number = max(self.next_number, last + 1)

    def close(self) -> None:
        """Write what was settled and give the folder free; nothing is planned afterwards.

        On a full disk it stays unwritten: the next start learns it from the table.
        """
        if self._lock >= 0:
            try:
                if self._settled or self._dropped:
                    self._rewrite()
            except TransientError as error:
                _LOGGER.warning("%s; the next start asks the table instead", error)
            finally:
                os.close(self._lock)
                self._lock = -1

    # --- the log --------------------------------------------------------------------------------

    def _record(self, number: int, plan: Marks) -> None:
        """Make a plan durable, if need be in several attempts."""
        if self._patience is not None:
            for pause_s in self._patience.pauses():
                try:
                    self._try_to_record(number, plan)
                except TransientError as error:
                    _LOGGER.warning("%s; trying again in %.1f s, nothing is lost", error, pause_s)
                else:
                    return
                self._patience.wait(pause_s)
        self._try_to_record(number, plan)

    def _try_to_record(self, number: int, plan: Marks) -> None:
        if not self._log_bytes:
            self._rewrite()  # the last write failed half-way: nothing may follow its rest
        record = {"plan": number, "marks": plan, "settled": self._settled, "dropped": self._dropped}
        if number in self._fences:
            record["held"] = self._fences[number]
        self._append(record | ({"alone": True} if number in self._alone else {}))

    def _append(self, record: Mapping[str, object]) -> None:
        data = records.encode(record)
        before, self._log_bytes = self._log_bytes, 0
        try:
            self._files.append(self._path, data)
            self._files.fsync(self._path)
        except OSError as error:
            raise _meaning(error, self._path) from error
        self._log_bytes = before + len(data)

    def _rewrite(self) -> None:
        head = {"format": FORMAT, "version": VERSION, "agent": self.agent}
        snapshot = {
            "state": self.state,
            "next": self.next_number,
            "stored": self._stored,
            "open": sorted(self._open.items()),
            "alone": sorted(self._alone & self._open.keys()),
            "fences": sorted(self._fences.items()),
        }
        data = records.encode(head) + records.encode(snapshot)
        self._log_bytes = 0
        try:
            self._files.save(self._path, data)
        except OSError as error:
            raise _meaning(error, self._path) from error
        self._settled, self._dropped = [], []
        self._log_bytes = self._snapshot_bytes = len(data)

    # --- the start ------------------------------------------------------------------------------

    def _begin(self) -> None:
        """Make sure that what was loaded can be added to; a full disk only puts that off to the first plan."""
        try:
            if self._log_bytes:
                self._sync_name()
            else:
                self._rewrite()
        except TransientError as error:
            self._log_bytes = 0
            self.warnings.append(f"{error}; nothing is read until it can be")

    def _sync_name(self) -> None:
        """Bring the log's name to the disk: whoever renamed it may have been killed before it did."""
        try:
            self._files.fsync_dir(self._path.parent)
        except OSError as error:
            raise _meaning(error, self._path) from error

    def _load(self) -> None:
        try:
            data = self._path.read_bytes()
        except FileNotFoundError:
            return
        except OSError as error:
            raise TableError(f"{self._path}: cannot be read: {error.strerror}; see to the disk and to permissions, "
                             "or move the file away to have everything read again") from error  # fmt: skip
        decoded = records.decode(data)
        why, rest = self._replay(decoded.records), len(data) - decoded.good_bytes
        if why:
            self._set_aside(why)
        elif not rest:
            self._log_bytes, self._snapshot_bytes = len(data), decoded.ends[1]
        elif decoded.torn:
            self.warnings.append(f"{self._path}: the last {rest} bytes were never finished and are left out")
        else:
            self._set_aside(f"{rest} bytes after byte {decoded.good_bytes} cannot be read")

    def _replay(self, found: tuple[records.Record, ...]) -> str:
        """Take over the records; returns why not all of them can be used, or an empty text."""
        if not found or found[0].get("format") != FORMAT:
            return "this is not a checkpoint"
        if found[0].get("version") != VERSION:
            return f"its format has version {found[0].get('version')!r}, this program reads {VERSION}"
        try:
            self.agent = str(found[0]["agent"])
            for record in found[1:]:
                self._apply(record)
        except (AttributeError, KeyError, TypeError, ValueError):
            return "it has a record that is not understood"
        return "" if len(found) > 1 else "it has no snapshot"

    def _apply(self, record: records.Record) -> None:
        """Take over one record. One that was written twice changes nothing."""
        fields = cast("dict[str, Any]", record)  # written by `_append` and `_rewrite`, proven by its checksum
        if "state" in fields:
            self.state, self.next_number = fields["state"], fields["next"]
            self._open = dict(fields["open"])
            self._alone = set(fields.get("alone", ()))
            self._fences = dict(fields.get("fences", ()))
            # A log of before has no such key: what it holds came with batches.
            self._stored = fields.get("stored", self.next_number - 1 if self.state else -1)
            return
        for number in fields["settled"]:
            if number in self._open:
                self._merge(number)
        for number in fields["dropped"]:
            self._open.pop(number, None)
            self._alone.discard(number)
        if fields["plan"] >= self.next_number:
            if "held" in fields:
                self._fences[fields["plan"]] = fields["held"]
            else:
                self._open[fields["plan"]] = fields["marks"]
            if fields.get("alone"):
                self._alone.add(fields["plan"])
            self.next_number = fields["plan"] + 1

    def _merge(self, number: int) -> None:
        merge(self.state, self._open.pop(number))
        if number in self._alone:
            self._alone.discard(number)
        else:
            self._stored = number

    def _set_aside(self, why: str) -> None:
        """Keep the log under another name; its own is given to the new log at once."""
        number = 1
        while (aside := self._path.with_name(f"{self._path.name}.broken-{number}")).exists():
            number += 1
        try:
            self._files.link(self._path, aside)
            kept = f"set aside as {aside.name}"
        except OSError as error:
            kept = f"not set aside: {error.strerror}"
        self.warnings.append(f"{self._path}: {why}; {kept}, going on from what is whole")


def merge(state: Marks, changes: Mapping[str, Mapping[str, object]]) -> None:
    """Merge marks into a state, key by key; None forgets a key."""
    for source, marks in changes.items():
        known = state.setdefault(source, {})
        for key, value in marks.items():
            if value is None:
                known.pop(key, None)
            else:
                known[key] = value


def _meaning(error: OSError, path: Path) -> TailraceError:
    what = f"{path}: cannot be written: {error.strerror or error}"
    if error.errno in _DENIED:
        return TableError(f"{what}; give this user write permission to the data folder")
    if error.errno in _GONE:
        return TableError(f"{what}; the data folder was removed or replaced, the next start makes a new one")
    return TransientError(what)


def _lock(path: Path, agent_name: str) -> int:
    """Return a locked descriptor that names this process; `ConfigError` if another one holds it."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        holder = os.pread(handle, 64, 0).decode("ascii", "replace").strip() or "unknown"
        os.close(handle)
        what = f"agent {agent_name!r} is already running as process {holder}"
        hint = "stop it, or give this one another name or data folder"
        raise ConfigError([Problem(str(path.parent), what, hint)]) from error
    os.ftruncate(handle, 0)
    os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
    return handle
