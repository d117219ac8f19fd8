from __future__ import annotations

import errno
from pathlib import Path
from typing import cast

import pytest

from tailrace.clock import ManualClock
from tailrace.limits import RESCAN_S
from tailrace.sources.tail import filestat, inotify
from tailrace.sources.tail.inotify import Event
from tailrace.sources.tail.watch import POLL_S, Watch


def test_events_name_what_changed(tmp_path: Path) -> None:
    watch = Watch(ManualClock())
    if watch.why_polling:
        pytest.skip(f"no inotify here: {watch.why_polling}")
    watch.add(str(tmp_path))
    watch.news()
    (tmp_path / "a.log").write_text("x\n")
    (tmp_path / "sub").mkdir()
    assert watch.news() == ({str(tmp_path / "a.log")}, {str(tmp_path / "sub")})
    assert watch.news() == (set(), set())
    watch.close()


def test_a_folder_without_events_is_listed_more_and_more_seldom_while_nothing_happens(tmp_path: Path) -> None:
    clock = ManualClock()
    watch = Watch(clock, events=False)
    watch.add(str(tmp_path))
    assert watch.is_polled(str(tmp_path))
    pauses = []
    for _ in range(12):
        started_s = clock.monotonic_s()
        while not watch.news()[1]:
            watch.wait(60)
        watch.polled(str(tmp_path), news=False)
        pauses.append(round(clock.monotonic_s() - started_s, 2))
    assert pauses[1] <= 0.5
    assert pauses[-1] == pytest.approx(POLL_S[1], abs=0.1)
    watch.polled(str(tmp_path), news=True)
    watch.wait(60)
    assert watch.news()[1] == {str(tmp_path)}


def test_a_walk_is_due_at_first_then_at_intervals_and_when_asked_for() -> None:
    clock = ManualClock()
    watch = Watch(clock, events=False)
    assert watch.walk_due()
    watch.begin_walk()
    assert not watch.walk_due()
    clock.advance(RESCAN_S)
    assert watch.walk_due()
    watch.begin_walk()
    watch.walk_soon()
    assert watch.walk_due()


def test_the_nearest_folder_that_exists_is_watched(tmp_path: Path) -> None:
    watch = Watch(ManualClock(), events=False)
    watch.add_nearest(str(tmp_path / "not" / "yet"))
    assert watch.is_polled(str(tmp_path))


class Queue:
    """A stand-in for the kernel's queue: `fails` says with what folders cannot be watched, `events` what is told."""

    made_after = 0

    def __init__(self) -> None:
        if Queue.made_after > 0:
            Queue.made_after -= 1
            raise OSError(errno.EMFILE, "Too many open files")
        self.fails: dict[str, int] = {}
        self.events: list[Event] = []
        self.added: list[str] = []

    def add(self, folder: str) -> int:
        if folder in self.fails:
            raise OSError(self.fails[folder], "No space left on device")
        self.added.append(folder)
        return len(self.added)

    def remove(self, watch: int) -> None:
        pass

    def read(self) -> list[Event]:
        found, self.events = self.events, []
        return found

    def wait(self, timeout_s: float) -> bool:
        return bool(self.events)

    def close(self) -> None:
        pass


@pytest.fixture
def queue(monkeypatch: pytest.MonkeyPatch) -> type[Queue]:
    monkeypatch.setattr("tailrace.sources.tail.watch.Inotify", Queue)
    monkeypatch.setattr(filestat, "tells_events", lambda _: True)
    Queue.made_after = 0
    return Queue


def test_t77_a_folder_for_which_no_watch_is_left_is_polled_and_tried_again(queue: type[Queue]) -> None:
    watch = Watch(ManualClock())
    kernel = cast("Queue", watch._inotify)
    kernel.fails["/b"] = errno.ENOSPC
    for folder in ("/a", "/b"):
        watch.add(folder)
    assert (watch.is_polled("/a"), watch.is_polled("/b"), watch.polled_folders()) == (False, True, 1)
    assert watch.why_polling
    kernel.fails.clear()
    watch.begin_walk()
    for folder in ("/a", "/b"):
        watch.add(folder)
    assert kernel.added == ["/a", "/b"]
    assert watch.polled_folders() == 0


def test_t74_without_a_queue_all_is_polled_until_there_is_one(queue: type[Queue]) -> None:
    queue.made_after = 2
    watch = Watch(ManualClock())
    watch.add("/a")
    assert (watch.polled_folders(), watch.why_polling) == (1, "Too many open files")
    watch.begin_walk()
    watch.add("/a")
    assert watch.polled_folders() == 1
    watch.begin_walk()
    watch.add("/a")
    assert (watch.polled_folders(), watch.why_polling) == (0, "")


def test_t76_an_overflow_of_the_queue_asks_for_a_walk(queue: type[Queue]) -> None:
    watch = Watch(ManualClock())
    watch.begin_walk()
    cast("Queue", watch._inotify).events = [Event(-1, inotify.OVERFLOW, "")]
    assert watch.news() == (set(), set())
    assert watch.walk_due()


def test_t80_a_folder_where_things_change_without_an_event_is_polled(queue: type[Queue]) -> None:
    watch = Watch(ManualClock())
    kernel = cast("Queue", watch._inotify)

    def walk(*doubts: str) -> None:
        watch.news()
        watch.begin_walk()
        for folder in ("/mute", "/told"):
            watch.add(folder)
        for folder in doubts:
            watch.doubt(folder)

    walk("/mute", "/told")  # nothing can be said of folders that are watched since now
    walk("/mute", "/told")
    kernel.events = [Event(2, inotify.MODIFY, "app.log")]
    walk()
    assert watch.is_polled("/mute")
    assert not watch.is_polled("/told")


def test_t80_a_network_file_system_is_polled_at_once(queue: type[Queue], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filestat, "tells_events", lambda folder: folder != "/nfs")
    watch = Watch(ManualClock())
    for folder in ("/nfs", "/disk"):
        watch.add(folder)
    assert watch.is_polled("/nfs")
    assert not watch.is_polled("/disk")


def test_each_folder_has_its_own_pause_and_many_have_longer_ones() -> None:
    clock = ManualClock()
    watch = Watch(clock, events=False)
    for folder in ("/busy", "/quiet"):
        watch.add(folder)
    due: dict[str, int] = {"/busy": 0, "/quiet": 0}
    for _ in range(100):
        clock.advance(0.1)
        for folder in watch.news()[1]:
            due[folder] += 1
            watch.polled(folder, news=folder == "/busy")
    assert due["/busy"] >= 90
    assert due["/quiet"] <= 15
    for number in range(3000):
        watch.add(f"/{number}")
    for _ in range(12):
        watch.polled("/quiet", news=False)
    clock.advance(5.5)
    assert "/quiet" not in watch.news()[1]  # 3,000 folders, 500 a second
    clock.advance(1)
    assert "/quiet" in watch.news()[1]
