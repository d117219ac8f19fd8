"""What logrotate does while nobody looks: `olddir`, and `compress` before the program opens the new file."""

from __future__ import annotations

import gzip
import os
import time
from typing import TYPE_CHECKING

import pytest

from sources.tail.tailing import Tailing

if TYPE_CHECKING:
    from pathlib import Path


class Followed:
    """A log `app.log` of numbered lines, below a folder, and what was read of it."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "logs" / "app.log"
        self.path.parent.mkdir(parents=True)
        self.tail = Tailing(folder, paths=(str(self.path.parent / "*.log"),))
        self.written: list[str] = []
        self.read: list[str] = []

    def write(self, count: int, file=None) -> None:
        lines = [f"line {len(self.written) + number:05} some text" for number in range(count)]
        self.written += lines
        with self.path.open("ab") if file is None else os.fdopen(os.dup(file.fileno()), "ab") as out:
            out.write("".join(f"{line}\n" for line in lines).encode())

    def look(self, *waits: float) -> None:
        for seconds in (0, *waits):
            self.tail.clock.advance(seconds)
            for block in self.tail.blocks():
                self.read += block.data.decode().splitlines()

    def rotate(self, to: Path, *, compress: bool) -> None:
        time.sleep(0.01)  # births come from a coarse clock
        to.parent.mkdir(exist_ok=True)
        self.path.rename(to)
        self.path.touch()
        if compress:
            to.with_name(f"{to.name}.gz").write_bytes(gzip.compress(to.read_bytes()))
            to.unlink()
        time.sleep(0.01)


@pytest.fixture
def log(tmp_path):
    followed = Followed(tmp_path)
    yield followed
    followed.tail.source.close()


@pytest.mark.parametrize("compress", [False, True], ids=["plain", "compressed"])
@pytest.mark.parametrize("place", ["logs/old/app.log.1", "old/app.log.1", "old/app.log-20260101"])
def test_the_unread_rest_of_a_log_is_found_in_the_folder_for_old_ones(log, place, compress):
    log.write(1000)
    log.look(2)
    log.tail.source.close()
    log.write(35)
    log.rotate(log.path.parent.parent / place, compress=compress)
    log.write(100)
    log.tail.start()
    log.look(1, 11, 11)
    assert log.read == log.written


@pytest.mark.parametrize("acknowledged", [False, True])
@pytest.mark.parametrize("rotations", [0, 1])
def test_a_log_that_was_written_after_it_was_compressed_is_not_read_again(log, acknowledged, rotations):
    for _ in range(rotations):
        log.write(600)
        log.look(1)
        log.rotate(log.path.with_name("app.log.2"), compress=True)
        log.look(1)
    with log.path.open("ab") as kept:  # a program that opens the new file late
        log.write(1000)
        log.look(1)
        log.rotate(log.path.with_name("app.log.1"), compress=True)
        log.look(1)
        log.write(35, kept)
        log.look(1)
    if acknowledged:
        log.write(40)
        log.look(1)
    log.tail.source.close()
    log.write(300)
    log.tail.start()
    log.look(1, 11, 11)
    assert log.read == log.written


def test_a_folder_beside_with_a_log_of_the_same_name_keeps_its_compressed_files(log):
    """Containers of one pod all log into `0.log`."""
    beside = log.path.parent.parent / "other"
    beside.mkdir()
    (beside / "app.log").write_text("another program\n")
    (beside / "app.log.1.gz").write_bytes(gzip.compress(b"its former lines\n"))
    log.write(10)
    log.look(1)
    log.path.unlink()
    log.look(1, 11)
    assert log.read == log.written


def test_a_compressed_file_that_is_deleted_holds_nothing_up(log):
    """`rotate 1`: the oldest one goes at each rotation, while the program still writes into the one before."""
    oldest = log.path.with_name("app.log.2.gz")
    for _ in range(4):
        with log.path.open("ab") as kept:
            log.write(400)
            log.look(1)
            if (newer := log.path.with_name("app.log.1.gz")).exists():
                newer.rename(oldest)
            log.rotate(log.path.with_name("app.log.1"), compress=True)
            oldest.unlink(missing_ok=True)
            log.look()
            log.write(35, kept)
        log.look(0.3)
        assert log.read == log.written
        log.tail.restart()
        log.look(4)


def test_a_copy_of_a_log_that_begins_with_a_hole_is_known_by_what_stands_before_the_offset(log):
    """A writer that goes on at its old place after a cut leaves more NULs than a head is compared over."""
    log.write(60)
    log.look(2)
    size = log.path.stat().st_size
    os.truncate(log.path, 0)
    os.truncate(log.path, size)
    log.write(3)
    log.look(2)
    log.tail.source.close()
    log.write(2)
    log.path.with_name("app.log.1").write_bytes(log.path.read_bytes())
    os.truncate(log.path, 0)
    log.write(5)
    log.tail.start()
    log.look(1, 11, 11)
    assert log.read == log.written
