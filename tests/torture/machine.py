"""T104: programs that do everything to their logs, an agent that dies and is stopped, a store that is slow or down.

A Hypothesis state machine: its rules are what programs, administrators and the machine do, in any order; after each
one the lines that were delivered are those that were written, in order and once, and at the end all of them, save what
nobody could have read any more. The account is closed at every step.
"""

from __future__ import annotations

import errno
import os
import random
import shutil
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import hypothesis.strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tailrace.clock import NS_PER_S, ManualClock
from tailrace.sources.tail import TailSettings
from tailrace.sources.tail.inotify import OVERFLOW, Event
from torture.faults import denied, failing
from torture.life import NAME, Life
from torture.world import File, Stream, World

NAMES = ("app.log", "pod.log")
LINK = "link.log"
ERRORS = (errno.EIO, errno.EMFILE, errno.EINTR, errno.ESTALE, errno.EACCES, errno.ENOMEM)
MEMORY = Path("/dev/shm") if os.access("/dev/shm", os.W_OK) else None
LINKS = bool(os.environ.get("TAILRACE_STORMS"))  # a second name of a log that is also copied, cut or renamed is
# not always understood: with `make torture` only, to find the cases. T29 has tests of its own.
names = st.sampled_from(NAMES)


class Clock(ManualClock):
    """A clock whose wall time may be set while the other one goes on."""

    stepped_ns = 0

    def now_ns(self) -> int:
        return super().now_ns() + self.stepped_ns


class Storm(RuleBasedStateMachine):
    """What may happen to logs and to their agent."""

    def __init__(self) -> None:
        super().__init__()
        self.life: Life | None = None
        self.denied: set[int] = set()
        self.moved: list[tuple[Stream, Path]] = []
        self.serial = 0
        self.cut = False  # whether a file was cut short
        self.copied = False  # whether a file was cut and its copy may be held back, which no new process knows
        self.unseen: set[str] = set()  # streams that were cut, and not looked at since
        self.owed: list[tuple[set[str], int]] = []  # lines that are gone, and the bytes of them that the agent saw

    @initialize(
        whole_folder=st.booleans(),
        events=st.booleans(),
        open_files=st.sampled_from([1, 3, 256]),
        container=st.booleans(),
        in_memory=st.booleans(),
    )
    def begin(self, whole_folder: bool, events: bool, open_files: int, container: bool, in_memory: bool) -> None:
        self.base = Path(tempfile.mkdtemp(prefix="storm-", dir=MEMORY if in_memory else None))
        self.state = Path(tempfile.mkdtemp(prefix="storm-state-", dir=MEMORY))
        self.world = World(self.base, (*NAMES, LINK), frozenset({"pod.log"} if container else ()))
        (self.world.logs / "sub").mkdir()
        self.whole_folder, self.open_files, self.events = whole_folder, open_files, events
        self.clock = Clock(time.time_ns())
        paths = (str(self.world.logs),) if whole_folder else (str(self.world.logs / "*.log"),)
        self.life = Life(TailSettings(paths=paths), self.state, self.clock, events=events, open_files=open_files)
        self.read()
        self.life.settle()  # from here on the agent was here before the files

    # --- what the rules share -------------------------------------------------------------------

    def stream(self, name: str) -> Stream:
        self.world.stamp_ns = self.clock.now_ns()
        return self.world.streams[name]

    def ended(self, stream: Stream) -> bool:
        """Tell whether the log is there and no record is open over its end."""
        return stream.path.exists() and not stream.open

    def delivered(self) -> set[str]:
        return set(self.life.delivered())

    def stored(self) -> set[str]:
        return set(self.life.table.texts())

    def held(self, path: Path) -> bool:
        """Tell whether the agent has a file open, so that it can read it without a name."""
        inode = path.stat().st_ino
        return any(file.handle >= 0 and file.id.ino == inode for file in self.life.source._roster.files.values())

    def seen_bytes(self, path: Path) -> int:
        """Return the bytes of a file that the agent has seen and not read."""
        inode = path.stat().st_ino
        files = self.life.source._roster.files.values()
        return max((file.waiting_bytes for file in files if file.id.ino == inode and not file.packed), default=0)

    def gone(self, file: File, *, held: bool, seen_bytes: int) -> None:
        """A file is reachable by its descriptor only, if at all."""
        if not held:
            lines = set(file.lines) - self.delivered()
            self.world.doom(file, self.delivered())
            if seen_bytes and lines and lines <= self.world.doomed:
                self.owed.append((lines, seen_bytes))

    def loosen(self, file: File) -> None:
        """Nothing tells where the unread lines of a file belong."""
        self.world.loose |= set(file.lines) - self.delivered()

    def read_all(self) -> None:
        for stream in self.world.streams.values():
            if stream.container and stream.open:  # nobody waits that long for the rest of a record
                self.world.write(stream, 1)
        for _ in range(5):  # past the rescan; seeming copies and ends of rotated files are decided as time goes by
            self.read()
            self.clock.advance(3.1)

    def known(self, path: Path) -> bool:
        """Tell whether the checkpoint knows a file with its head."""
        inode = path.stat().st_ino
        marks = self.life.checkpoint.state.get(NAME, {}).values()
        return any(isinstance(m, dict) and m.get("ino") == inode and m.get("head_len") for m in marks)

    def make_known(self, stream: Stream) -> None:
        if not self.known(stream.path):
            self.read_all()
            self.life.settle()

    def see_the_cut(self, stream: Stream) -> None:
        """Let the agent look once between the cut and the end of a file.

        Else nothing tells its copy from another file, and what it has by then is reachable under no name.
        """
        if stream.name in self.unseen:
            self.read_all()

    def drop_oldest(self, stream: Stream) -> None:
        oldest = self.world.oldest(stream)
        if oldest is not None:
            self.remove(oldest)

    def settle_copies(self) -> None:
        if self.copied and not self.denied:
            self.read_all()
            self.life.settle()
            self.copied = False

    def cut_short(self, path: Path) -> None:
        self.world.cut(path)
        self.cut = True

    def remove(self, path: Path) -> None:
        file, held, seen_bytes = self.world.file(path), self.held(path), self.seen_bytes(path)
        self.world.unlink(path)
        if not file.names:
            self.gone(file, held=held, seen_bytes=seen_bytes)

    # --- what programs do -----------------------------------------------------------------------

    @rule(name=names, count=st.integers(1, 30))
    def write(self, name: str, count: int) -> None:
        self.world.write(self.stream(name), count)

    @rule(name=names)
    def write_a_part(self, name: str) -> None:
        self.world.write_part(self.stream(name))

    @rule(count=st.integers(1, 5))
    def write_through_a_link(self, count: int) -> None:
        stream = self.stream(LINK)
        if not stream.path.is_symlink():
            self.swap_target()
        self.world.write(stream, count)

    @rule()
    def swap_target(self) -> None:
        """T30, T31: the link leads elsewhere at once; the old target stays, reachable by no followed name."""
        stream = self.stream(LINK)
        old = self.world.file(stream.path) if stream.path.is_symlink() else None
        held = old is not None and self.held(stream.path)
        seen_bytes = self.seen_bytes(stream.path) if old is not None else 0
        self.serial += 1
        target = self.world.targets / f"target-{self.serial}"
        target.touch()
        temporary = self.world.out / "link"
        temporary.symlink_to(target)
        temporary.rename(stream.path)
        self.world.file(stream.path)
        if old is not None:
            old.names.clear()
            self.gone(old, held=held, seen_bytes=seen_bytes)

    # --- rotation -------------------------------------------------------------------------------

    @rule(name=names, recreate=st.booleans())
    def rename(self, name: str, recreate: bool) -> None:
        """T1, T9, T46: rename and create; a container's record goes on in the next file, a program's line ends."""
        stream = self.stream(name)
        if not stream.path.exists():
            return
        ends = not stream.open
        if stream.open and not stream.container:
            stream.written.append(stream.open)
            self.world.file(stream.path).lines.append(stream.open)
            stream.open = ""
        self.see_the_cut(stream)
        self.drop_oldest(stream)
        self.world.file(stream.path).renamed = ends
        self.world.rename(stream.path, self.world.shift(stream))
        if recreate:
            self.world.append(stream.path, b"")

    @rule(name=names, count=st.integers(1, 5))
    def write_into_the_rotated_file(self, name: str, count: int) -> None:
        """A program goes on in the file that was renamed away until it is told; nothing is in the new one yet."""
        stream = self.stream(name)
        rotated = stream.path.with_name(f"{name}.1")
        fresh = not stream.path.exists() or not stream.path.stat().st_size
        if rotated.exists() and fresh and not stream.open and self.world.file(rotated).renamed:
            self.world.write(stream, count, rotated)

    @rule(name=names, unread=st.integers(0, 5), late=st.integers(0, 5), looked=st.booleans())
    def copy_and_truncate(self, name: str, unread: int, late: int, looked: bool) -> None:
        """T2, T5: what is unread is in the copy; what comes between copy and cut is nowhere, unless it was read.

        Without events the copy may be seen after the cut only, when it is shorter than what was read: then nothing
        proves that it is one, and it is read. So that is not asked for.
        """
        looked = looked and self.events
        stream = self.stream(name)
        if not self.ended(stream) or self.denied:
            return
        if len(self.world.file(stream.path).names) > 1:
            return  # followed by its other name, to which the copy's has no relation
        self.see_the_cut(stream)
        self.make_known(stream)
        if unread:
            self.world.write(stream, unread)
        self.drop_oldest(stream)
        self.world.copy(stream.path, self.world.shift(stream))
        if late:
            self.world.write(stream, late)
            if looked:
                self.read()
        original = self.world.file(stream.path)
        self.world.doom(original, self.delivered())
        self.cut_short(stream.path)
        self.unseen.add(name)
        self.copied = True
        if (
            late and looked
        ):  # a copy that is shorter than what was read is told from a file of its own by its being held
            self.read_all()

    @rule(name=names, count=st.integers(1, 40))
    def truncate_and_go_on(self, name: str, count: int) -> None:
        """T4, T6: cut in place, maybe grown past the offset before anybody looks, maybe behind a hole."""
        stream = self.stream(name)
        if not self.ended(stream):
            return
        self.read_all()
        self.life.settle()
        self.see_the_cut(stream)
        size = stream.path.stat().st_size
        self.world.doom(self.world.file(stream.path), self.delivered())
        self.cut_short(stream.path)
        if count % 3 == 0 and size > 64:
            os.truncate(stream.path, size)  # a writer without O_APPEND goes on at its old place
        self.unseen.add(name)
        self.world.write(stream, count)

    @rule(name=names, directly=st.booleans())
    def compress(self, name: str, directly: bool) -> None:
        """T11: the newest plain rotated file is compressed, read or not."""
        stream = self.stream(name)
        plain = [stream.path.with_name(f"{name}.{number}") for number in range(1, 7)]
        path = next((path for path in plain if path.exists()), None)
        self.see_the_cut(stream)
        if path is not None and self.world.file(path).names == {path}:
            self.world.compress(path, directly=directly)
            self.cut = True  # what was unread is counted as lost until it is found in the compressed file

    @rule(name=names, read=st.booleans())
    def delete(self, name: str, read: bool) -> None:
        """T13, T28: deleted, and soon made anew, maybe with the same inode."""
        stream = self.stream(name)
        if not self.ended(stream):
            return
        self.see_the_cut(stream)
        if read:
            self.read_all()
            self.life.settle()
        self.remove(stream.path)

    @rule(name=names, count=st.integers(1, 5))
    def delete_what_may_not_be_read(self, name: str, count: int) -> None:
        """T28, T79: what was seen of it and could not be read is counted."""
        stream = self.stream(name)
        if not self.ended(stream):
            return
        self.see_the_cut(stream)
        self.deny(name)
        self.world.write(stream, count)
        self.read()
        self.remove(stream.path)

    @precondition(lambda self: self.open_files > 1)
    @rule(name=names)
    def replace_by_a_copy(self, name: str) -> None:
        """T14: only a source that has the old file open can tell this from one that begins anew with the same lines."""
        stream = self.stream(name)
        if not self.ended(stream) or self.denied:
            return
        self.world.write(stream, 1)
        self.read_all()
        self.life.settle()
        copy = self.world.out / "copy"
        self.world.copy(stream.path, copy)
        self.world.replace(stream, copy)
        self.read_all()
        self.life.settle()

    @rule(name=names, count=st.integers(1, 5))
    def replace_by_new_content(self, name: str, count: int) -> None:
        """T14: another file takes the name at once."""
        stream = self.stream(name)
        if not self.ended(stream):
            return
        self.see_the_cut(stream)
        old, held, seen_bytes = self.world.file(stream.path), self.held(stream.path), self.seen_bytes(stream.path)
        new = self.world.out / "new"
        self.world.write(stream, count, new)
        self.world.replace(stream, new)
        if not old.names:
            self.gone(old, held=held, seen_bytes=seen_bytes)

    @precondition(lambda _self: LINKS)
    @rule(name=names)
    def link(self, name: str) -> None:
        """T29: a second name for the same file."""
        stream, second = self.stream(name), self.world.logs / f"{name.partition('.')[0]}-hard.log"
        if stream.path.exists() and not second.exists():
            os.link(stream.path, second)
            self.world.file(second)

    @rule(name=names, inside=st.booleans())
    def move_away(self, name: str, inside: bool) -> None:
        """T16, T32: to another folder, where the agent looks or not."""
        stream = self.stream(name)
        if not self.ended(stream):
            return
        self.see_the_cut(stream)
        self.serial += 1
        folder = self.world.logs / "sub" if inside else self.world.out
        target = folder / f"{stream.path.stem}-{self.serial}.log"
        file, held, seen_bytes = self.world.file(stream.path), self.held(stream.path), self.seen_bytes(stream.path)
        self.loosen(file)
        seen = inside and self.whole_folder
        self.world.rename(stream.path, target, seen=seen)
        if not file.names:
            self.gone(file, held=held, seen_bytes=seen_bytes)
        if not inside:
            self.moved.append((stream, target))

    @precondition(lambda self: self.moved)
    @rule()
    def move_back(self) -> None:
        """T16: into scope again, under another name."""
        _, path = self.moved.pop(0)
        self.world.rename(path, self.world.logs / path.name)

    # --- what the machine does ------------------------------------------------------------------

    @rule(seconds=st.sampled_from([0.05, 1.0, 11.0, 90.0]))
    def time_goes_by(self, seconds: float) -> None:
        if seconds < 5 or not any(s.container and s.open for s in self.world.streams.values()):
            self.clock.advance(seconds)  # a record is not waited for that long

    @rule(seconds=st.sampled_from([-86_400, -3_600, -1, 1, 3_600, 40_000]))
    def step_the_clock(self, seconds: int) -> None:
        """T34."""
        if not any(s.container and s.open for s in self.world.streams.values()):
            self.clock.stepped_ns += seconds * NS_PER_S

    @rule(name=names)
    def deny(self, name: str) -> None:
        """T79: permission is taken away; a file that is open stays readable."""
        stream = self.stream(name)
        if stream.path.exists():
            self.denied.add(stream.path.stat().st_ino)

    @precondition(lambda self: self.denied)
    @rule()
    def permit(self) -> None:
        for inode in self.denied:
            if inode in self.world.files:
                self.loosen(self.world.files[inode])
        self.denied.clear()

    @rule(number=st.sampled_from(ERRORS), share=st.sampled_from([0.1, 0.5, 1.0]), seed=st.integers(0, 1 << 16))
    def fail(self, number: int, share: float, seed: int) -> None:
        """T73 to T75: calls fail at random during a look; what could not be read then is read later."""
        self.read_all()  # what is seen for the first time, and not wholly, may be taken for what it is not
        for file in self.world.files.values():
            self.loosen(file)
        self.read(failing(self.base, number, share, random.Random(seed)))

    @rule()
    def overflow(self) -> None:
        """T76: events are lost, and that is all that is told."""
        events = self.life.source._watch._inotify
        if events is not None:
            events.read()
            real, events.read = events.read, lambda: [Event(-1, OVERFLOW, "")]  # type: ignore[method-assign]
            self.read()
            events.read = real  # type: ignore[method-assign]

    # --- what the agent does --------------------------------------------------------------------

    @rule()
    def read(self, trouble: object = None) -> None:
        if trouble is None and not self.denied:
            self.unseen.clear()
        with ExitStack() as stack:
            if self.denied:
                stack.enter_context(denied(self.base, errno.EACCES, self.denied))
            self.life.read(trouble)  # type: ignore[arg-type]

    @rule()
    def send(self) -> None:
        """The store may be slow: several batches may be on their way."""
        if len(self.life.table.sent) < 4:
            self.life.send()

    @rule(count=st.integers(1, 3), acknowledged=st.booleans())
    def commit(self, count: int, acknowledged: bool) -> None:
        for _ in range(count):
            self.life.commit()
        if acknowledged:
            self.life.acknowledge()

    @rule()
    def settle(self) -> None:
        self.life.settle()

    @rule(arriving=st.integers(0, 2))
    def kill(self, arriving: int) -> None:
        """T61: `kill -9`; batches that are on their way may arrive, and the word about it never does."""
        self.settle_copies()
        self.life.kill(arriving)
        self.owed.clear()  # a process that was killed tells nobody what it saw
        self.world.doom_unreachable(self.stored())
        self.life.start()

    @rule()
    def stop(self) -> None:
        """T69: SIGTERM."""
        self.settle_copies()
        self.life.stop()
        self.world.doom_unreachable(self.stored())
        self.life.start()

    # --- what must hold -------------------------------------------------------------------------

    @invariant()
    def only_what_was_written_once_and_in_order(self) -> None:
        if self.life is not None:
            wrong = self.world.wrong(self.life.delivered(), all_of=False)
            assert not wrong, "\n".join([f"{len(wrong)} faults", *wrong[:8]])
            self.life.check_account()

    def teardown(self) -> None:
        if self.life is None:
            return
        try:
            self._end()
        finally:
            self.life.source.close()
            self.life.checkpoint.close()
            shutil.rmtree(self.base)
            shutil.rmtree(self.state)

    def _end(self) -> None:
        self.permit()
        for name in NAMES:
            stream = self.stream(name)
            if stream.open:
                self.world.write(stream, 1)
            self.world.append(stream.path, b"")  # a file that was rotated away unseen is found when its successor is
        for _ in range(5):
            self.read_all()
        self.life.settle()
        self.life.check_account()
        assert self.life.accounts.of(NAME).lines["pending"] == 0
        wrong = self.world.wrong(self.life.delivered(), all_of=True)
        assert not wrong, "\n".join([f"{len(wrong)} faults", *wrong[:8]])
        lost = self.life.lost_bytes + self.life.source.counters["possibly_lost_bytes"]
        # Of a file that was cut and grew again nobody knows how long it was before: the count is an estimate then.
        assert not lost or self.world.doomed or self.cut, f"{lost} bytes are said to be lost, and nothing is"
        delivered = self.delivered()
        owed = sum(size for lines, size in self.owed if delivered.isdisjoint(lines))
        assert lost >= owed, f"{lost} bytes are said to be lost, and {owed} are"
