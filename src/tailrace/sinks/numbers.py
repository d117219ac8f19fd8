"""The last delivered number of every agent, for sinks whose receivers cannot be asked.

A small file, replaced after each batch and fsynced before the batch counts as delivered. What was delivered and not
noted when the power went is delivered again. A file that cannot be read is set aside: that costs repeats, never a line.
"""

from __future__ import annotations

import json
import logging
import threading
from typing import TYPE_CHECKING, Final, Protocol

from tailrace.errors import TransientError
from tailrace.files import Files

if TYPE_CHECKING:
    from pathlib import Path

    from tailrace.batch import Position

_LOGGER: Final = logging.getLogger(__name__)


class Remembers(Protocol):
    """What remembers which batches are delivered; called by the thread of one sink, `last` by any."""

    def last(self, agent: str) -> int | None:
        """Return the last number of an agent that was delivered, or None."""
        ...

    def holds(self, position: Position) -> bool:
        """Tell whether a batch was delivered before."""
        ...

    def note(self, position: Position | None) -> None:
        """Keep durably that the rows sent since the last call were a batch, and all of it."""
        ...

    def undo(self) -> None:
        """Take back rows of a batch that is given up, where that can be done."""
        ...


class Numbers:
    """The memory of one sink, in its folder; safe to use from several threads."""

    def __init__(self, folder: Path, files: Files | None = None) -> None:
        self._path = folder / "numbers.json"
        self._files = files or Files()
        self._lock = threading.Lock()
        self._last = self._load()

    def last(self, agent: str) -> int | None:
        """Return the last number of an agent that was delivered, or None."""
        with self._lock:
            return self._last.get(agent)

    def holds(self, position: Position) -> bool:
        """Tell whether a batch was delivered before."""
        last = self.last(position.agent)
        return last is not None and position.number <= last

    def note(self, position: Position | None) -> None:
        """Keep durably that a batch was delivered; `TransientError` if the disk does not take it."""
        if position is None:
            return
        with self._lock:
            last = {**self._last, position.agent: position.number}
            try:
                self._files.makedirs(self._path.parent)
                self._files.save(self._path, json.dumps(last).encode())
            except OSError as error:
                raise TransientError(f"{self._path}: cannot be written: {error.strerror or error}") from error
            self._last = last

    def undo(self) -> None:
        """Do nothing: a receiver keeps what it got."""

    def _load(self) -> dict[str, int]:
        try:
            found = json.loads(self._path.read_bytes())
            return {str(agent): int(number) for agent, number in found.items()}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, AttributeError, TypeError) as error:
            aside = self._path.with_suffix(".broken")
            _LOGGER.warning("%s: cannot be read (%s), set aside as %s: the sink may repeat some rows",
                self._path, error, aside.name)  # fmt: skip
            try:
                self._files.rename(self._path, aside)
            except OSError:
                _LOGGER.warning("%s: could not be set aside", self._path)
            return {}
