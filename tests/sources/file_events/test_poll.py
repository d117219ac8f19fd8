"""Polling: each round tells what differs from the round before."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tailrace.clock import ManualClock
from tailrace.sources.file_events.devices import Devices
from tailrace.sources.file_events.poll import Poll
from tailrace.sources.file_events.scope import Scope


class Polled:
    def __init__(self, root: Path, clock: ManualClock) -> None:
        self.root, self.clock = root, clock
        paths = (os.fsencode(root),)
        self.poll = Poll(Scope(paths), paths, clock, Devices(), period_s=10.0)
        while not self.poll.watching:
            assert self.poll.due_s(clock.monotonic_s()) == 0.0
            assert self.poll.read(2).rows is None

    def round(self) -> list[tuple[str, str]]:
        """Return what the next round tells, but of folders whose list of names changed."""
        assert self.poll.due_s(self.clock.monotonic_s()) == 10.0
        assert self.poll.read(10).rows is None
        self.clock.advance(10)
        told = []
        while self.poll.due_s(self.clock.monotonic_s()) == 0.0:
            rows = self.poll.read(2).rows
            told += list(rows.select("event_action", "file_type", "file_path").rows())
        names = ("attributes_modified", "dir")
        return sorted((row[0], os.path.relpath(row[2], self.root)) for row in told if row[:2] != names)


@pytest.fixture
def polled(tmp_path: Path):
    root = tmp_path / "root"
    (root / "a").mkdir(parents=True)
    (root / "a/old").write_text("x")
    polled = Polled(root, ManualClock())
    yield polled
    polled.poll.close()


def test_the_first_round_is_made_in_steps(tmp_path: Path) -> None:
    for number in range(2_500):
        (tmp_path / str(number)).touch()
    paths = (os.fsencode(tmp_path),)
    poll = Poll(Scope(paths), paths, ManualClock(), Devices(), period_s=10.0)
    assert not poll.watching
    steps = 0
    while not poll.watching:
        poll.read(100_000)
        steps += 1
    assert steps == 3
    assert poll.counters["polled"] == 2_501
    poll.close()


def test_what_changed_since_the_first_round_is_told_once(polled: Polled) -> None:
    (polled.root / "a/old").write_text("xy")
    (polled.root / "a/new").write_text("x")
    assert polled.round() == [("created", "a/new"), ("updated", "a/old")]
    assert polled.round() == []
    shutil.rmtree(polled.root / "a")
    assert polled.round() == [("deleted", "a")]
    assert polled.round() == []
    assert polled.poll.counters["poll_rounds"] == 5


def test_a_root_may_go_and_come(polled: Polled) -> None:
    shutil.rmtree(polled.root)
    assert polled.round() == [("deleted", ".")]
    polled.root.mkdir()
    (polled.root / "new").write_text("x")
    assert polled.round() == [("created", "."), ("created", "new")]


def test_what_refuses_is_remembered(polled: Polled, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.open

    def refuse(path, *arguments, **named):
        if str(path).endswith("/a"):
            raise PermissionError(13, "Permission denied")
        return real(path, *arguments, **named)

    with monkeypatch.context() as patched:
        patched.setattr(os, "open", refuse)
        assert polled.round() == []
        assert polled.poll.counters["refused"] == 1
    (polled.root / "a/old").unlink()
    assert polled.round() == [("deleted", "a/old")]


def test_a_root_below_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        Polled(tmp_path / "nothing/at/all", ManualClock())


def _spared(polled: Polled) -> int:
    return polled.poll.counters["listings_spared"]


def test_a_folder_whose_times_stay_is_not_listed_again(polled: Polled) -> None:
    assert [polled.round() for _ in range(3)] == [[]] * 3
    assert _spared(polled) == 0  # nothing shows yet that times change with names here
    (polled.root / "a/new").write_text("x")
    assert polled.round() == [("created", "a/new")]
    assert polled.round() == []
    assert _spared(polled) == 1  # the root; the times of `a` have to settle
    (polled.root / "a/old").write_text("xy")
    assert polled.round() == [("updated", "a/old")]
    assert _spared(polled) == 3
    (polled.root / "a/old").unlink()
    (polled.root / "a/more").write_text("x")
    assert polled.round() == [("created", "a/more"), ("deleted", "a/old")]
    assert _spared(polled) == 4


def test_times_that_stay_while_names_change_are_never_believed(polled: Polled, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tailrace.sources.file_events.listings._times", lambda look: (1, 1, look.st_ino))
    for name in "bcdef":
        (polled.root / "a" / name).write_text("x")
        assert polled.round() == [("created", f"a/{name}")]
    monkeypatch.undo()
    for name in "ghi":
        (polled.root / "a" / name).write_text("x")
        assert polled.round() == [("created", f"a/{name}")]
    assert _spared(polled) == 0


def test_one_round_of_ten_lists_everything(polled: Polled, monkeypatch: pytest.MonkeyPatch) -> None:
    (polled.root / "a/new").write_text("x")
    polled.round()
    polled.round()
    monkeypatch.setattr("tailrace.sources.file_events.listings._times", lambda look: (1, 1, look.st_ino))
    assert [polled.round() for _ in range(3)] == [[]] * 3
    (polled.root / "a/hidden").write_text("x")
    assert [polled.round() for _ in range(5)] == [[]] * 4 + [[("created", "a/hidden")]]
    (polled.root / "a/seen").write_text("x")
    assert polled.round() == [("created", "a/seen")]


def test_a_name_that_is_no_text_has_its_folder_listed(polled: Polled) -> None:
    (polled.root / "a/\udcff").write_text("x")
    assert polled.round() == [("created", r"a/\xff")]
    assert [polled.round() for _ in range(3)] == [[]] * 3
    assert _spared(polled) == 3  # the root alone
