from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from store.rows import batch
from tailrace.batch import Position
from tailrace.clock import ManualClock
from tailrace.errors import TransientError
from tailrace.files import Files
from tailrace.sinks.dead_letters import REASON_CHARS, DeadLetters
from tailrace.sinks.delivery import ROW, Rows

if TYPE_CHECKING:
    from pathlib import Path


def rows(lines: list[str], number: int = 0) -> Rows:
    return Rows(batch(lines).frame.with_row_index(ROW), Position("a", number))


def folder(tmp_path: Path, limit: int = 1 << 30, files: Files | None = None) -> DeadLetters:
    return DeadLetters(tmp_path / "dead" / "loki", limit, ManualClock(), files)


def test_what_is_put_can_be_read_by_another_process(tmp_path: Path) -> None:
    folder(tmp_path).put(rows(["one", "two", "three"], 4), ["bad", "worse", "bad"])
    (letter,) = folder(tmp_path).letters()
    assert (letter.sink, letter.position, letter.rows) == ("loki", Position("a", 4), 3)
    assert letter.set_aside_ns == 1_700_000_000_000_000_000
    assert dict(letter.reasons) == {"bad": 2, "worse": 1}
    assert letter.frame()["_line"].to_list() == ["one", "two", "three"]
    assert letter.batch().frame["_line"].to_list() == ["one", "two", "three"]
    assert ROW not in letter.batch().frame.columns


def test_a_batch_that_is_refused_again_after_a_crash_is_set_aside_once(tmp_path: Path) -> None:
    for _ in range(2):
        folder(tmp_path).put(rows(["one"], 4), ["bad"])
    assert [letter.rows for letter in folder(tmp_path).letters()] == [1]


def test_the_oldest_go_when_the_folder_is_full_and_that_is_counted(tmp_path: Path, caplog) -> None:
    made = folder(tmp_path, limit=3 * 4_096)
    for number in range(5):
        made.put(rows(["x", "y"], number), ["bad", "bad"])
        path = made.folder / f"a-{number}.parquet"
        os.utime(path, ns=(number, number))
    assert [letter.position.number for letter in made.letters()] == [2, 3, 4]
    assert made.dropped_rows() == 4
    assert "2 oldest rows" in caplog.text


def test_reasons_are_cut(tmp_path: Path) -> None:
    made = folder(tmp_path)
    made.put(rows(["x"]), ["r" * 10_000])
    (letter,) = made.letters()
    assert [len(reason) for reason in letter.reasons] == [REASON_CHARS]


def test_a_damaged_file_is_left_out_and_said(tmp_path: Path, caplog) -> None:
    made = folder(tmp_path)
    made.put(rows(["x"], 1), ["bad"])
    (made.folder / "a-0.parquet").write_bytes(b"PAR1 nothing")
    assert [letter.position.number for letter in made.letters()] == [1]
    assert "a-0.parquet" in caplog.text


def test_a_damaged_file_makes_room_like_any_other(tmp_path: Path) -> None:
    made = folder(tmp_path, limit=2 * 4_096)
    made.put(rows(["x"], 1), ["bad"])
    damaged = made.folder / "a-0.parquet"
    damaged.write_bytes(b"PAR1 nothing")
    os.utime(damaged, ns=(0, 0))
    made.put(rows(["y"], 2), ["bad"])
    assert not damaged.exists()
    assert [letter.position.number for letter in made.letters()] == [1, 2]


def test_what_is_refused_again_costs_no_other_row(tmp_path: Path) -> None:
    for number in range(3):
        folder(tmp_path).put(rows(["x", "y"], number), ["bad", "bad"])
    command = folder(tmp_path, limit=4_096)  # who replays may not know how much may lie here
    for letter in list(command.letters()):
        command.keep_only(letter, {1: "still bad"})
    assert [(letter.rows, dict(letter.reasons)) for letter in command.letters()] == [(1, {"still bad": 1})] * 3
    assert command.dropped_rows() == 0


def test_a_full_disk_is_a_failure_that_passes(tmp_path: Path) -> None:
    class Full(Files):
        def write(self, path: Path, data: bytes) -> None:
            raise OSError(28, "No space left on device")

    with pytest.raises(TransientError, match="No space left"):
        folder(tmp_path, files=Full()).put(rows(["x"]), ["bad"])
