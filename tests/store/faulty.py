"""File operations that fail on purpose: at the n-th one, before or after it took place, once or for good."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tailrace.files import Files

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class Crash(BaseException):
    """The process is gone: nothing catches it, and nothing is tidied up."""


class FaultyFiles(Files):
    """Fails operation number `at`; after a `Crash` every further operation crashes too."""

    def __init__(self, at: int, fault: BaseException, *, after: bool = False) -> None:
        self.at = at
        self.fault = fault
        self.after = after
        self.done: list[str] = []
        self.dead = False

    @property
    def hit(self) -> bool:
        return len(self.done) > self.at

    def _operation(self, name: str, action: Callable[[], object]) -> object:
        if self.dead:
            raise Crash
        self.done.append(name)
        strikes = len(self.done) == self.at + 1
        result = action() if not strikes or self.after else None
        if strikes:
            self.dead = isinstance(self.fault, Crash)
            raise self.fault
        return result

    def makedirs(self, path: Path) -> None:
        self._operation(f"makedirs {path.name}", lambda: Files.makedirs(self, path))

    def write(self, path: Path, data: bytes) -> None:
        self._operation(f"write {path.name}", lambda: Files.write(self, path, data))

    def append(self, path: Path, data: bytes) -> None:
        self._operation(f"append {path.name}", lambda: Files.append(self, path, data))

    def truncate(self, path: Path, size: int) -> None:
        self._operation(f"truncate {path.name}", lambda: Files.truncate(self, path, size))

    def fsync(self, path: Path) -> None:
        self._operation(f"fsync {path.name}", lambda: Files.fsync(self, path))

    def fsync_dir(self, path: Path) -> None:
        self._operation(f"fsync_dir {path.name}", lambda: Files.fsync_dir(self, path))

    def rename(self, source: Path, target: Path) -> None:
        self._operation(f"rename {source.name}", lambda: Files.rename(self, source, target))

    def link(self, source: Path, target: Path) -> None:
        self._operation(f"link {source.name}", lambda: Files.link(self, source, target))

    def unlink(self, path: Path) -> None:
        self._operation(f"unlink {path.name}", lambda: Files.unlink(self, path))

    def run(self, what, action):
        return self._operation(what, action)
