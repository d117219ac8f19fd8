from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from store.rows import batch
from tailrace.batch import Position
from tailrace.errors import DataError, TransientError
from tailrace.files import Files
from tailrace.sinks.spool import Spool

if TYPE_CHECKING:
    from pathlib import Path


def test_the_next_process_finds_what_was_put_as_it_was(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    given = [batch([f"line {n}"], "a", 5 + n, status=[n]) for n in range(3)]
    entries = [spool.put(one) for one in given]
    spool.remove(entries[1])
    again = Spool(tmp_path)
    loaded = [entry.load() for entry in again.entries]
    assert [(one.position, one.source, one.lines, one.bytes) for one in loaded] == [
        (Position("a", 5), "test", 1, 7),
        (Position("a", 7), "test", 1, 7),
    ]
    assert loaded[0].frame.equals(given[0].frame)
    assert (again.last_number("a"), again.last_number("b")) == (7, None)
    again.put(batch(["more"], "a", 8))
    assert [entry.position.number for entry in Spool(tmp_path).entries] == [5, 7, 8]


def test_a_batch_without_a_position_gets_one_that_no_other_has(tmp_path: Path) -> None:
    one, other = (Spool(tmp_path).put(batch(["x"])) for _ in range(2))
    assert one.pushed
    assert one.position != other.position
    assert all(entry.pushed for entry in Spool(tmp_path).entries)


def test_a_damaged_file_is_set_aside(tmp_path: Path, caplog) -> None:
    spool = Spool(tmp_path)
    entry = spool.put(batch(["x"], "a", 0))
    spool.put(batch(["y"], "a", 1))
    entry.path.write_bytes(entry.path.read_bytes()[:-20])
    again = Spool(tmp_path)
    assert [one.position.number for one in again.entries] == [1]
    assert entry.path.with_suffix(".broken").exists()
    assert "may be missing" in caplog.text
    entry.held = None
    with pytest.raises(DataError):
        entry.load()


def test_what_the_disk_does_not_take_is_not_there(tmp_path: Path) -> None:
    class Full(Files):
        def fsync(self, path: Path) -> None:
            raise OSError(28, "No space left on device")

    spool = Spool(tmp_path, Full())
    with pytest.raises(TransientError, match="No space left"):
        spool.put(batch(["x"], "a", 0))
    assert spool.entries == []
    assert Spool(tmp_path).entries == []


def test_a_file_that_cannot_be_read_for_the_moment_is_left_for_the_next_start(tmp_path: Path, monkeypatch) -> None:
    entry = Spool(tmp_path).put(batch(["x"], "a", 0))
    read = type(entry.path).read_bytes

    def busy(path: Path) -> bytes:
        if path == entry.path:
            raise OSError(24, "Too many open files")
        return read(path)

    with monkeypatch.context() as patched:
        patched.setattr(type(entry.path), "read_bytes", busy)
        with pytest.raises(TransientError, match="Too many open files"):
            Spool(tmp_path)
    assert [one.position.number for one in Spool(tmp_path).entries] == [0]


def test_no_file_that_was_set_aside_is_ever_replaced(tmp_path: Path) -> None:
    for text in ("first", "second"):
        entry = Spool(tmp_path).put(batch([text], "a", 0))
        entry.path.write_bytes(text.encode())
        assert Spool(tmp_path).entries == []
    assert sorted(path.read_bytes() for path in tmp_path.glob("*.broken")) == [b"first", b"second"]
