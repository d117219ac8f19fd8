"""When a source began to look is known from the first moment on: what is rotated after that is to be read."""

from __future__ import annotations

from pathlib import Path

from tailrace.clock import SystemClock
from tailrace.sources.tail import TailSettings, TailSource


def test_the_first_start_is_marked_before_anything_is_read(tmp_path: Path) -> None:
    source = TailSource(TailSettings(paths=(str(tmp_path),)), name="files", clock=SystemClock(), host="h")
    source.restore({})
    assert list(source.mark()) == ["@source"]
    (tmp_path / "app.log").write_text("one\n")
    assert [block.data for block in source.read(1 << 20, 0)] == [b"one\n"]
    assert "@source" not in source.mark()
    source.close()
