"""A log that is copied and cut short while everything in it is stored: the copy is known, whoever lives or dies when."""

from __future__ import annotations

import os
import shutil
import threading
from typing import TYPE_CHECKING

import pytest

from e2e.answers import faults
from e2e.program import answered, rows_of, until
from e2e.writers import Writer
from tailrace.clock import SystemClock
from tailrace.sources.tail import TailSettings, TailSource

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from e2e.program import Up

EVERYTHING = '{filename=~".+"}'


@pytest.mark.e2e
@pytest.mark.parametrize("after", [0, 2_000])
@pytest.mark.parametrize("life", ["lives", "is killed after it", "is dead meanwhile"])
def test_a_copy_is_not_read_again(make_up: Callable[..., Up], tmp_path: Path, life: str, after: int) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    writer = Writer(folder / "json.log", "json", 1_000 + after + 1, 1)
    up = make_up(folder)
    up.start()
    writer.start()
    try:
        writer.allow(1_000)
        until(writer.idle, 10, "the writer pauses")
        up.ready()
        until(lambda: up.count(EVERYTHING) == 1_000, 30, "all is stored")
        if life == "is dead meanwhile":
            up.kill()
        writer.copy_truncate()
        writer.allow(1_000 + after)  # less than, and more than what was cut away; or nothing at all for now
        until(writer.idle, 10, "the writer has gone on")
        if life == "is killed after it":
            up.kill()
        if up.process is None:
            up.start()
            up.ready()
        until(lambda: up.count(EVERYTHING) >= 1_000 + after, 30, "what came after it is stored")
        writer.allow(writer.lines)
        until(lambda: up.count(EVERYTHING) >= writer.lines, 30, "the last line is stored")
        assert up.terminate()[0] == 0
        up.start()  # a restart looks at every file anew
        up.ready()
        (folder / "marker.log").write_text("the end\n")
        until(lambda: up.count('{filename=~".+/marker.log"}') == 1, 30, "it has looked at every file")
        query = ("query", "--data", up.data, '{filename=~".+json.+"}', "--output", "jsonl", "--limit", 0)
        wrong = faults(rows_of(answered(*query, "--direction", "forward")), [writer])
        assert not wrong, "\n".join(wrong[:5])
    finally:
        writer.stop()
        writer.join(10)


class _Truncating(SystemClock):
    """A clock that cuts a file short while the source pauses to gather news, and then goes an hour ahead."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.ahead_s = 0.0

    def monotonic_s(self) -> float:
        return super().monotonic_s() + self.ahead_s

    def wait(self, event: threading.Event, timeout_s: float) -> bool:
        os.truncate(self.file, 0)
        return event.is_set()


def test_a_copy_that_is_seen_first_when_the_original_is_cut_short_already_is_not_read(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_bytes(b"".join(b"line %d of the first generation\n" % number for number in range(100)))
    clock = _Truncating(log)
    source = TailSource(TailSettings(paths=(str(tmp_path),)), name="files", clock=clock, host="h")
    source.restore({})
    try:
        assert sum(len(block.data) for block in source.read(1 << 20, 0)) == log.stat().st_size
        copier = threading.Timer(0.05, shutil.copyfile, (log, tmp_path / "a.log.1"))  # its event ends the wait below
        copier.start()
        blocks = list(source.read(1 << 20, 10))
        copier.join()
        assert log.stat().st_size == 0
        clock.ahead_s = 3600.0  # whatever is held back for a time is decided
        blocks += [block for _ in range(3) for block in source.read(1 << 20, 0)]
        assert [(block.origin.labels["filename"], block.offset) for block in blocks] == []
    finally:
        source.close()
