"""Hashes by policy. The expected ones are those that `sha256sum`, `xxhsum -H2` and `b3sum` print for the same bytes."""

from __future__ import annotations

import os
from pathlib import Path

import polars as pl
import pytest

from tailrace.clock import ManualClock
from tailrace.sources.file_events.devices import Devices
from tailrace.sources.file_events.hashes import Hasher
from tailrace.sources.file_events.pace import Pace
from tailrace.sources.file_events.rows import rows

SHA_OF_ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
SHA_OF_ABC_100 = "d9f5aeb06abebb3be3f38adec9a2e3b94228d52193be923eb4e24c9b56ee0930"
XXH3_OF_ABC = "06b05ab6733a618578af5f94892f3950"
BLAKE3_OF_ABC = "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85"


class Hashing:
    def __init__(self, kinds: tuple[str, ...] = ("sha256",), max_bytes: int = 1000, per_s: float = 0.0) -> None:
        self.clock = ManualClock()
        self.hasher = Hasher(kinds, max_bytes, Pace(per_s, self.clock), Devices())

    def add(self, *paths: Path, action: str = "created") -> pl.DataFrame:
        frame = rows([str(path) for path in paths], [os.lstat(path) for path in paths], {}, Devices())
        return self.hasher.add(frame.with_columns(event_action=pl.lit(action)))


@pytest.fixture
def abc(tmp_path: Path) -> Path:
    path = tmp_path / "abc"
    path.write_bytes(b"abc")
    return path


def test_all_kinds(abc: Path) -> None:
    row = Hashing(("xxh3", "sha256", "blake3")).add(abc, action="created,updated").row(0, named=True)
    assert row["file_hash_sha256"] == SHA_OF_ABC
    assert row["file_hash_xxh3"] == XXH3_OF_ABC
    assert row["file_hash_blake3"] == BLAKE3_OF_ABC


@pytest.mark.parametrize("action", ["attributes_modified", "deleted", "moved"])
def test_only_what_changed_is_read(abc: Path, action: str) -> None:
    assert "file_hash_sha256" not in Hashing().add(abc, action=action).columns


def test_only_plain_files_up_to_a_size(abc: Path, tmp_path: Path) -> None:
    large, link, fifo = tmp_path / "large", tmp_path / "link", tmp_path / "fifo"
    large.write_bytes(b"x" * 1001)
    link.symlink_to(abc)
    os.mkfifo(fifo)
    hashing = Hashing()
    assert hashing.add(abc, large, link, fifo, tmp_path)["file_hash_sha256"].to_list() == [SHA_OF_ABC, *[None] * 4]
    assert hashing.hasher.counters["hash_too_large"] == 1


def test_what_the_rate_does_not_allow_comes_later(abc: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_bytes(b"abc" * 100)
    hashing = Hashing(per_s=300)
    frame = hashing.add(abc, other)
    assert frame["file_hash_sha256"].to_list() == [SHA_OF_ABC, None]
    assert hashing.hasher.waiting == 1
    hashing.clock.advance(10)
    late = hashing.hasher.step(1000)
    assert late.select("event_action", "event_confidence", "file_path", "file_size").rows() == [
        ("attributes_modified", "synthetic", str(other), 300)
    ]
    assert hashing.hasher.waiting == 0
    assert late["file_hash_sha256"].to_list() == [SHA_OF_ABC_100]


def test_a_file_that_is_another_one_now_is_left_to_its_own_event(abc: Path, tmp_path: Path) -> None:
    hashing = Hashing()
    frame = rows([str(abc)], [os.lstat(tmp_path)], {}, Devices())
    frame = frame.with_columns(event_action=pl.lit("created"), file_type=pl.lit("file"), file_size=pl.lit(3))
    assert "file_hash_sha256" not in hashing.hasher.add(frame).columns


def test_a_file_that_grows_while_it_is_read_has_no_hash(abc: Path) -> None:
    hashing = Hashing(per_s=1)
    hashing.add(abc)
    assert hashing.hasher.waiting == 1
    assert hashing.hasher._next()
    with abc.open("ab") as file:
        file.write(b"more")
    hashing.clock.advance(10)
    assert hashing.hasher.step(1000).height == 0
    assert hashing.hasher.waiting == 0


def test_what_refuses_is_counted_and_named(abc: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hashing = Hashing()

    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    frame = rows([str(abc)], [os.lstat(abc)], {}, Devices())
    hashing.hasher.add(frame.with_columns(event_action=pl.lit("created")))
    assert list(hashing.hasher.refused) == [(str(abc), "Permission denied")]
    assert hashing.hasher.counters["hash_refused"] == 1


def test_names_that_are_no_utf8(tmp_path: Path) -> None:
    path = tmp_path / "\udcff"
    path.write_bytes(b"abc")
    assert Hashing().add(path)["file_hash_sha256"].to_list() == [SHA_OF_ABC]
