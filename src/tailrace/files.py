"""Durable file operations, as an object that is passed in so that tests can fail each of them.

Every write that must survive a power cut goes through one `Files`: bytes are in the file after
`write`, on the disk after `fsync`, and a name is on the disk after `fsync_dir` of its folder.
A test derives from it and raises, tears or "crashes" at the n-th operation. Nothing is retried
here, and every failure is the plain `OSError` of the system.
"""

from __future__ import annotations

import os
import select
from typing import IO, TYPE_CHECKING, Any, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

T = TypeVar("T")

TEMPORARY: Final = ".tmp"
"""Suffix of a file that is being written; a left-over may be removed by its owner at any start."""


class Files:
    """The file system of this machine."""

    def makedirs(self, path: Path) -> None:
        """Make a folder and its parents; an existing one is fine."""
        path.mkdir(parents=True, exist_ok=True)

    def write(self, path: Path, data: bytes) -> None:
        """Write a whole file, replacing its content; not yet durable."""
        path.write_bytes(data)

    def append(self, path: Path, data: bytes) -> None:
        """Add to the end of a file, creating it if needed; not yet durable."""
        with path.open("ab") as file:
            file.write(data)

    def truncate(self, path: Path, size: int) -> None:
        """Cut a file to a size; not yet durable."""
        os.truncate(path, size)

    def fsync(self, path: Path) -> None:
        """Bring a file's content to the disk."""
        _fsync(path, os.O_RDONLY)

    def fsync_dir(self, path: Path) -> None:
        """Bring the names in a folder to the disk."""
        _fsync(path, os.O_RDONLY | os.O_DIRECTORY)

    def rename(self, source: Path, target: Path) -> None:
        """Give a file another name at once, replacing what had it."""
        source.replace(target)

    def link(self, source: Path, target: Path) -> None:
        """Give a file a second name; `FileExistsError` if the name is taken."""
        os.link(source, target)

    def unlink(self, path: Path) -> None:
        """Remove a name; one that is not there is fine."""
        path.unlink(missing_ok=True)

    def run(self, what: str, action: Callable[[], T]) -> T:  # noqa: ARG002  `what` names the operation to tests
        """Run an action of a library that writes files by itself, as one operation that tests can fail."""
        return action()

    def save(self, path: Path, data: bytes) -> None:
        """Replace a file's content durably: a crash at any point leaves the old or the new content, whole."""
        temporary = path.with_name(path.name + TEMPORARY)
        self.write(temporary, data)
        self.fsync(temporary)
        self.rename(temporary, path)
        self.fsync_dir(path.parent)


def _fsync(path: Path, flags: int) -> None:
    handle = os.open(path, flags)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def readable(stream: IO[Any] | int, timeout_s: float) -> bool:  # of text or of bytes: only its handle matters
    """Tell whether something can be read within a time, the end of it included; also beyond 1,024 open files."""
    poll = select.poll()
    poll.register(stream, select.POLLIN)
    return bool(poll.poll(round(timeout_s * 1_000)))
