"""Watching by inotify: what is told of each thing that a program does, and that nothing is missed meanwhile."""

from __future__ import annotations

import errno
import os
import shutil
import sys
from pathlib import Path

import pytest

from tailrace.clock import ManualClock, SystemClock
from tailrace.sources.file_events import backend as bits
from tailrace.sources.file_events.backend import News
from tailrace.sources.file_events.inotify import HALF_S, Inotify
from tailrace.sources.file_events.scope import Scope
from tailrace.syscalls import inotify as kernel

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="inotify is a part of Linux")


class Watch:
    """A back end over a folder `root`, whose events are read when the kernel has handed them over."""

    def __init__(self, folder: Path, *, exclude: tuple[str, ...] = (), clock: ManualClock | None = None) -> None:
        self.root = folder / "root"
        self.root.mkdir(exist_ok=True)
        self.clock = clock or ManualClock()
        self.backend = Inotify(Scope((os.fsencode(self.root),), exclude), (os.fsencode(self.root),), self.clock)

    def told(self) -> list[tuple[str, str]]:
        """Return what was told since the last time: what, and the path below the root; not of sizes of folders."""
        touched = bits.ATTRIBUTES | bits.FOLDER | bits.SYNTHETIC
        return [(words(what), path) for what, path, _ in self.rows() if what != touched]

    def rows(self) -> list[tuple[int, str, os.stat_result | None]]:
        news = self.read()
        changes = news.changes
        return [
            (what, self.name(path) if old is None else f"{self.name(old)} -> {self.name(path)}", stat)
            for what, path, old, stat in zip(changes.bits, changes.paths, changes.old_paths, changes.stats, strict=True)
        ]

    def read(self) -> News:
        self.drain()
        return self.backend.read(100_000)

    def drain(self) -> None:
        """Wait until the thread has taken from the kernel what was there."""
        while self.backend._queue.in_kernel():
            pass

    def name(self, path: bytes) -> str:
        return os.path.relpath(os.fsdecode(path), self.root)


NAMES = {
    bits.CREATED: "created",
    bits.DELETED: "deleted",
    bits.MOVED: "moved",
    bits.UPDATED: "updated",
    bits.ATTRIBUTES: "attributes",
    bits.MOVED_IN: "in",
    bits.MOVED_OUT: "out",
    bits.SYNTHETIC: "found",
    bits.EXCHANGED: "exchanged",
}


def words(what: int) -> str:
    return "+".join(name for bit, name in NAMES.items() if what & bit)


@pytest.fixture
def watch(tmp_path: Path):
    watch = Watch(tmp_path)
    yield watch
    watch.backend.close()


def test_a_file_is_one_row_however_it_was_written(watch: Watch) -> None:
    (watch.root / "a").write_text("x")
    (watch.root / "a").chmod(0o600)
    assert watch.told() == [("created+updated+attributes", "a")]
    (watch.root / "a").write_text("xy")
    assert watch.told() == [("updated", "a")]
    (watch.root / "a").unlink()
    assert watch.told() == [("deleted", "a")]


def test_what_is_made_before_the_watch_is_found(watch: Watch) -> None:
    (watch.root / "a/b/c").mkdir(parents=True)
    (watch.root / "a/b/c/file").write_text("x")
    assert sorted(watch.told()) == [
        ("created", "a"),
        ("created+found", "a/b"),
        ("created+found", "a/b/c"),
        ("created+found", "a/b/c/file"),
    ]
    (watch.root / "a/b/c/later").write_text("x")
    assert watch.told() == [("created+updated", "a/b/c/later")]


def test_a_folder_that_was_found_before_its_event_is_told_once(watch: Watch) -> None:
    (watch.root / "a").mkdir()
    watch.drain()
    (watch.root / "a/b").mkdir()  # before the watch on `a`
    told = watch.told()
    assert told.count(("created+found", "a/b")) == 1
    assert watch.told() == []


def test_a_rename_has_both_ends(watch: Watch) -> None:
    (watch.root / "a").write_text("x")
    watch.told()
    (watch.root / "a").rename(watch.root / "b")
    assert watch.told() == [("moved", "a -> b")]


def test_a_renamed_folder_takes_its_content_along(watch: Watch) -> None:
    (watch.root / "a/b").mkdir(parents=True)
    watch.told()
    (watch.root / "a").rename(watch.root / "z")
    (watch.root / "z/b/new").write_text("x")
    assert watch.told() == [("moved", "a -> z"), ("created+updated", "z/b/new")]


def test_what_is_moved_in_is_told_with_its_content(watch: Watch, tmp_path: Path) -> None:
    (tmp_path / "away/b").mkdir(parents=True)
    (tmp_path / "away/b/file").write_text("x")
    (tmp_path / "away").rename(watch.root / "a")
    assert watch.told() == [("created+in", "a"), ("created+in+found", "a/b"), ("created+in+found", "a/b/file")]
    (watch.root / "a/b/file").write_text("xy")
    assert watch.told() == [("updated", "a/b/file")]


def test_what_is_moved_out_is_gone_after_a_while(watch: Watch, tmp_path: Path) -> None:
    (watch.root / "a/b").mkdir(parents=True)
    watch.told()
    (watch.root / "a").rename(tmp_path / "away")
    assert watch.told() == []
    assert watch.backend.due_s(watch.clock.monotonic_s()) == HALF_S
    watch.clock.advance(HALF_S)
    assert watch.told() == [("deleted+out", "a")]
    (tmp_path / "away/b/file").write_text("x")  # nobody watches it there
    assert watch.told() == []


def test_a_name_that_was_moved_out_and_given_anew_lives(watch: Watch, tmp_path: Path) -> None:
    (watch.root / "a").write_text("x")
    watch.told()
    (watch.root / "a").rename(tmp_path / "away")
    (watch.root / "a").write_text("new")
    assert watch.told() == [("deleted+out", "a"), ("created+updated", "a"), ("updated+found", "a")]
    watch.clock.advance(HALF_S)
    assert watch.told() == []


def test_folders_that_change_places(watch: Watch) -> None:
    for name in "ab":
        (watch.root / name).mkdir()
        (watch.root / name / f"in-{name}").write_text("x")
    watch.told()
    exchange(watch.root / "a", watch.root / "b")
    news = watch.read()
    paths = [(words(what), watch.name(path)) for what, path in zip(news.changes.bits, news.changes.paths, strict=True)]
    assert ("deleted+exchanged", "a") in paths
    assert ("created+exchanged", "b") in paths
    assert sorted((watch.name(path), why) for path, why in news.walk) == [("a", "exchanged"), ("b", "exchanged")]
    (watch.root / "a/in-b").write_text("xy")
    assert watch.told() == [("updated", "a/in-b")]


def exchange(one: Path, other: Path) -> None:
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    if libc.renameat2(-100, os.fsencode(one), -100, os.fsencode(other), 2) != 0:
        pytest.skip("this file system does not exchange names")


def test_a_folder_tells_its_new_size_and_times(watch: Watch) -> None:
    (watch.root / "a").mkdir()
    (watch.root / "a/file").write_text("x")
    rows = [(path, stat) for what, path, stat in watch.rows() if what & bits.ATTRIBUTES and what & bits.FOLDER]
    assert dict(rows)["."].st_mtime_ns == watch.root.stat().st_mtime_ns
    assert not watch.rows()


def test_removing_a_tree(watch: Watch) -> None:
    (watch.root / "a/b").mkdir(parents=True)
    (watch.root / "a/b/file").write_text("x")
    watch.told()
    shutil.rmtree(watch.root / "a")
    assert watch.told() == [("deleted", "a/b/file"), ("deleted", "a/b"), ("deleted", "a")]
    (watch.root / "a").mkdir()
    (watch.root / "a/again").write_text("x")
    assert ("created", "a") in watch.told()
    assert watch.backend.counters["watches"] == 2


def test_a_root_that_is_removed_and_made_again(watch: Watch) -> None:
    watch.told()
    shutil.rmtree(watch.root)
    watch.root.mkdir()
    (watch.root / "a").write_text("x")
    rows = watch.told()
    assert [row for row in rows if row[1] == "."] == [("deleted", "."), ("created", ".")]
    assert any(path == "a" for _, path in rows)
    (watch.root / "b").write_text("x")
    assert watch.told() == [("created+updated", "b")]


def test_excluded_folders_are_not_watched(tmp_path: Path) -> None:
    (tmp_path / "root/cache").mkdir(parents=True)
    watch = Watch(tmp_path, exclude=("cache", "*.tmp"))
    try:
        (watch.root / "cache/x").write_text("x")
        (watch.root / "a.tmp").write_text("x")
        (watch.root / "a").write_text("x")
        assert watch.told() == [("created+updated", "a")]
        assert watch.backend.counters["watches"] == 1
        (watch.root / "a.tmp").rename(watch.root / "b")  # out of what is left out
        assert ("created+in", "b") in watch.told()
    finally:
        watch.backend.close()


def test_names_that_are_no_utf8_and_links(watch: Watch) -> None:
    (watch.root / "\udcff").symlink_to("nowhere")
    news = watch.read()
    place = news.changes.paths.index(os.fsencode(watch.root) + b"/\xff")
    assert news.changes.targets == {place: b"nowhere"}


def test_without_watches_left_the_rest_is_polled(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(folder: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device", folder)

    watch.told()
    monkeypatch.setattr(watch.backend._queue, "add", full)
    (watch.root / "a/b").mkdir(parents=True)
    news = watch.read()
    assert [(watch.name(path), why) for path, why in news.walk] == [("a", "unwatched")]
    ((path, why),) = watch.backend.unwatched()
    assert watch.name(path) == "a"
    assert "fs.inotify.max_user_watches" in why


def test_a_root_that_cannot_be_watched_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: object, folder: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device", folder)

    really = kernel.Queue.add
    monkeypatch.setattr(
        kernel.Queue, "add", lambda queue, folder: (full if b"/fd/" in folder else really)(queue, folder)
    )
    with pytest.raises(OSError, match="no watches left"):
        Watch(tmp_path)


def test_lost_events_are_a_gap_and_every_watch_is_set_anew(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    (watch.root / "a").mkdir()
    watch.told()
    piece = kernel._EVENT.pack(-1, kernel.OVERFLOW, 0, 0)
    with monkeypatch.context() as patched:
        patched.setattr(watch.backend._queue, "take", iter([piece, b"", b""]).__next__)
        (watch.root / "a/lost").mkdir()
        (watch.root / "a").rename(watch.root / "z")
        news = watch.backend.read(1000)
    (gap,) = news.gaps
    assert (gap.roots, gap.reason) == ((os.fsencode(watch.root),), "overflow")
    assert watch.backend.counters["overflows"] == 1
    watch.told()
    (watch.root / "z/lost/file").write_text("x")
    assert watch.told() == [("created+updated", "z/lost/file")]


def test_a_root_below_nothing_is_awaited_and_network_file_systems_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tailrace.sources.file_events import inotify

    monkeypatch.setattr(inotify, "tells_events", lambda _: False)
    with pytest.raises(OSError, match="does not tell"):
        Inotify(Scope((b"/",)), (os.fsencode(tmp_path),), SystemClock())
