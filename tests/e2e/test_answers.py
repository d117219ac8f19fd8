"""The judge is judged: a whole answer has no fault, and each kind of damage is seen. Starts no program."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from e2e.answers import faults
from e2e.program import until
from e2e.writers import FORMATS, Writer

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def written(tmp_path: Path) -> tuple[Writer, list[dict]]:
    """Return a writer that is done, and the rows of a whole answer."""
    writer = Writer(tmp_path / "plain.log", "plain", 500, 1)
    writer.start()
    writer.allow(500)
    writer.join(10)
    label = {"filename": str(writer.path)}
    return writer, [{"line": line, "labels": label} for line in writer.path.read_text().splitlines()]


def test_a_whole_answer_has_no_fault(written: tuple[Writer, list[dict]]) -> None:
    writer, rows = written
    assert len(rows) == 500
    assert faults(rows, [writer]) == []


def test_each_damage_is_seen(written: tuple[Writer, list[dict]]) -> None:
    writer, rows = written
    assert faults(rows[:7] + rows[9:], [writer]) == ["2 lines of plain.log (plain) are lost: 7-8"]
    assert faults([*rows[:3], rows[2], *rows[3:]], [writer]) == [
        f"order: line 2 of plain.log stands after 2 in {writer.path}",
        "1 lines of plain.log (plain) are doubled: 2-2",
    ]
    swapped = [rows[1], rows[0], *rows[2:]]
    assert faults(swapped, [writer]) == [f"order: line 0 of plain.log stands after 1 in {writer.path}"]
    assert faults([{**rows[0], "line": rows[0]["line"] + " "}, *rows[1:]], [writer])[0].startswith("changed")
    assert faults([*rows, {"line": "what?", "labels": {}}], [writer])[0].startswith("a line that nobody wrote")
    elsewhere = {"filename": "/elsewhere/plain.log"}
    assert faults([{**row, "labels": elsewhere} for row in rows], [writer])[0].startswith("under a foreign name")


@pytest.mark.parametrize("shape", FORMATS)
def test_rotated_files_hold_every_line_once_and_in_order(shape: str, tmp_path: Path) -> None:
    writer = Writer(tmp_path / f"{shape}.log", shape, 3_000, 7, rotate_at=(700, 1_500))
    writer.start()
    writer.allow(2_500)
    until(writer.idle, 10, "the pause before the copy")
    writer.copy_truncate()
    assert writer.path.stat().st_size == 0
    writer.allow(3_000)
    writer.join(10)
    files = [writer.path.with_name(f"{writer.path.name}{older}") for older in (".3", ".2", ".1", "")]
    lines = [line for file in files for line in file.read_text().split("\n")[:-1]]
    if shape == "json":
        records = [json.loads(line) for line in lines]
        assert [record["seq"] for record in records] == list(range(3_000))
        lines = [record["message"] for record in records]
    assert lines == writer.shown
