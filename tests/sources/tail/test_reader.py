from __future__ import annotations

import os
import resource
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from sources.tail.tailing import Tailing

Make = Callable[..., Tailing]


@contextmanager
def few_descriptors(left: int) -> Iterator[None]:
    """Leave this process about so many descriptors above those that are open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = max(int(entry.name) for entry in Path("/proc/self/fd").iterdir())
    resource.setrlimit(resource.RLIMIT_NOFILE, (used + left, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="needs /proc")
def test_running_out_of_descriptors_loses_nothing(tail: Make, tmp_path: Path) -> None:
    t = tail(open_files=20)
    names = [f"{number}.log" for number in range(30)]
    with ExitStack() as writers:  # they share the process with the agent, and must be able to write
        files = [writers.enter_context((tmp_path / "logs" / name).open("ab", buffering=0)) for name in names]
        with few_descriptors(10):
            for text in (b"one\n", b"two\n"):
                for file in files:
                    file.write(text)
                assert t.read() == dict.fromkeys(names, text.decode())
    assert t.whys() == {}


def test_a_deleted_file_keeps_its_descriptor_when_others_need_one(tail: Make) -> None:
    t = tail(open_files=2)
    with (t.folder / "gone.log").open("ab", buffering=0) as file:
        file.write(b"one\n")
        t.read()
        (t.folder / "gone.log").unlink()
        for name in ("a", "b", "c"):
            t.write(name, "x\n")
        t.read()
        file.write(b"two\n")
        assert t.read() == {"gone.log": "two\n"}


def test_a_binary_start_after_a_cut_is_still_read(tail: Make) -> None:
    """A file that was text is not refused later: a NUL in it is data."""
    t = tail()
    path = t.write("app.log", "text\n")
    t.read()
    os.truncate(path, 0)
    t.write("app.log", b"a\x00b\n")
    assert t.read() == {"app.log": "a\x00b\n"}


def test_a_line_of_more_than_a_block_is_read_in_parts_of_the_limit(tail: Make) -> None:
    t = tail()
    t.write("app.log", b"x" * (3 << 20) + b"\n")
    found = t.blocks()
    assert [(block.part, block.part_last) for block in found] == [(1, False), (2, False), (3, True)]
    assert b"".join(block.data for block in found) == b"x" * (3 << 20) + b"\n"
