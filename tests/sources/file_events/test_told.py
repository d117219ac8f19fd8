"""Events as rows: actions in an order that fits what is there now."""

import os

import pytest

from tailrace.sources.file_events import backend as bits
from tailrace.sources.file_events.backend import Changes
from tailrace.sources.file_events.devices import Devices
from tailrace.sources.file_events.told import told

C, D, M, U, A, FOLDER = bits.CREATED, bits.DELETED, bits.MOVED, bits.UPDATED, bits.ATTRIBUTES, bits.FOLDER


def row(what, *, alive, tmp_path, **members):
    file = tmp_path / "f"
    file.write_text("four")
    changes = Changes()
    changes.add(what, bytes(file), os.lstat(file) if alive else None, **members)
    return told(changes, "fanotify", Devices()).row(0, named=True)


@pytest.mark.parametrize(
    ("what", "alive", "action", "confidence"),
    [
        (C, True, "created", "exact"),
        (C | U, True, "created,updated", "merged"),
        (C | D, True, "deleted,created", "merged"),
        (C | D | U, True, "deleted,created,updated", "merged"),
        (M | U, True, "moved,updated", "merged"),
        (U | A, True, "updated,attributes_modified", "merged"),
        (D, False, "deleted", "exact"),
        (C | D, False, "created,deleted", "merged"),
        (C | D | U, False, "created,updated,deleted", "merged"),
        (D | U, False, "updated,deleted", "merged"),
        (D | A, False, "deleted", "exact"),
        (C | A | bits.SYNTHETIC, True, "created,attributes_modified", "synthetic"),
        (M | bits.INFERRED, True, "moved", "inferred"),
    ],
)
def test_actions(what, alive, action, confidence, tmp_path):
    found = row(what, alive=alive, tmp_path=tmp_path)
    assert (found["event_action"], found["event_confidence"]) == (action, confidence)
    assert (found["file_size"] == 4) is alive


def test_what_is_gone_says_what_the_event_said(tmp_path):
    found = row(D | FOLDER, alive=False, tmp_path=tmp_path, inode=77, pid=5)
    assert (found["file_type"], found["file_inode"], found["pid"]) == ("dir", "77", 5)
    assert found["file_size"] is None


def test_with_several_actions_metadata_would_mean_that_it_lives(tmp_path):
    found = row(C | D | FOLDER, alive=False, tmp_path=tmp_path, inode=77)
    assert (found["file_type"], found["file_inode"], found["pid"]) == (None, None, None)


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        (C | bits.MOVED_IN, "moved_in"),
        (D | bits.MOVED_OUT, "moved_out"),
        (C | D | bits.EXCHANGED, "exchanged"),
        (C, None),
    ],
)
def test_reasons(what, reason, tmp_path):
    assert row(what, alive=False, tmp_path=tmp_path)["event_reason"] == reason


def test_living_and_gone_side_by_side_and_names_that_are_no_text(tmp_path):
    target = tmp_path / "target"
    target.symlink_to("elsewhere")
    changes = Changes()
    changes.add(D, b"/gone/\xff")
    changes.add(C, bytes(target), os.lstat(target), old_path=b"/old")
    changes.targets[1] = b"elsewhere"
    frame = told(changes, "inotify", Devices())
    assert frame["file_path"].to_list() == ["/gone/\\xff", str(target)]
    assert frame["file_old_path"].to_list() == [None, "/old"]
    assert frame["file_type"].to_list() == [None, "symlink"]
    assert frame["file_target_path"].to_list() == [None, "elsewhere"]
    assert set(frame["event_provider"]) == {"inotify"}
