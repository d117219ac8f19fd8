"""The file sink: exact through crashes at every write, rotation, Parquet, bounds."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import polars as pl
import pytest

from sinks.receivers import file_lines
from store.rows import batch
from tailrace.batch import Position
from tailrace.clock import ManualClock
from tailrace.errors import ConfigError, TransientError
from tailrace.files import Files
from tailrace.sinks.delivery import ROW, Rows
from tailrace.sinks.file.settings import FileSettings
from tailrace.sinks.file.sink import FileWriter

if TYPE_CHECKING:
    from pathlib import Path


class Crash(BaseException):
    """The process ends here."""


class Crashing(Files):
    """Ends the process at the n-th operation; an append or a write may have come half-way."""

    def __init__(self, at: int) -> None:
        self.left = at

    def step(self) -> bool:
        self.left -= 1
        return self.left == 0

    def write(self, path: Path, data: bytes) -> None:
        if self.step():
            super().write(path, data[: len(data) // 2])
            raise Crash
        super().write(path, data)

    def append(self, path: Path, data: bytes) -> None:
        if self.step():
            super().append(path, data[: len(data) // 2])
            raise Crash
        super().append(path, data)

    def fsync(self, path: Path) -> None:
        if self.step():
            raise Crash
        super().fsync(path)

    def rename(self, source: Path, target: Path) -> None:
        if self.step():
            raise Crash
        super().rename(source, target)

    def unlink(self, path: Path) -> None:
        if self.step():
            raise Crash
        super().unlink(path)


def writer(tmp_path: Path, files: Files | None = None, clock=None, **more) -> FileWriter:
    settings = FileSettings(path=tmp_path / "out", **more)
    return FileWriter(settings, tmp_path / "state", clock or ManualClock(), files)


def rows(number: int, count: int = 3) -> Rows:
    frame = batch([f"{number}-{n}" for n in range(count)], status=[200] * count).frame
    return Rows(frame.with_row_index(ROW), Position("a", number))


def deliver(made: FileWriter, number: int) -> None:
    """As the sending sink does: two requests, then the note."""
    if not made.holds(Position("a", number)):
        made.send(rows(number).part(0, 2))
        made.send(rows(number).part(2))
        made.note(Position("a", number))


@pytest.mark.parametrize("form", ["json", "parquet"])
def test_a_crash_at_any_write_loses_and_doubles_nothing(tmp_path: Path, form: str) -> None:
    wanted = [f"{number}-{n}" for number in range(4) for n in range(3)]
    at, ended = 0, False
    while not ended:
        at += 1
        here = tmp_path / str(at)
        clock = ManualClock()
        settings = {"format": form, "rotate_s": 2.0, "clock": clock}
        made = None
        try:
            made = writer(here, Crashing(at), **settings)
            for number in range(4):
                deliver(made, number)
                clock.advance(1.5)
            made.close()
            ended = True
        except Crash:
            if made is not None:
                made._journal.close()  # the system gives the lock back
        again = writer(here, **settings)
        for number in range(4):
            deliver(again, number)
            clock.advance(1.5)
        again.close()
        assert file_lines(here / "out") == wanted, f"crash at operation {at}"
        assert not list((here / "out").glob(".*")), f"crash at operation {at}"
    assert at > 20


def test_json_lines_are_objects_and_can_be_read_at_once(tmp_path: Path) -> None:
    made = writer(tmp_path)
    deliver(made, 0)
    (path,) = (tmp_path / "out").iterdir()
    assert path.name == "file-20231114T221320Z-000001.jsonl"
    first = json.loads(path.read_text().splitlines()[0])
    assert first == {
        "time": "2023-11-14T22:13:20.000000000Z",
        "labels": {"app": "a"},
        "line": "0-0",
        "fields": {"status": 200},
    }
    made.close()


def test_another_file_begins_by_size_and_by_age(tmp_path: Path) -> None:
    clock = ManualClock()
    made = writer(tmp_path, clock=clock, rotate_bytes=1 << 16, rotate_s=60.0)
    made.send(Rows(batch(["x" * 70_000]).frame.with_row_index(ROW), Position("a", 0)))
    made.note(Position("a", 0))
    deliver(made, 1)
    clock.advance(61)
    deliver(made, 2)  # the last of its file
    deliver(made, 3)
    made.close()
    sizes = [len(path.read_text().splitlines()) for path in sorted((tmp_path / "out").iterdir())]
    assert sizes == [1, 6, 3]


def test_parquet_has_the_columns_of_the_table(tmp_path: Path) -> None:
    made = writer(tmp_path, format="parquet")
    deliver(made, 0)
    other = batch(["text"], status=["none"]).frame  # the same field with another type
    made.send(Rows(other.with_row_index(ROW), Position("a", 1)))
    made.note(Position("a", 1))
    assert not list((tmp_path / "out").glob("*.parquet"))
    made.close()
    (path,) = (tmp_path / "out").iterdir()
    frame = pl.read_parquet(path)
    assert frame["_line"].to_list() == ["0-0", "0-1", "0-2", "text"]
    assert frame["status"].to_list() == ["200", "200", "200", "none"]
    assert frame.schema["_time"] == pl.Datetime("us", "UTC")
    assert ROW not in frame.columns


def test_the_oldest_finished_files_go_when_there_is_too_much(tmp_path: Path) -> None:
    made = writer(tmp_path, rotate_bytes=1 << 16, keep_bytes=1 << 20)
    for number in range(6):
        made.send(Rows(batch(["x" * 400_000]).frame.with_row_index(ROW), Position("a", number)))
        made.note(Position("a", number))
    made.close()
    names = sorted(path.name[-12:] for path in (tmp_path / "out").iterdir())
    assert names == ["000005.jsonl", "000006.jsonl"]


def test_old_files_that_cannot_be_removed_stop_nothing(tmp_path: Path, caplog) -> None:
    class Denied(Files):
        def unlink(self, path: Path) -> None:
            raise PermissionError(13, "Permission denied")

    made = writer(tmp_path, Denied(), rotate_bytes=1 << 16, keep_bytes=1 << 20)
    for number in range(4):
        made.send(Rows(batch(["x" * 400_000]).frame.with_row_index(ROW), Position("a", number)))
        made.note(Position("a", number))
    made.close()
    assert [len(line) for line in file_lines(tmp_path / "out")] == [400_000] * 4
    assert "Permission denied" in caplog.text


def test_a_full_disk_leaves_no_half_row_behind(tmp_path: Path) -> None:
    class Full(Files):
        full = False

        def append(self, path: Path, data: bytes) -> None:
            if self.full:
                super().append(path, data[:10])
                raise OSError(28, "No space left on device")
            super().append(path, data)

    files = Full()
    made = writer(tmp_path, files)
    deliver(made, 0)
    files.full = True
    with pytest.raises(TransientError, match="No space left"):
        made.send(rows(1))
    files.full = False
    deliver(made, 1)
    made.close()
    assert file_lines(tmp_path / "out") == ["0-0", "0-1", "0-2", "1-0", "1-1", "1-2"]


def test_a_batch_that_is_given_up_leaves_nothing_to_the_next(tmp_path: Path) -> None:
    made = writer(tmp_path)
    deliver(made, 0)
    made.send(rows(1))
    made.undo()
    deliver(made, 2)
    made.close()
    assert [line[0] for line in file_lines(tmp_path / "out")] == ["0"] * 3 + ["2"] * 3


def test_another_format_goes_on_in_other_files(tmp_path: Path) -> None:
    made = writer(tmp_path)
    deliver(made, 0)
    made.close()
    made = writer(tmp_path, format="parquet")
    deliver(made, 1)
    made.close()
    assert sorted(path.suffix for path in (tmp_path / "out").iterdir()) == [".jsonl", ".parquet"]
    assert made.last("a") == 1


def test_two_processes_cannot_write_as_one_sink(tmp_path: Path) -> None:
    made = writer(tmp_path)
    with pytest.raises(ConfigError, match="used by another process"):
        writer(tmp_path)
    made.close()


def test_a_foreign_journal_is_refused_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "journal.json").write_text("[]")
    with pytest.raises(ConfigError, match="move it away"):
        writer(tmp_path)


def test_rows_that_somebody_took_away_are_said_and_writing_goes_on(tmp_path: Path, caplog) -> None:
    made = writer(tmp_path)
    deliver(made, 0)
    made.close()
    (path,) = (tmp_path / "out").iterdir()
    path.write_bytes(b"")
    made = writer(tmp_path)
    assert "took rows away" in caplog.text
    deliver(made, 1)
    made.close()
    assert made.last("a") == 1
