from __future__ import annotations

from pathlib import Path

import pytest

from tailrace.clock import ManualClock
from tailrace.limits import RESCAN_S
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
        watch.polled(news=False)
        pauses.append(round(clock.monotonic_s() - started_s, 2))
    assert pauses[1] <= 0.5
    assert pauses[-1] == pytest.approx(POLL_S[1], abs=0.1)
    watch.polled(news=True)
    watch.wait(60)
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
