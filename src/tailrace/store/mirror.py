"""The log of a table in object storage, copied into a folder: then everybody reads it as a log in a folder.

A commit is a file that never changes, so a copy is right for ever. The first look lists the log and takes the newest
checkpoint with the commits after it; each later one asks for the next commit, one request while there is none.
Commits are put in place in rising order and with the store's time of writing: what is here has no gaps, and tells
whether a log was put in the place of another one. Older commits come when they are asked for (`reach`).
"""

from __future__ import annotations

import os
import re
import threading
import time
import uuid
from typing import TYPE_CHECKING, Final

from tailrace.clock import NS_PER_S
from tailrace.files import TEMPORARY
from tailrace.store import log

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tailrace.store.bucket import Bucket, Got, Listed

LIST_S: Final = 60.0
"""Seconds after which the log is listed again: another program may have cut it past us."""

_COMMIT: Final = re.compile(r"(\d{20})\.json")
_CHECKPOINT: Final = re.compile(r"(\d{20})\.checkpoint(\..*)?\.parquet")


class Mirror:
    """The copy of one log; any thread may ask."""

    def __init__(self, bucket: Bucket, root: Path) -> None:
        self._bucket = bucket
        self._folder = root / log.LOG
        self._lock = threading.Lock()
        self._newest: int | None = None  # the newest commit here; -1: there is none at all
        self._began_s = self._listed_s = float("-inf")

    def refresh(self) -> None:
        """Have every commit that was there when this was called; those who wait for a look share the next one."""
        asked_s = time.monotonic()
        with self._lock:
            if self._began_s >= asked_s:
                return
            began_s = time.monotonic()
            self._look(began_s)
            self._began_s = began_s

    def reach(self, version: int) -> None:
        """Have the commits after a version, as far as the log still has them, and the checkpoints among them."""
        with self._lock:
            here = self._here()
            first = min((int(match[1]) for name in here if (match := _COMMIT.fullmatch(name))), default=None)
            if first is not None and first <= version + 1:
                return
            kinds = (_CHECKPOINT, _COMMIT)
            found = [(kind.fullmatch(_name(one)), one) for one in self._listing() for kind in kinds]
            self._take([one for match, one in found if match and int(match[1]) > version])

    def tidy(self) -> None:
        """Forget what the log does not have any more."""
        with self._lock:
            self._whole()

    def forget(self, name: str) -> None:
        """Forget one file."""
        (self._folder / name).unlink(missing_ok=True)

    # --- under the lock ---------------------------------------------------------------------------

    def _look(self, now_s: float) -> None:
        if self._newest is None or self._newest < 0 or now_s - self._listed_s > LIST_S:
            self._whole()
            self._listed_s = now_s
        while self._newest is not None and (got := self._next(self._newest + 1)) is not None:
            self._put(f"{self._newest + 1:020d}.json", got)
            self._newest += 1
            later = self._bucket.listing(log.LOG, after=f"{log.LOG}/{self._newest:020d}.json")
            self._take([one for one in later if _COMMIT.fullmatch(_name(one))])

    def _next(self, version: int) -> Got | None:
        try:
            return self._bucket.get(f"{log.LOG}/{version:020d}.json")
        except FileNotFoundError:
            return None

    def _whole(self) -> None:
        """Have the newest checkpoint and the commits after it, and nothing that the log does not have."""
        listed = self._listing()
        self._folder.mkdir(parents=True, exist_ok=True)
        known = {_name(one): one for one in listed}  # times are compared in seconds: some servers tell no more
        for name, (size, modified_ns) in self._here().items():
            one = known.get(name)
            if one is None or (one.bytes, one.modified_ns // NS_PER_S) != (size, modified_ns // NS_PER_S):
                (self._folder / name).unlink(missing_ok=True)
        checkpoints: dict[int, list[Listed]] = {}
        for one in listed:
            if match := _CHECKPOINT.fullmatch(_name(one)):
                checkpoints.setdefault(int(match[1]), []).append(one)
        newest = max(checkpoints, default=-1)
        self._take(checkpoints.get(newest, []))
        commits = [(int(match[1]), one) for one in listed if (match := _COMMIT.fullmatch(_name(one)))]
        # the checkpoint's own commit too: who looks for the newest version finds one where there are no later ones;
        # and what follows the newest commit that is here, else who has read so far would find a gap behind it
        here = [int(match[1]) for name in self._here() if (match := _COMMIT.fullmatch(name))]
        first = min(newest, max(here, default=newest))
        self._take([one for version, one in commits if version >= first])
        self._newest = max((version for version, _ in commits), default=-1)

    def _listing(self) -> list[Listed]:
        return self._bucket.listing(log.LOG)

    def _take(self, wanted: Sequence[Listed]) -> None:
        """Copy files, many at once; they are put in place in the order in which they were given."""
        here = self._here()
        missing = [one for one in wanted if _name(one) not in here]
        for start in range(0, len(missing), _AT_ONCE):
            some = missing[start : start + _AT_ONCE]
            for one, got in zip(some, self._bucket.each(self._got, some), strict=True):
                if got is None:  # cut off the log just now: what is before it cannot be read without it either
                    continue
                self._put(_name(one), got)
        newest = [int(match[1]) for one in wanted if (match := _COMMIT.fullmatch(_name(one)))]
        self._newest = max([*newest, -1 if self._newest is None else self._newest])

    def _got(self, one: Listed) -> Got | None:
        try:
            return self._bucket.get(one.key)
        except FileNotFoundError:
            return None

    def _put(self, name: str, got: Got) -> None:
        target = self._folder / name
        temporary = target.with_name(f"{name}.{uuid.uuid4().hex}{TEMPORARY}")
        temporary.write_bytes(got.data)
        os.utime(temporary, ns=(got.modified_ns, got.modified_ns))
        temporary.replace(target)

    def _here(self) -> dict[str, tuple[int, int]]:
        """Return the files of the log that are here, with their bytes and times."""
        found: dict[str, tuple[int, int]] = {}
        if self._folder.is_dir():
            for entry in os.scandir(self._folder):
                if _COMMIT.fullmatch(entry.name) or _CHECKPOINT.fullmatch(entry.name):
                    look = entry.stat()
                    found[entry.name] = (look.st_size, look.st_mtime_ns)
        return found


_AT_ONCE: Final = 256  # commits in memory together: a few kilobytes each


def _name(one: Listed) -> str:
    return one.key.rpartition("/")[2]
