"""File operations: what they leave on the disk."""

from __future__ import annotations

import fcntl
import os
import resource
from typing import TYPE_CHECKING

import pytest

from tailrace.files import TEMPORARY, Files, readable

if TYPE_CHECKING:
    from pathlib import Path


def test_save_replaces_the_whole_content(tmp_path: Path) -> None:
    file = tmp_path / "state"
    for content in (b"first and long", b"second"):
        Files().save(file, content)
        assert file.read_bytes() == content
    assert [path.name for path in tmp_path.iterdir()] == ["state"]


@pytest.mark.parametrize("step", ["write", "fsync", "rename", "fsync_dir"])
def test_a_save_that_fails_leaves_the_old_or_the_new_content(step: str, tmp_path: Path) -> None:
    file = tmp_path / "state"
    Files().save(file, b"old")
    failing = Files()

    def fail(*_: object) -> None:
        raise OSError("injected")

    setattr(failing, step, fail)
    with pytest.raises(OSError, match="injected"):
        failing.save(file, b"new")
    assert file.read_bytes() == (b"new" if step == "fsync_dir" else b"old")
    assert {path.name for path in tmp_path.iterdir()} <= {"state", f"state{TEMPORARY}"}


def test_single_operations(tmp_path: Path) -> None:
    files = Files()
    folder = tmp_path / "a" / "b"
    files.makedirs(folder)
    files.makedirs(folder)
    file = folder / "f"
    files.append(file, b"one")
    files.append(file, b"two")
    files.truncate(file, 4)
    files.fsync(file)
    assert file.read_bytes() == b"onet"
    files.link(file, folder / "g")
    with pytest.raises(FileExistsError):
        files.link(file, folder / "g")
    files.rename(folder / "g", folder / "h")
    files.unlink(file)
    files.unlink(file)
    files.fsync_dir(folder)
    assert [path.name for path in folder.iterdir()] == ["h"]
    assert files.run("anything", lambda: 5) == 5


def test_a_handle_beyond_a_thousand_open_files_is_waited_for() -> None:
    if resource.getrlimit(resource.RLIMIT_NOFILE)[0] <= 2_000:
        pytest.skip("so many files may not be open here")
    low, writer = os.pipe()
    high = fcntl.fcntl(low, fcntl.F_DUPFD, 1_500)
    try:
        assert not readable(high, 0.0)
        os.write(writer, b"x")
        assert readable(high, 60.0)
        os.read(high, 1)
    finally:
        os.close(writer)
    assert readable(high, 60.0), "the end is something to read"
    os.close(high)
    os.close(low)
