"""Recorded samples are moved once, whatever breaks in between, and read once, wherever they are."""

from __future__ import annotations

import errno
import shutil

import pytest

from alerts.place import MINUTE, START, Place, alert, group, record
from tailrace.alerts.kept.recordings import Recordings
from tailrace.alerts.kept.samples import SamplesTable
from tailrace.control import Control
from tailrace.errors import TailraceError
from tailrace.files import Files
from tailrace.query.named import selector

NAME = "x:lines:1m"
RULES = group(record(NAME), alert("Many", f"{NAME} > 2"))
NOW = START + 10 * MINUTE


@pytest.fixture
def place(tmp_path):
    made = Place(tmp_path)
    yield made
    made.control.close()


class Broken(Files):
    """Files of which one step, counted from the first, fails: before it is done, or after."""

    def __init__(self, step: int, *, after: bool) -> None:
        self.left = step
        self._after = after

    def _then(self, does):
        self.left -= 1
        if self.left == 0 and not self._after:
            raise OSError(errno.EIO, "broken")
        result = does()
        if self.left == 0:
            raise OSError(errno.EIO, "broken")
        return result

    def run(self, what, action):
        return self._then(lambda: super(Broken, self).run(what, action))

    def fsync(self, path):
        return self._then(lambda: super(Broken, self).fsync(path))

    def fsync_dir(self, path):
        return self._then(lambda: super(Broken, self).fsync_dir(path))


def recorded(place, first, last):
    for minute in range(first, last + 1):
        place.lines(minute, minute)
        place.tick(minute, RULES)


def test_what_is_moved_is_read_as_before(place):
    recorded(place, 1, 4)
    before = place.found(NAME), place.found("ALERTS")
    count = place.recordings.move(NOW, least_rows=1)
    assert count == 4 + 2 * 2  # four windows, two of which fire, with two series each
    assert (place.found(NAME), place.found("ALERTS")) == before
    assert place.recordings.move(NOW, least_rows=1) == 0
    recorded(place, 5, 5)
    assert place.found(NAME) == [*before[0], '5 {host="a"} 5']


def test_little_waits_for_more(place):
    recorded(place, 1, 1)
    assert place.recordings.move(START + 2 * MINUTE) == 0
    assert place.recordings.move(START + 11 * MINUTE) == 1


@pytest.mark.parametrize("after", [False, True])
def test_whatever_step_of_moving_fails_each_sample_is_there_once(place, tmp_path, after):
    """The first step that is broken is the first, then the second, until none is left that breaks anything."""
    expected: list[str] = []
    for step in range(1, 60):
        recorded(place, step, step)
        expected.append(f'{step} {{host="a"}} {step}')
        files = Broken(step if step < 30 else step - 29, after=after)
        broken = Recordings(place.control, SamplesTable(tmp_path, files))
        try:
            broken.move(NOW, least_rows=1)
        except (OSError, TailraceError):
            assert files.left <= 0
        assert place.found(NAME) == expected
    assert files.left > 0, "no step was left that fails"
    assert place.recordings.move(NOW, least_rows=1) in range(200)
    assert place.found(NAME) == expected


def test_a_kill_between_table_and_database_is_a_repetition(place, monkeypatch):
    recorded(place, 1, 3)

    def killed(*_):
        raise KeyboardInterrupt

    before = place.found(NAME)
    with monkeypatch.context() as patched:
        forget, calls = Recordings._forget, []
        patched.setattr(
            Recordings, "_forget", lambda *given: forget(*given) if not calls.append(1) and len(calls) < 2 else killed()
        )
        with pytest.raises(KeyboardInterrupt):
            place.recordings.move(NOW, least_rows=1)
    again = Place(place.folder)
    assert again.samples.snapshot().taken > 0
    assert again.found(NAME) == before
    again.recordings.move(NOW, least_rows=1)
    recorded(again, 4, 4)
    again.recordings.move(NOW, least_rows=1)
    assert again.found(NAME) == [*before, '4 {host="a"} 4']
    again.control.close()


def test_numbers_go_on_when_the_database_was_lost(place, tmp_path):
    recorded(place, 1, 3)
    place.recordings.move(NOW, least_rows=1)
    place.control.close()
    for file in tmp_path.glob("control.sqlite*"):
        file.unlink()
    fresh = Place(tmp_path)
    recorded(fresh, 4, 4)
    assert fresh.found(NAME)[-1] == '4 {host="a"} 4'
    assert fresh.recordings.move(NOW, least_rows=1) > 0
    assert fresh.found(NAME)[-1] == '4 {host="a"} 4'
    fresh.control.close()


def test_numbers_go_on_when_the_table_was_lost(place, tmp_path):
    recorded(place, 1, 3)
    place.recordings.move(NOW, least_rows=1)
    shutil.rmtree(tmp_path / "samples")
    again = Recordings(Control.open(tmp_path), SamplesTable(tmp_path))
    recorded(place, 4, 4)
    assert again.samples(NAME, 0, 2**62)["value"].to_list() == [4.0]
    again.move(NOW, least_rows=1)
    assert again.samples(NAME, 0, 2**62)["value"].to_list() == [4.0]


def test_a_correction_of_what_was_moved_counts(place):
    recorded(place, 1, 3)
    place.recordings.move(NOW, least_rows=1)
    place.correct(3, place.lines(2, 5), RULES)
    assert place.found(NAME)[1] == '2 {host="a"} 7'
    place.recordings.move(NOW, least_rows=1)
    assert place.found(NAME)[1] == '2 {host="a"} 7'
    assert place.samples.join("2026-01-01") == 2
    assert place.found(NAME) == ['1 {host="a"} 1', '2 {host="a"} 7', '3 {host="a"} 3']


def test_series_are_listed_by_time_and_by_matchers(place):
    recorded(place, 1, 3)
    names = [labels["__name__"] for labels in place.recordings.series(START, NOW)]
    assert names == ["ALERTS", "ALERTS_FOR_STATE", NAME]
    wanted = [selector(f'{NAME}{{host="a"}}'), selector('{alertstate="firing"}')]
    found = place.recordings.series(START, NOW, wanted)
    assert [labels["__name__"] for labels in found] == ["ALERTS", NAME]
    assert place.recordings.series(START, NOW, [selector('{host="b"}')]) == []
    assert place.recordings.series(0, START) == []


def test_what_is_too_old_goes_by_whole_days(place):
    recorded(place, 1, 3)
    place.recordings.move(NOW, least_rows=1)
    day = 1440 * MINUTE
    place.recordings.tidy(START + 91 * day - 1)
    assert len(place.found(NAME)) == 3
    place.recordings.tidy(START + 91 * day)
    assert place.found(NAME) == []
    assert [labels["__name__"] for labels in place.recordings.series(0, 2**62)] == ["ALERTS", "ALERTS_FOR_STATE", NAME]
    place.tick(4, RULES)  # nothing: they end
    place.recordings.tidy(START + 100 * day)
    assert place.recordings.series(0, 2**62) == []


def test_samples_are_kept_as_long_as_is_asked_for(place):
    recorded(place, 1, 3)
    place.recordings.move(NOW, least_rows=1)
    short = Recordings(place.control, place.samples, days=2)
    short.tidy(START + 3 * 1440 * MINUTE - 1)
    assert len(place.found(NAME)) == 3
    short.tidy(START + 3 * 1440 * MINUTE)
    assert place.found(NAME) == []
