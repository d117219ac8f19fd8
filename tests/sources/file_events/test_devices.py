"""Names of devices: one per tree with inodes of its own."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from tailrace.sources.file_events.devices import Devices

_UUID = bytes(range(1, 17))
_TEXT = "01020304-0506-0708-090a-0b0c0d0e0f10"


@pytest.fixture
def one_uuid(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file system gives the same UUID, as the subvolumes of btrfs do."""
    monkeypatch.setattr(fcntl, "ioctl", lambda *_: bytes([16]) + _UUID)


@pytest.mark.usefixtures("one_uuid")
def test_trees_without_a_device_that_share_a_uuid_have_names_of_their_own() -> None:
    paths = [path for path in (b"/sys", b"/dev/shm") if os.path.isdir(path) and not os.major(os.stat(path).st_dev)]
    if len(paths) != 2:
        pytest.skip("no two file systems without a device here")
    devices = Devices()
    names = [devices.of(os.stat(path).st_dev, path) for path in paths]
    assert names == [f"{_TEXT}:{os.statvfs(path).f_fsid:016x}" for path in paths]
    assert names[0] != names[1]
    assert names == [Devices().of(os.stat(path).st_dev, path) for path in paths]


@pytest.mark.usefixtures("one_uuid")
def test_a_device_has_its_uuid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "major", lambda _: 8)
    assert Devices().of(os.stat(tmp_path).st_dev, bytes(tmp_path)) == _TEXT


@pytest.mark.usefixtures("one_uuid")
def test_what_lies_in_a_folder_of_another_tree_has_its_number(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    assert Devices().of(os.makedev(0, 4711), bytes(file)) == "0:4711"
