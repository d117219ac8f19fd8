"""What the file sink remembers: which file it writes, how much of it counts, and the last number of every agent.

One small file, replaced and fsynced as a whole: so rows and numbers become durable in one step. A file is named here
before it is made; what lies in it beyond the length that is noted was never acknowledged, and is cut off.
"""

from __future__ import annotations

import fcntl
import json
import os
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from tailrace.errors import ConfigError, Problem, TableError, TransientError

if TYPE_CHECKING:
    from pathlib import Path

    from tailrace.files import Files


@dataclass(frozen=True, slots=True)
class State:
    """One state of the journal."""

    file: str = ""  # path of the file that is written; empty for none
    length: int = 0  # bytes of it that count
    opened_ns: int = 0
    sequence: int = 0  # of the newest file
    numbers: dict[str, int] = field(default_factory=dict)  # agent: last number


class Journal:
    """The journal of one sink in its folder; one process has it at a time."""

    def __init__(self, folder: Path, files: Files) -> None:
        self._path = folder / "journal.json"
        self._files = files
        try:
            files.makedirs(folder)
            self._lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise TableError(f"{folder}: cannot be written: {error.strerror or error}") from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._lock)
            what = f"the sink {folder.name!r} is used by another process"
            raise ConfigError([Problem(str(folder), what, "stop that one first")]) from error
        self.state = self._load()

    def save(self, state: State) -> None:
        """Make a state durable; `TransientError` if the disk does not take it."""
        try:
            self._files.save(self._path, json.dumps(asdict(state)).encode())
        except OSError as error:
            raise TransientError(f"{self._path}: cannot be written: {error.strerror or error}") from error
        self.state = state

    def close(self) -> None:
        """Give the folder free."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _load(self) -> State:
        try:
            found: Any = json.loads(self._path.read_bytes())  # whatever stands there
            return State(**{name: type(default)(found[name]) for name, default in asdict(State()).items()})
        except FileNotFoundError:
            return State()
        except (OSError, ValueError, KeyError, TypeError) as error:
            self.close()
            hint = "move it away to begin new files; batches that were on their way may then come twice"
            raise ConfigError([Problem(str(self._path), f"is no journal of a file sink ({error})", hint)]) from error
