"""What lies near of object storage: bounded, whole, and never taken away from who uses it."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TYPE_CHECKING

import pytest

from tailrace.errors import TransientError
from tailrace.store.cache import IN_USE_S, LEFT_OVER_S, Cache

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def fetching(size: int, asked: list[str] | None = None) -> Callable[[Path], int]:
    def fetch(target: Path) -> int:
        if asked is not None:
            asked.append(target.name)
        return target.write_bytes(b"x" * size)

    return fetch


def unused(path: Path, seconds: float) -> None:
    at_s = time.time() - seconds
    os.utime(path, (at_s, at_s))


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*/*"))


def test_a_file_is_brought_once(tmp_path: Path) -> None:
    cache, asked = Cache(tmp_path, ("*/*.parquet*",), 100), []
    assert all(cache.bring(tmp_path / "d" / "a.parquet", 10, fetching(10, asked)) for _ in range(3))
    assert len(asked) == 1
    assert names(tmp_path) == ["a.parquet"]


def test_what_was_not_used_for_longest_makes_room(tmp_path: Path) -> None:
    cache = Cache(tmp_path, ("*/*.parquet*",), 100)
    for name, age_s in (("a", 2.0), ("b", 3.0), ("c", 1.0)):
        assert cache.bring(tmp_path / "d" / f"{name}.parquet", 30, fetching(30))
        unused(tmp_path / "d" / f"{name}.parquet", age_s * IN_USE_S)
    assert cache.has(tmp_path / "d" / "b.parquet")  # which uses it
    assert cache.bring(tmp_path / "d" / "new.parquet", 40, fetching(40))
    assert names(tmp_path) == ["b.parquet", "c.parquet", "new.parquet"]


def test_what_is_in_use_stays_and_what_does_not_fit_is_told(tmp_path: Path) -> None:
    cache = Cache(tmp_path, ("*/*.parquet*",), 100)
    assert cache.bring(tmp_path / "d" / "a.parquet", 80, fetching(80))
    assert not cache.bring(tmp_path / "d" / "b.parquet", 30, fetching(30))
    assert not cache.bring(tmp_path / "d" / "huge.parquet", 101, fetching(101))
    assert names(tmp_path) == ["a.parquet"]


def test_a_file_that_comes_cut_short_is_not_kept(tmp_path: Path) -> None:
    cache = Cache(tmp_path, ("*/*.parquet*",), 100)
    with pytest.raises(TransientError, match=r"a\.parquet: 7 bytes came, the table says 10"):
        cache.bring(tmp_path / "d" / "a.parquet", 10, fetching(7))
    assert names(tmp_path) == []
    assert cache.bring(tmp_path / "d" / "b.parquet", 100, fetching(100))  # its room was given back


def test_many_that_want_one_file_wait_for_one_fetch(tmp_path: Path) -> None:
    cache, asked, together = Cache(tmp_path, ("*/*.parquet*",), 100), [], Barrier(8)

    def want() -> bool:
        together.wait(60)
        return cache.bring(tmp_path / "d" / "a.parquet", 10, fetching(10, asked))

    with ThreadPoolExecutor(8) as pool:
        assert all(done.result() for done in [pool.submit(want) for _ in range(8)])
    assert len(asked) == 1


def test_the_bound_holds_while_files_arrive(tmp_path: Path) -> None:
    """The second one asks for room while the first one is on its way and not on the disk as itself yet."""
    cache = Cache(tmp_path, ("*/*.parquet*",), 100)

    def first(target: Path) -> int:
        assert not cache.bring(tmp_path / "d" / "b.parquet", 60, fetching(60))
        return target.write_bytes(b"x" * 60)

    assert cache.bring(tmp_path / "d" / "a.parquet", 60, first)
    assert names(tmp_path) == ["a.parquet"]


def test_what_a_crash_left_goes(tmp_path: Path) -> None:
    folder = tmp_path / "d"
    folder.mkdir()
    for name, age_s in (("a.parquet.1.tmp", 2 * LEFT_OVER_S), ("b.parquet.2.tmp", 1.0)):
        (folder / name).write_bytes(b"x" * 90)
        unused(folder / name, age_s)
    assert Cache(tmp_path, ("*/*.parquet*",), 100).bring(folder / "c.parquet", 50, fetching(50))
    assert names(tmp_path) == ["b.parquet.2.tmp", "c.parquet"]
