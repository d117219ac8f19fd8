"""What fails around files, each case named by its number in the list of scenarios: not seen is not gone."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sources.tail.tailing import Tailing
from tailrace.limits import RESCAN_S
from tailrace.sources.tail import filestat, inotify

Make = Callable[..., Tailing]


class Failing:
    """Makes calls of `os` about one path, or a descriptor of it, fail."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls: dict[str, int] = {}
        self.path = ""
        for name in ("open", "pread", "stat"):
            self._wrap(monkeypatch, name, getattr(os, name))

    def _wrap(self, monkeypatch: pytest.MonkeyPatch, name: str, real: Callable[..., object]) -> None:
        def call(at: object, *args: object, **more: object) -> object:
            if name in self.calls and self._meant(at):
                raise OSError(self.calls[name], os.strerror(self.calls[name]), str(at))
            return real(at, *args, **more)

        monkeypatch.setattr(os, name, call)

    def _meant(self, at: object) -> bool:
        if isinstance(at, int):
            return filestat.path_of(at) == self.path
        return at == self.path


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Failing:
    return Failing(monkeypatch)


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE, errno.EACCES])
@pytest.mark.parametrize("call", ["pread", "stat", "open"])
def test_t73_t75_a_file_that_cannot_be_read_keeps_its_place(
    tail: Make, failing: Failing, call: str, number: int
) -> None:
    t = tail()
    path = t.write("app.log", "one\n")
    t.write("other.log", "one\n")
    t.read()
    t.later(120)  # its descriptor is given back
    t.write("app.log", "two\n")
    t.write("other.log", "two\n")
    failing.path = str(path)
    failing.calls[call] = number
    assert t.read() == {"other.log": "two\n"}
    assert t.later(RESCAN_S) == {}
    assert os.strerror(number) in t.whys()["app.log"]
    assert t.source.counters["unreadable_files"] == 1
    failing.calls.clear()
    assert t.later(2 * RESCAN_S) == {"app.log": "two\n"}
    assert t.whys() == {}
    t.restart()
    assert t.read() == {}


def test_t73_a_deleted_file_that_cannot_be_read_keeps_its_descriptor(tail: Make, failing: Failing) -> None:
    t = tail()
    path = t.folder / "app.log"
    with path.open("ab", buffering=0) as file:
        file.write(b"one\n")
        t.read()
        path.unlink()
        file.write(b"two\n")
        failing.path = f"{path} (deleted)"
        failing.calls["pread"] = errno.EIO
        assert t.read() == {}
        failing.calls.clear()
        assert t.later(RESCAN_S) == {"app.log": "two\n"}


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE])
def test_t73_a_file_that_is_deleted_before_it_cannot_be_read_keeps_its_descriptor(
    tail: Make, failing: Failing, number: int
) -> None:
    """Nobody has seen yet that its name is gone: its folder cannot be seen either."""
    t = tail()
    path = t.write("app.log", "one\n")
    t.read()
    t.write("app.log", "two\n")
    path.unlink()
    failing.path = str(path)
    failing.calls.update(dict.fromkeys(("stat", "pread"), number))
    assert t.read() == {}
    failing.path, failing.calls["pread"] = f"{path} (deleted)", number
    assert t.later(RESCAN_S) == {}
    failing.calls.clear()
    assert t.later(2 * RESCAN_S) == {"app.log": "two\n"}


@pytest.mark.parametrize("restarted", [False, True])
def test_t28_t79_what_may_not_be_read_and_is_deleted_is_counted(tail: Make, failing: Failing, restarted: bool) -> None:
    t = tail()
    path = t.write("app.log", "one\n")
    t.read()
    t.later(120)  # its descriptor is given back
    t.write("app.log", "two\n")
    failing.path, failing.calls["open"] = str(path), errno.EACCES
    assert t.read() == {}
    path.unlink()
    if restarted:
        t.restart()
    assert t.later(RESCAN_S) == {}
    assert t.source.counters["possibly_lost_bytes"] == len("two\n")


def test_t73_a_file_that_was_rotated_unseen_and_cannot_be_seen_at_first_is_read_later(
    tail: Make, failing: Failing, tmp_path: Path
) -> None:
    t = tail(paths=(str(tmp_path / "logs" / "*.log"),))
    t.read()
    path = t.write("app.log", "one\n")
    failing.path, failing.calls["stat"] = str(path.rename(f"{path}.1")), errno.ESTALE
    t.write("app.log", "two\n")
    found = t.read()
    failing.calls.clear()
    assert "".join([*found.values(), *t.later(2 * RESCAN_S).values()]) in {"one\ntwo\n", "two\none\n"}


@pytest.mark.parametrize("call", ["stat", "open"])
def test_t73_a_state_survives_a_start_at_which_nothing_can_be_seen(tail: Make, failing: Failing, call: str) -> None:
    t = tail()
    path = t.write("app.log", "one\n")
    t.read()
    t.source.close()
    t.write("app.log", "two\n")
    failing.path, failing.calls[call] = str(path), errno.EIO
    t.start()
    assert t.read() == {}
    failing.calls.clear()
    assert t.later(2 * RESCAN_S) == {"app.log": "two\n"}


def test_t75_a_birth_that_cannot_be_asked_for_makes_no_new_file(tail: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    t = tail()
    t.write("app.log", "one\n")
    t.read()
    real = filestat.born_ns

    def stale(at: str | int) -> int:
        raise OSError(errno.ESTALE, "Stale file handle", str(at))

    monkeypatch.setattr(filestat, "born_ns", stale)
    t.write("app.log", "two\n")
    found = t.later(RESCAN_S)
    monkeypatch.setattr(filestat, "born_ns", real)
    for name, text in t.later(2 * RESCAN_S).items():
        found[name] = found.get(name, "") + text
    assert found == {"app.log": "two\n"}


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="needs /proc")
class TestDescriptors:
    @pytest.fixture
    def limit(self) -> Iterator[Callable[[int], None]]:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        yield lambda number: resource.setrlimit(resource.RLIMIT_NOFILE, (number, hard))
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    def test_t74_two_hundred_active_files_at_ulimit_64(
        self, tail: Make, limit: Callable[[int], None], request: pytest.FixtureRequest
    ) -> None:
        taken = sum(int(entry.name) < 64 for entry in Path("/proc/self/fd").iterdir())
        if taken > 24:  # by tests before this one: a process of its own has room
            alone = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "0", request.node.nodeid]
            done = subprocess.run(alone, cwd=request.config.rootpath, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout + done.stderr
            return
        limit(64)
        t = tail(open_files=None)
        names = [f"{number}.log" for number in range(200)]
        for text in ("one\n", "two\n", "three\n"):
            for name in names:
                t.write(name, text)
            assert t.read() == dict.fromkeys(names, text)
            assert t.source.counters["open_files"] <= 16  # the rest is for the table
        assert t.whys() == {}

    def test_t74_even_when_others_took_nearly_all(self, tail: Make, limit: Callable[[int], None]) -> None:
        t = tail()
        names = [f"{number}.log" for number in range(40)]
        for name in names:
            t.write(name, "one\n")
        used = max(int(entry.name) for entry in Path("/proc/self/fd").iterdir())
        limit(used + 4)
        found = t.read()
        for _ in range(3):
            found |= t.later(RESCAN_S)
        assert found == dict.fromkeys(names, "one\n")


class TestWatching:
    def test_t76_an_overflow_is_made_good(self, tail: Make, monkeypatch: pytest.MonkeyPatch) -> None:
        t = tail()
        path = t.write("app.log", "one\n")
        t.read()
        queue = t.source._watch._inotify
        assert queue is not None
        t.write("app.log", "two\n")
        path.rename(path.with_name("app.log.1"))
        t.write("app.log", "three\n")
        t.write("sub/new.log", "four\n")
        queue.read()  # all of it is lost
        real = queue.read
        monkeypatch.setattr(queue, "read", lambda: [inotify.Event(-1, inotify.OVERFLOW, ""), *real()])
        assert t.read() == {"app.log": "two\nthree\n", "sub/new.log": "four\n"}

    @pytest.mark.parametrize("number", [errno.ENOSPC, errno.EMFILE])
    def test_t77_without_watches_folders_are_polled(
        self, tail: Make, monkeypatch: pytest.MonkeyPatch, number: int
    ) -> None:
        def fails(*_: object) -> int:
            raise OSError(number, os.strerror(number))

        where = "add" if number == errno.ENOSPC else "__init__"
        monkeypatch.setattr(inotify.Inotify, where, fails)
        t = tail()
        t.write("a/app.log", "one\n")
        assert t.read() == {"a/app.log": "one\n"}
        assert t.source.counters["polled_folders"] >= 2
        t.write("a/app.log", "two\n")
        t.write("b/app.log", "three\n")
        assert t.later(2) == {"a/app.log": "two\n", "b/app.log": "three\n"}
        monkeypatch.undo()
        t.later(RESCAN_S)
        assert t.source.counters["polled_folders"] == 0
        t.write("a/app.log", "four\n")
        assert t.read() == {"a/app.log": "four\n"}

    def test_t78_born_between_watch_and_list(self, tail: Make, monkeypatch: pytest.MonkeyPatch) -> None:
        t = tail()
        t.read()
        real = os.scandir
        born: list[str] = []

        def late(folder: str) -> object:
            if not born and folder.endswith("/new"):
                born.append(folder)
                (Path(folder) / "early.log").write_text("early\n")
                entries = list(real(folder))
                (Path(folder) / "late.log").write_text("late\n")
                return _Listed(entries)
            return real(folder)

        monkeypatch.setattr(os, "scandir", late)
        (t.folder / "new").mkdir()
        assert t.read() == {"new/early.log": "early\n", "new/late.log": "late\n"}
        assert born

    @pytest.mark.parametrize("events", [True, False])
    def test_t80_by_looking_alone(self, tail: Make, monkeypatch: pytest.MonkeyPatch, events: bool) -> None:
        monkeypatch.setattr(filestat, "tells_events", lambda _: False)
        t = tail(events=events)
        path = t.write("app.log", "one\n")
        assert t.read() == {"app.log": "one\n"}
        t.write("app.log", "two\n")
        path.rename(path.with_name("app.log.1"))
        t.write("app.log", "three\n")
        assert t.later(2) == {"app.log": "two\nthree\n"}
        t.write("sub/app.log", "four\n")
        assert t.later(2) == {"sub/app.log": "four\n"}

    @pytest.mark.parametrize("events", [True, False])
    def test_t81_a_folder_goes_comes_again_and_changes_its_name(self, tail: Make, events: bool) -> None:
        t = tail(events=events)
        t.write("a/app.log", "one\n")
        t.read()
        (t.folder / "a").rename(t.folder / "b")
        t.write("b/app.log", "two\n")
        assert t.later(3) == {"a/app.log": "two\n"}
        t.write("a/app.log", "three\n")
        assert t.later(3) == {"a/app.log": "three\n"}
        shutil.rmtree(t.folder / "b")
        shutil.rmtree(t.folder / "a")
        assert t.later(3) == {}
        t.write("a/app.log", "four\n")
        assert t.later(3) == {"a/app.log": "four\n"}
        shutil.rmtree(t.folder)
        assert t.later(3) == {}
        t.write("a/app.log", "five\n")
        assert t.later(RESCAN_S) == {"a/app.log": "five\n"}

    def test_t95_a_folder_fifty_levels_deep(self, tail: Make) -> None:
        t = tail()
        t.read()
        deep = "/".join(f"{number}" for number in range(50))
        t.write(f"{deep}/app.log", "one\n")
        assert t.read() == {f"{deep}/app.log": "one\n"}
        t.write(f"{deep}/app.log", "two\n")
        assert t.read() == {f"{deep}/app.log": "two\n"}


class _Listed:
    def __init__(self, entries: list[os.DirEntry[str]]) -> None:
        self._entries = entries

    def __enter__(self) -> list[os.DirEntry[str]]:
        return self._entries

    def __exit__(self, *_: object) -> None:
        pass


def test_t79_permission_is_taken_and_given_back(tail: Make, failing: Failing) -> None:
    """By a failing call, since root may read everything; the same with `chmod` is in `test_source`."""
    t = tail()
    path = t.write("app.log", "one\n")
    t.read()
    failing.path = str(path)
    failing.calls = {"open": errno.EACCES}
    t.write("app.log", "two\n")
    assert t.read() == {"app.log": "two\n"}  # it is open
    t.later(120)
    t.write("app.log", "three\n")
    assert t.read() == {}
    assert t.whys() == {"app.log": "Permission denied"}
    failing.calls = {}
    path.chmod(0o600)
    assert t.later(RESCAN_S) == {"app.log": "three\n"}


def test_t82_what_is_no_file_is_refused_and_named(tail: Make, tmp_path: Path) -> None:
    t = tail()
    path = t.write("app.log", "one\n")
    os.mkfifo(t.folder / "pipe.log")
    (t.folder / "null.log").symlink_to("/dev/null")
    (t.folder / "dir.log").mkdir()
    assert t.read() == {"app.log": "one\n"}
    assert t.whys() == {"pipe.log": "a named pipe, not a file", "null.log": "a device, not a file"}
    path.unlink()
    os.mkfifo(path)
    assert t.later(RESCAN_S) == {}
    assert t.whys()["app.log"] == "a named pipe, not a file"
    path.unlink()
    t.write("app.log", "two\n")
    assert t.later(RESCAN_S) == {"app.log": "two\n"}
