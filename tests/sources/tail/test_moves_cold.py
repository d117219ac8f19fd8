"""Files that were rotated before the first look: whose stream they are, by their times alone."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest

from tailrace.clock import SystemClock
from tailrace.limits import MIB
from tailrace.sources.tail import TailSettings, TailSource


def lines_by_name(folder):
    """Read a folder once, as a source that has never seen it; return (filename, line) in the order handed out."""
    time.sleep(0.1)  # so that nothing was born after the first start, which is another rule
    settings = TailSettings(paths=(str(folder),), follow=False)
    source = TailSource(settings, name="files", clock=SystemClock(), host="h")
    source.restore({})
    found = []
    while not source.done:
        for block in source.read(MIB, 0.0):
            name = Path(block.origin.labels["filename"]).name
            found += [(name, line) for line in block.data.decode().splitlines()]
    source.close()
    return found


def write(path, *lines):
    with path.open("a") as file:
        file.writelines(f"{line}\n" for line in lines)


@pytest.fixture
def log(tmp_path):
    return tmp_path / "app.log"


def test_renamed_files_come_first_and_under_the_name_of_the_stream(log):
    for number, line in enumerate(("one", "two")):
        write(log, line)
        time.sleep(0.02)  # births come from a coarse clock
        if number:
            log.with_name("app.log.1").rename(log.with_name("app.log.2"))
        log.rename(log.with_name("app.log.1"))
    write(log, "three")
    assert lines_by_name(log.parent) == [("app.log", "one"), ("app.log", "two"), ("app.log", "three")]


def test_a_copy_comes_before_what_followed_the_cut(log):
    write(log, "one", "two")
    time.sleep(0.02)
    shutil.copyfile(log, log.with_name("app.log.1"))
    os.truncate(log, 0)
    time.sleep(1.1)  # a copy is taken for complete when it was quiet for a second
    write(log, "three")
    assert lines_by_name(log.parent) == [("app.log", "one"), ("app.log", "two"), ("app.log", "three")]


def test_a_file_that_is_written_beside_is_a_stream_of_its_own(log):
    write(log, "main")
    time.sleep(0.02)
    write(log.with_name("app.log.1"), "beside")
    assert sorted(lines_by_name(log.parent)) == [("app.log", "main"), ("app.log.1", "beside")]


def test_without_the_live_file_a_rotated_one_keeps_its_name(log):
    write(log.with_name("app.log.1"), "alone")
    assert lines_by_name(log.parent) == [("app.log.1", "alone")]
