"""Writers that append, rotate, cut short, delete and link, and a source that is killed in between: nothing lost, nothing twice.

The model knows which lines each stream must have given, in order. Reads are acknowledged or lost with the process, as
the agent does it: a restart gets the marks of acknowledged reads only.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from pathlib import Path

import hypothesis.strategies as st
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tailrace.clock import ManualClock
from tailrace.sources.tail import TailSettings, TailSource

NAMES = ("app.log", "web.log")
names = st.sampled_from(NAMES)


class FilesAndSource(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="tail-model-"))
        self.clock = ManualClock(time.time_ns())
        self.written: dict[str, list[bytes]] = {name: [] for name in NAMES}
        self.open_line = dict.fromkeys(NAMES, b"")
        self.acknowledged: dict[str, list[bytes]] = {name: [] for name in NAMES}
        self.pending: dict[str, list[bytes]] = {name: [] for name in NAMES}
        self.state: dict[str, object] = {}
        self.pending_marks: dict[str, object] = {}
        self.number = 0
        self.source: TailSource | None = None

    @initialize(whole_folder=st.booleans(), events=st.booleans(), open_files=st.sampled_from([1, 256]))
    def begin(self, whole_folder: bool, events: bool, open_files: int) -> None:
        paths = (str(self.folder),) if whole_folder else (str(self.folder / "*.log"),)
        self.settings = TailSettings(paths=paths)
        self.events, self.open_files = events, open_files
        self.start()
        self.read()
        self.acknowledge()  # from here on the agent was here before the files

    def start(self) -> None:
        self.source = TailSource(
            self.settings, name="files", clock=self.clock, host="h", events=self.events, open_files=self.open_files
        )
        self.source.restore(dict(self.state))

    def line(self, name: str) -> bytes:
        self.number += 1
        return b"%s line %05d of a log whose lines are not all equally long %s\n" % (
            name.encode(),
            self.number,
            b"." * (self.number % 37),
        )

    def append(self, name: str, data: bytes) -> None:
        with (self.folder / name).open("ab") as file:
            file.write(data)
        os.utime(self.folder / name, ns=(self.clock.now_ns(), self.clock.now_ns()))

    # --- what writers do ------------------------------------------------------------------------

    @rule(name=names, count=st.integers(1, 30))
    def write(self, name: str, count: int) -> None:
        lines = [self.line(name) for _ in range(count)]
        self.append(name, b"".join(lines))
        self.written[name] += [self.open_line[name] + lines[0], *lines[1:]]
        self.open_line[name] = b""

    @rule(name=names)
    def write_a_part(self, name: str) -> None:
        part = self.line(name)[:-1] + b" to be continued "
        self.append(name, part)
        self.open_line[name] += part

    def ended(self, name: str) -> bool:
        return (self.folder / name).exists() and not self.open_line[name]

    @precondition(lambda self: any(self.ended(name) for name in NAMES))
    @rule(name=names, recreate=st.booleans())
    def rename(self, name: str, recreate: bool) -> None:
        if not self.ended(name):
            return
        for number in range(8, 0, -1):
            older = self.folder / f"{name}.{number}"
            if older.exists():
                older.rename(self.folder / f"{name}.{number + 1}")
        (self.folder / name).rename(self.folder / f"{name}.1")
        if recreate:
            self.append(name, b"")

    @rule(name=names)
    def copy_and_truncate(self, name: str) -> None:
        """The writer is paused, and everything was read; acknowledged need only be that the file is known."""
        if not self.ended(name):
            return
        self.read_all()
        assert self.source is not None
        file = self.source._roster.by_path[str(self.folder / name)]
        known = self.state.get(file.key)
        if not (isinstance(known, dict) and known["head_len"]):
            self.acknowledge()
        for number in range(8, 0, -1):
            older = self.folder / f"{name}.{number}"
            if older.exists():
                older.rename(self.folder / f"{name}.{number + 1}")
        shutil.copy(self.folder / name, self.folder / f"{name}.1")
        os.truncate(self.folder / name, 0)

    @rule(name=names)
    def delete(self, name: str) -> None:
        """What was not acknowledged cannot be read again after a kill, so everything is acknowledged first."""
        if not self.ended(name):
            return
        self.read_all()
        self.acknowledge()
        (self.folder / name).unlink()

    @precondition(lambda self: self.open_files > 1)
    @rule(name=names)
    def replace_by_a_copy(self, name: str) -> None:
        """Only a source that has the old file open can tell this from a file that begins anew with the same lines."""
        if not self.ended(name):
            return
        self.write(name, 1)
        self.read_all()
        self.acknowledge()
        shutil.copy(self.folder / name, self.folder / ".copy")
        (self.folder / ".copy").rename(self.folder / name)
        self.read_all()
        self.acknowledge()

    # --- what the agent does --------------------------------------------------------------------

    def read_all(self) -> None:
        for _ in range(4):  # seeming copies and ends of rotated files are decided as time goes by
            self.read()
            self.clock.advance(3.1)

    @rule()
    def read(self) -> None:
        assert self.source is not None
        quiet = 0
        while quiet < 2:
            blocks = self.source.read(1 << 20, 0)
            quiet = 0 if blocks else quiet + 1
            for block in blocks:
                assert block.part is None
                name = Path(block.origin.labels["filename"]).name
                self.pending.setdefault(name, []).extend(block.data.splitlines(keepends=True))
        self.pending_marks.update(self.source.mark())

    @rule()
    def acknowledge(self) -> None:
        for name, lines in self.pending.items():
            self.acknowledged.setdefault(name, []).extend(lines)
        self.state.update(self.pending_marks)
        self.state = {key: value for key, value in self.state.items() if value is not None}
        self.pending, self.pending_marks = {}, {}

    @rule(acknowledged=st.booleans())
    def kill(self, acknowledged: bool) -> None:
        if acknowledged:
            self.acknowledge()
        self.pending, self.pending_marks = {}, {}
        assert self.source is not None
        self.source.close()
        self.start()

    @rule(seconds=st.sampled_from([0.05, 1.0, 11.0, 90.0]))
    def time_goes_by(self, seconds: float) -> None:
        self.clock.advance(seconds)

    # --- what must hold -------------------------------------------------------------------------

    @invariant()
    def only_what_was_written_in_order(self) -> None:
        for name in {*self.acknowledged, *self.pending}:
            got = self.acknowledged.get(name, []) + self.pending.get(name, [])
            assert got == self.written[name][: len(got)]

    def teardown(self) -> None:
        try:
            if self.source is not None:
                for name in NAMES:
                    self.append(name, b"")  # a file that was rotated away unseen is found when its successor is
                self.read_all()
                self.acknowledge()
                self.source.close()
                assert {name: self.acknowledged[name] for name in NAMES} == self.written
        finally:
            shutil.rmtree(self.folder)


FilesAndSource.TestCase.settings = settings(
    max_examples=60, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
TestFilesAndSource = FilesAndSource.TestCase
