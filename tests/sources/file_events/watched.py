"""A source of file events that a test reads, the state that its events fold to, and the state that is there."""

from __future__ import annotations

import os

import polars as pl

from tailrace.clock import SystemClock
from tailrace.contracts import Reading
from tailrace.parse.file_integrity import FileIntegrity
from tailrace.sources.file_events.settings import FileEventsSettings
from tailrace.sources.file_events.source import FileEventsSource
from tailrace.twin.fold import fold
from tailrace.twin.records import EVENT, of_events


class Watched:
    """A source that is read by a test, and everything it told, in pieces."""

    def __init__(self, *paths, state=None, known=None, own=(), **settings):
        chosen = FileEventsSettings(paths=tuple(map(str, paths)), who="off", **settings)
        self.source = FileEventsSource(chosen, name="files", clock=SystemClock(), host="h")
        self.source.prepare(own=own, known=known)
        self.source.restore(state or {})
        self.frames = []

    def read(self, quiet=3):
        """Read until nothing comes any more; return the new rows."""
        start, idle = len(self.frames), 0
        while idle < quiet:
            blocks = self.source.read(1 << 23, 0.02)
            idle = 0 if blocks else idle + 1
            self.frames += [parsed(block) for block in blocks]
        new = self.frames[start:]
        return pl.concat(new, how="diagonal_relaxed") if new else pl.DataFrame()

    def live(self):
        """Return the rows of the paths that live, by path."""
        return live(self.frames)

    def close(self):
        self.source.close()


def parsed(block):
    lines = pl.DataFrame({"_line": block.data.decode().split("\n")[:-1]}).with_columns(
        pl.lit(block.observed_ns).alias("_observed_ns"), pl.lit('{host="h"}').alias("_stream")
    )
    return FileIntegrity().parse(lines, Reading("file_integrity"))


def live(frames):
    events = pl.concat(frames, how="diagonal_relaxed")
    missing = [pl.lit(None, kind).alias(name) for name, kind in EVENT.items() if name not in events.columns]
    events = events.with_columns(missing).with_columns(host=pl.lit("h"), order=pl.int_range(pl.len()))
    return {row["path"]: row for row in fold(of_events(events.select(list(EVENT)))).live.iter_rows(named=True)}


def found(*tops):
    """Return what is there: path to `lstat`."""
    there = {str(top): os.lstat(top) for top in tops}
    for top in tops:
        for folder, folders, files in os.walk(top):
            there.update({path: os.lstat(path) for path in (os.path.join(folder, name) for name in folders + files)})
    return there


def differences(told, there):
    """Return what is told and not there, or there and not told, or told otherwise than it is."""
    wrong = [f"not told: {path}" for path in there if path not in told]
    wrong += [f"not there: {path} ({told[path]['action']})" for path in told if path not in there]
    for path in there.keys() & told.keys():
        look, row = there[path], told[path]
        expected = {"size": look.st_size, "inode": str(look.st_ino), "mode": f"{look.st_mode & 0o7777:04o}"}
        expected |= {"mtime_ns": look.st_mtime_ns, "links": look.st_nlink}
        wrong += [f"{path}: {key} is {row[key]}, not {value}" for key, value in expected.items() if row[key] != value]
    return sorted(wrong)
