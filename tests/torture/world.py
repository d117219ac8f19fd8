"""What programs do to their logs, done to real files, and what an agent must make of it.

The `World` knows for every line in which files it is, and whether a reader can still get at it. A line is *doomed*
when the last file with it was cut or deleted before anybody could have read it: it may be missing, all others may not.
It is *loose* when nothing tells its place among the lines of its stream, as in a file that was moved away unread and
came back: it must come once, anywhere.
"""

from __future__ import annotations

import gzip
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path

OLDEST = 6
"""Rotated files that are kept; the next one is deleted."""


@dataclass(eq=False)
class File:
    """One file on the disk: its whole lines, and the names it has where the agent looks."""

    lines: list[str] = field(default_factory=list)
    names: set[Path] = field(default_factory=set)
    renamed: bool = False  # it was the live file, and its writer may not know that it is no more


@dataclass(eq=False)
class Stream:
    """What one program writes, in order."""

    name: str
    path: Path
    container: bool  # its lines are those of a container runtime
    written: list[str] = field(default_factory=list)
    open: str = ""  # an unfinished line


class World:
    """The folders, the files in them, and their lines."""

    def __init__(self, base: Path, names: tuple[str, ...], containers: frozenset[str]) -> None:
        self.base = base
        self.logs, self.out, self.targets = base / "logs", base / "out", base / "targets"
        for folder in (self.logs, self.out, self.targets):
            folder.mkdir()
        self.streams = {name: Stream(name, self.logs / name, name in containers) for name in names}
        self.files: dict[int, File] = {}  # those that have a name, by inode
        self.unlinked: list[File] = []
        self.doomed: set[str] = set()
        self.loose: set[str] = set()
        self.number = 0
        self.stamp_ns = 0

    def file(self, path: Path) -> File:
        """Return the file at a path, links followed."""
        found = self.files.setdefault(path.stat().st_ino, File())
        found.names.add(path)
        return found

    def text(self, name: str) -> str:
        self.number += 1
        return f"{name} line {self.number:05d} of a log whose lines are not all equally long {'.' * (self.number % 37)}"

    # --- writing --------------------------------------------------------------------------------

    def append(self, path: Path, data: bytes) -> File:
        with path.open("ab") as file:
            file.write(data)
        os.utime(path, ns=(self.stamp_ns, self.stamp_ns))
        return self.file(path)

    def write(self, stream: Stream, count: int, path: Path | None = None) -> None:
        """Append whole lines; the first one ends the line that is open."""
        texts = [self.text(stream.name) for _ in range(count)]
        whole = [stream.open + texts[0], *texts[1:]]
        stream.open = ""
        stream.written += whole
        file = self.append(path or stream.path, b"".join(map(self._encoded(stream), texts)))
        file.lines += whole

    def write_part(self, stream: Stream) -> None:
        """Append the beginning of a line."""
        part = self.text(stream.name) + " to be continued "
        data = f"2026-01-01T00:00:00.5Z stdout P {part}\n" if stream.container else part
        self.append(stream.path, data.encode())
        stream.open += part

    def _encoded(self, stream: Stream):
        if stream.container:
            return lambda text: f"2026-01-01T00:00:00.5Z stdout F {text}\n".encode()
        return lambda text: f"{text}\n".encode()

    # --- moving ---------------------------------------------------------------------------------

    def rename(self, source: Path, target: Path, *, seen: bool = True) -> None:
        """Give a file another name; `seen`: where the agent looks."""
        file = self.file(source)
        source.rename(target)
        file.names.discard(source)
        if seen:
            file.names.add(target)

    def shift(self, stream: Stream) -> Path:
        """Make room for a newly rotated file, as logrotate does; return its path."""
        for number in range(OLDEST, 0, -1):
            for end in ("", ".gz"):
                older = stream.path.with_name(f"{stream.name}.{number}{end}")
                if older.exists() and number < OLDEST:
                    self.rename(older, stream.path.with_name(f"{stream.name}.{number + 1}{end}"))
        return stream.path.with_name(f"{stream.name}.1")

    def oldest(self, stream: Stream) -> Path | None:
        """Return the file that the next shift has no room for."""
        paths = (stream.path.with_name(f"{stream.name}.{OLDEST}{end}") for end in ("", ".gz"))
        return next((path for path in paths if path.exists()), None)

    def copy(self, source: Path, target: Path) -> File:
        shutil.copy(source, target)
        copied = self.file(target)
        copied.lines = list(self.file(source).lines)
        return copied

    def cut(self, path: Path) -> None:
        os.truncate(path, 0)
        self.file(path).lines = []

    def unlink(self, path: Path) -> None:
        file = self.file(path)
        inode = path.stat().st_ino
        path.unlink()
        file.names.discard(path)
        if not file.names:
            self.unlinked.append(file)
            self.files.pop(inode, None)

    def replace(self, stream: Stream, temporary: Path) -> None:
        """Let another file take the name of a stream's."""
        old, inode = self.file(stream.path), stream.path.stat().st_ino
        temporary.rename(stream.path)
        old.names.discard(stream.path)
        if not old.names:
            self.unlinked.append(old)
            self.files.pop(inode, None)
        new = self.file(stream.path)
        new.names.discard(temporary)

    def compress(self, path: Path, *, directly: bool) -> Path:
        """Replace a file by a compressed one, written under its own name or under a temporary one."""
        packed = path.with_name(f"{path.name}.gz")
        temporary = packed if directly else path.with_name(f"{path.name}.tmp")
        temporary.write_bytes(gzip.compress(path.read_bytes(), mtime=0))
        temporary.rename(packed)
        file, inode = self.file(path), path.stat().st_ino
        path.unlink()
        file.names = {packed}
        del self.files[inode]
        self.files[packed.stat().st_ino] = file
        return packed

    # --- what must have come --------------------------------------------------------------------

    def doom(self, file: File, delivered: set[str]) -> None:
        """Take that nobody can read a file any more: what is nowhere else and was not read may be missing."""
        elsewhere = {line for other in self.files.values() if other is not file and other.names for line in other.lines}
        self.doomed |= set(file.lines) - delivered - elsewhere

    def doom_unreachable(self, stored: set[str]) -> None:
        """Take that a process died: what it alone could still read is gone."""
        for file in [*self.unlinked, *(file for file in self.files.values() if not file.names)]:
            self.doom(file, stored)

    def wrong(self, delivered: list[str], *, all_of: bool) -> list[str]:
        """Say what is wrong with what was delivered; with `all_of` everything should have been."""
        said: list[str] = []
        for stream in self.streams.values():
            got = [text for text in delivered if text.startswith(f"{stream.name} ")]
            said += _repeated(got)
            strict = [text for text in stream.written if text not in self.loose]
            said += _out_of_order([text for text in got if text not in self.loose], strict, self.doomed)
            if all_of:
                missing = set(stream.written) - set(got) - self.doomed
                said += [f"missing: {text}" for text in stream.written if text in missing]
        known = {text for stream in self.streams.values() for text in stream.written}
        return said + [f"never written: {text!r}" for text in delivered if text not in known]


def _repeated(got: list[str]) -> list[str]:
    seen: set[str] = set()
    return [f"again: {text}" for text in got if text in seen or seen.add(text)]


def _out_of_order(got: list[str], written: list[str], doomed: set[str]) -> list[str]:
    place = {text: number for number, text in enumerate(written)}
    said, expected = [], 0
    for text in got:
        at = place.get(text)
        if at is None:
            continue
        skipped = [line for line in written[expected:at] if line not in doomed]
        if at < expected or skipped:
            said.append(f"out of order: {text}, before {skipped[:1] or written[expected - 1]}")
        expected = max(expected, at + 1)
    return said
