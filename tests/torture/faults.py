"""System calls that fail at random while a source reads: what a full table of files, a dying disk or NFS answers.

Only calls about files below one folder fail, by path or by descriptor; state, events and everything else go through.
"""

from __future__ import annotations

import os
import random
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

CALLS = ("open", "pread", "stat", "lstat", "scandir", "readlink")


@contextmanager
def failing(folder: Path, errno: int, share: float, chance: random.Random) -> Iterator[None]:
    """Let a share of all calls about a folder fail with an error."""

    def at_random(_name: str, _path: str) -> int:
        return errno if chance.random() < share else 0

    with _patched(folder, at_random):
        yield


@contextmanager
def denied(folder: Path, errno: int, inodes: set[int]) -> Iterator[None]:
    """Let files be there and not be opened, as after `chmod 000`; also where tests run as root."""
    stat = os.stat

    def by_inode(name: str, path: str) -> int:
        if name != "open":
            return 0
        try:
            return errno if stat(path).st_ino in inodes else 0
        except OSError:
            return 0

    with _patched(folder, by_inode):
        yield


@contextmanager
def _patched(folder: Path, decide: Callable[[str, str], int]) -> Iterator[None]:
    real: dict[str, Callable[..., Any]] = {name: getattr(os, name) for name in CALLS}
    below = f"{folder}/"

    def instead(name: str) -> Callable[..., Any]:
        def call(at: Any, *rest: Any, **more: Any) -> Any:
            path = f"/proc/self/fd/{at}" if isinstance(at, int) else os.fspath(at)
            place = _target(real["readlink"], path) if isinstance(at, int) else path
            errno = decide(name, path) if str(place).startswith(below) else 0
            if errno:
                raise OSError(errno, os.strerror(errno), None if isinstance(at, int) else at)
            return real[name](at, *rest, **more)

        return call

    for name in CALLS:
        setattr(os, name, instead(name))
    try:
        yield
    finally:
        for name, call in real.items():
            setattr(os, name, call)


def _target(readlink: Callable[[str], str], path: str) -> str:
    try:
        return readlink(path)
    except OSError:
        return ""
