from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import pytest

from tailrace.batch import Position, life
from tailrace.clock import ManualClock
from tailrace.errors import ConfigError, TableError, TransientError
from tailrace.files import Files
from tailrace.patience import Patience
from tailrace.sources.tail import checkpoint as module
from tailrace.sources.tail.checkpoint import Checkpoint
from tailrace.sources.tail.records import encode


def reopen(checkpoint: Checkpoint, folder: Path, files: Files | None = None) -> Checkpoint:
    """Open again as after a kill: nothing is written by the one before."""
    os.close(checkpoint._lock)
    checkpoint._lock = -1
    return Checkpoint.open(folder, agent_name="a", files=files)


def test_a_plan_is_numbered_and_known_after_a_kill(tmp_path: Path) -> None:
    first = Checkpoint.open(tmp_path, agent_name="a")
    assert first.plan({"files": {"k": {"offset": 1}}}) == Position(first.agent, 0)
    assert first.plan({"files": {"k": {"offset": 2}, "j": {"offset": 9}}}).number == 1
    again = reopen(first, tmp_path)
    assert again.agent == first.agent
    assert again.agent.startswith("a-")
    assert again.state == {}
    again.recover(1)
    assert again.state == {"files": {"k": {"offset": 2}, "j": {"offset": 9}}}
    assert again.next_number == 2
    again.close()


def test_plans_after_the_last_number_never_happened_and_their_numbers_are_not_used_again(tmp_path: Path) -> None:
    first = Checkpoint.open(tmp_path, agent_name="a")
    first.plan({"files": {"k": 1}})
    first.plan({"files": {"k": 2}})
    again = reopen(first, tmp_path)
    again.recover(0)
    assert again.state == {"files": {"k": 1}}
    assert again.plan({"files": {"k": 3}}).number == 2
    third = reopen(again, tmp_path)
    third.recover(2)  # plan 1 was dropped for good: it must not come back now
    assert third.state == {"files": {"k": 3}}
    third.close()


def test_a_plan_without_a_batch_counts_if_everything_before_it_does(tmp_path: Path) -> None:
    first = Checkpoint.open(tmp_path, agent_name="a")
    first.plan({"files": {"k": 1}})
    first.plan({"files": {"k": 2}}, batch=False)
    first.plan({"files": {"k": 3}})
    first.plan({"files": {"k": 4}}, batch=False)
    again = reopen(first, tmp_path)
    again.recover(0)  # plan 2 never came, so plan 3 counts as little
    assert again.state == {"files": {"k": 2}}
    assert again.plan({"files": {"k": 5}}, batch=False).number == 4
    third = reopen(again, tmp_path)
    third.recover(0)
    assert third.state == {"files": {"k": 5}}
    third.close()


def test_a_table_that_never_got_a_batch_is_no_new_one(tmp_path: Path) -> None:
    first = Checkpoint.open(tmp_path, agent_name="a")
    first.plan({"files": {"k": 1}}, batch=False)
    first.settle(0)
    first.plan({"files": {"k": 2}}, batch=False)
    again = reopen(first, tmp_path)
    again.recover(None)
    assert again.state == {"files": {"k": 2}}
    again.close()
    third = Checkpoint.open(tmp_path, agent_name="a")  # the same from a snapshot
    third.recover(None)
    assert third.state == {"files": {"k": 2}}
    third.close()


def test_for_a_table_that_was_made_anew_all_is_read_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    first = Checkpoint.open(tmp_path, agent_name="a")
    first.plan({"files": {"k": 1}})
    first.settle(0)
    first.plan({"files": {"k": 2}})
    again = reopen(first, tmp_path)
    again.recover(None)
    assert again.state == {}
    assert "all is read again" in caplog.text
    assert again.plan({"files": {"k": 1}}).number == 2
    again.close()


def test_nothing_committed_means_nothing_settled(tmp_path: Path) -> None:
    first = Checkpoint.open(tmp_path, agent_name="a")
    first.plan({"files": {"k": 1}})
    again = reopen(first, tmp_path)
    again.recover(None)
    assert again.state == {}
    assert again.next_number == 1
    again.close()


def test_a_table_that_knows_more_than_the_log_sets_the_next_number(tmp_path: Path) -> None:
    checkpoint = Checkpoint.open(tmp_path, agent_name="a")
    checkpoint.recover(41)
    assert checkpoint.plan({}).number == 42
    checkpoint.close()


def test_settling_merges_key_by_key_and_none_forgets(tmp_path: Path) -> None:
    first = Checkpoint.open(tmp_path, agent_name="a")
    first.plan({"files": {"k": 1, "j": 1}})
    first.plan({"files": {"k": None, "i": 1}, "other": {"x": 1}})
    first.settle(0)
    assert first.state == {"files": {"k": 1, "j": 1}}
    first.settle(1)
    assert first.state == {"files": {"j": 1, "i": 1}, "other": {"x": 1}}
    first.close()
    again = Checkpoint.open(tmp_path, agent_name="a")
    assert again.state == first.state
    again.close()


def test_what_was_settled_is_durable_with_the_next_plan(tmp_path: Path) -> None:
    first = Checkpoint.open(tmp_path, agent_name="a")
    first.plan({"files": {"k": 1}})
    first.settle(0)
    first.plan({"files": {"k": 2}})
    again = reopen(first, tmp_path)
    assert again.state == {"files": {"k": 1}}
    again.close()


def test_a_second_process_is_refused_and_told_who_holds_it(tmp_path: Path) -> None:
    first = Checkpoint.open(tmp_path, agent_name="a")
    with pytest.raises(ConfigError, match=rf"agent 'a' is already running as process {os.getpid()}"):
        Checkpoint.open(tmp_path, agent_name="a")
    first.close()
    Checkpoint.open(tmp_path, agent_name="a").close()


def test_the_log_is_rewritten_when_it_has_grown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOG_BYTES", 2_000)
    checkpoint = Checkpoint.open(tmp_path, agent_name="a")
    for number in range(200):
        checkpoint.plan({"files": {"k": number}})
        checkpoint.settle(number)
    assert (tmp_path / "checkpoint.log").stat().st_size < 3_000
    again = reopen(checkpoint, tmp_path)
    again.recover(199)
    assert again.state == {"files": {"k": 199}}
    again.close()


def test_a_log_that_is_whole_is_only_read_at_the_start(tmp_path: Path) -> None:
    first = Checkpoint.open(tmp_path, agent_name="a")
    first.plan({"files": {"k": 1}})
    first.plan({"files": {"k": 2}})
    before = (tmp_path / "checkpoint.log").read_bytes()
    again = reopen(first, tmp_path)
    again.recover(0)
    assert (tmp_path / "checkpoint.log").read_bytes() == before
    again.plan({"files": {"j": 1}})
    assert (tmp_path / "checkpoint.log").read_bytes().startswith(before)
    third = reopen(again, tmp_path)
    third.recover(2)
    assert third.state == {"files": {"k": 1, "j": 1}}, "plan 1 was dropped for good"
    third.close()


def test_records_that_were_written_twice_or_that_are_about_unknown_plans_change_nothing(tmp_path: Path) -> None:
    first = Checkpoint.open(tmp_path, agent_name="a")
    log = tmp_path / "checkpoint.log"
    head = len(log.read_bytes())
    first.plan({"files": {"k": 1}})
    first.settle(0)
    first.plan({"files": {"k": 2, "j": 1}})
    data = log.read_bytes()
    log.write_bytes(data + data[head:] + encode({"plan": 0, "marks": {}, "settled": [7], "dropped": [9]}))
    again = reopen(first, tmp_path)
    assert (again.state, again.next_number, again.warnings) == ({"files": {"k": 1}}, 2, [])
    again.recover(1)
    assert again.state == {"files": {"k": 2, "j": 1}}
    again.close()


def test_batches_of_the_table_that_are_not_noted_are_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    checkpoint = Checkpoint.open(tmp_path, agent_name="a")
    checkpoint.plan({"files": {"k": 1}})
    checkpoint.recover(2)
    assert "holds 2 batches that are not noted here" in caplog.text
    checkpoint.close()


def test_a_log_that_the_disk_does_not_give_back_is_refused(tmp_path: Path) -> None:
    (tmp_path / "checkpoint.log").mkdir()  # as EIO: not seen is not gone
    with pytest.raises(TableError, match="cannot be read: Is a directory; see to the disk"):
        Checkpoint.open(tmp_path, agent_name="a")
    (tmp_path / "checkpoint.log").rmdir()
    Checkpoint.open(tmp_path, agent_name="a").close()


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda log: log[:-3], "were never finished"),
        (lambda log: log + b"\x00" * 512, "were never finished"),
        (lambda log: log + b"\xff" * 64, "set aside as checkpoint.log.broken-1"),
        (lambda log: b"\xff" * 64, "this is not a checkpoint"),
        (lambda log: b"", "this is not a checkpoint"),
        (lambda log: encode({"format": "tailrace-checkpoint", "version": 99}), "its format has version 99"),
        (lambda log: encode({"format": "tailrace-checkpoint", "version": 0}), "its format has version 0"),
        (lambda log: encode({"format": "tailrace-checkpoint", "version": 1, "agent": "a-1"}), "it has no snapshot"),
        (lambda log: log + encode({"plan": "x"}), "a record that is not understood"),
        (lambda log: log + encode({"plan": 9, "settled": 1}), "a record that is not understood"),
    ],
)
def test_a_broken_log_never_stops_the_start(tmp_path: Path, damage: object, said: str) -> None:
    first = Checkpoint.open(tmp_path, agent_name="a")
    first.plan({"files": {"k": 1}})
    first.settle(0)
    first.plan({"files": {"k": 2}})
    log = tmp_path / "checkpoint.log"
    log.write_bytes(damage(log.read_bytes()))  # type: ignore[operator]
    again = reopen(first, tmp_path)
    assert any(said in warning for warning in again.warnings), again.warnings
    assert again.state in ({}, {"files": {"k": 1}})
    assert (tmp_path / "checkpoint.log.broken-1").exists() == ("set aside" in again.warnings[0])
    again.recover(None)
    assert again.plan({}).number >= 0
    again.close()


class Full(Files):
    """A disk without space for appends: for good, or for the next few."""

    def __init__(self) -> None:
        self.full = 0

    def append(self, path: Path, data: bytes) -> None:
        if self.full:
            self.full -= 1
            super().append(path, data[:5])
            raise OSError(28, "No space left on device")
        super().append(path, data)


def test_with_patience_a_plan_waits_until_there_is_space(tmp_path: Path) -> None:
    files, clock = Full(), ManualClock()
    first = Checkpoint.open(tmp_path, agent_name="a", files=files, patience=Patience(clock))
    first.plan({"files": {"k": 1}})
    first.settle(0)
    files.full = 12
    assert first.plan({"files": {"k": 2}}).number == 1
    assert clock.monotonic_s() > 20
    again = reopen(first, tmp_path)
    again.recover(1)
    assert again.state == {"files": {"k": 2}}
    again.close()


def test_a_folder_that_may_not_be_written_or_is_gone_is_said_at_once(tmp_path: Path) -> None:
    class Denied(Files):
        def makedirs(self, path: Path) -> None:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    with pytest.raises(TableError, match=r"cannot be written: Read-only file system; give this user write permission"):
        Checkpoint.open(tmp_path / "a", agent_name="a", files=Denied())
    checkpoint = Checkpoint.open(tmp_path / "b", agent_name="a", patience=Patience(ManualClock()))
    shutil.rmtree(tmp_path / "b")
    with pytest.raises(TableError, match="the data folder was removed"):
        checkpoint.plan({"files": {"k": 1}})
    checkpoint.close()


def test_hurry_ends_the_wait_of_a_plan(tmp_path: Path) -> None:
    files, patience = Full(), Patience(ManualClock())
    checkpoint = Checkpoint.open(tmp_path, agent_name="a", files=files, patience=patience)
    files.full = 1_000
    patience.hurry()
    with pytest.raises(TransientError, match="No space left on device"):
        checkpoint.plan({"files": {"k": 1}})
    checkpoint.close()


def test_a_full_disk_is_transient_and_the_next_plan_is_whole(tmp_path: Path) -> None:
    files = Full()
    checkpoint = Checkpoint.open(tmp_path, agent_name="a", files=files)
    checkpoint.plan({"files": {"k": 1}})
    files.full = 1
    with pytest.raises(TransientError, match="No space left on device"):
        checkpoint.plan({"files": {"k": 2}})
    assert checkpoint.plan({"files": {"k": 2}}).number == 1
    again = reopen(checkpoint, tmp_path)
    again.recover(1)
    assert again.state == {"files": {"k": 2}}
    assert again.warnings == []
    again.close()


def test_a_fence_says_what_was_held_before_it_also_after_a_kill(tmp_path: Path) -> None:
    first = Checkpoint.open(tmp_path, agent_name="a")
    for offset in (1, 2, 3):
        first.plan({"files": {"k": offset}})
    again = reopen(first, tmp_path)
    fence = again.fence(0)  # of the three batches the first is stored
    assert fence.after == 0
    assert life(fence.number) > 0
    third = reopen(again, tmp_path)  # killed before anybody answered
    later = third.fence(1)  # the second was on its way, and came before the fence
    assert life(later.number) > life(fence.number)
    fourth = reopen(third, tmp_path)
    fourth.recover(later.number)
    assert fourth.state == {"files": {"k": 2}}
    assert fourth.plan({"files": {"k": 9}}).number == later.number + 1
    fourth.close()


def test_the_first_fence_of_a_table_without_anything_leads_to_reading_all(tmp_path: Path) -> None:
    first = Checkpoint.open(tmp_path, agent_name="a")
    fence = first.fence(None)
    assert fence.after == -1
    again = reopen(first, tmp_path)
    last = again.fence(fence.number)  # the first one was taken, and nothing since
    again.recover(last.number)
    assert again.meant(last.number) is None
    assert again.state == {}
    again.close()
    Checkpoint.open(tmp_path, agent_name="a").close()  # the same from a snapshot


def test_a_table_that_knows_more_than_the_folder_has_met_a_copy_of_it(tmp_path: Path) -> None:
    checkpoint = Checkpoint.open(tmp_path, agent_name="a")
    checkpoint.plan({"files": {"k": 1}})
    with pytest.raises(ConfigError, match="a copy that is used elsewhere"):
        checkpoint.fence(1)
    checkpoint.close()
