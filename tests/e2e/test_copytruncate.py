"""A log that is copied and cut short while everything in it is stored: the copy is known, whoever lives or dies when."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from e2e.answers import faults
from e2e.program import answered, rows_of, until
from e2e.writers import Writer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from e2e.program import Up

pytestmark = pytest.mark.e2e

EVERYTHING = '{filename=~".+"}'


@pytest.mark.parametrize("after", [0, 50, 2_000])
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
