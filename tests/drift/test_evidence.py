from __future__ import annotations

import hashlib
import os
from pathlib import Path

import polars as pl
import pytest

from tailrace.drift.evidence import COLUMNS, Reader, unescaped


def read(path, kind="file", *, limit=None, reader=None, **wanted):
    flags = {"_hash": True, "_xattr": False, "_flags": False} | wanted
    frame = pl.DataFrame({"file_path": [str(path)], "file_type": [kind], "file_size": [0]})
    frame = frame.with_columns(_limit=pl.lit(limit, pl.Int64), **{name: pl.lit(value) for name, value in flags.items()})
    return (reader or Reader()).add(frame).row(0, named=True)


def test_a_hash_of_all_or_of_the_beginning(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"hello world" * 200_000)
    assert read(path)["file_hash_sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert read(path, limit=5)["file_hash_sha256"] == hashlib.sha256(b"hello").hexdigest()
    assert read(path, limit=0)["file_hash_sha256"] == hashlib.sha256(b"").hexdigest()


def test_what_is_read_is_told_for_the_pace(tmp_path):
    (tmp_path / "a").write_bytes(b"x" * 3_000_000)
    told: list[int] = []
    reader = Reader(told.append)
    read(tmp_path / "a", reader=reader)
    assert (sum(told), reader.bytes, max(told)) == (3_000_000, 3_000_000, 1024 * 1024)


def test_links_and_devices_are_not_opened(tmp_path):
    (tmp_path / "a").write_text("x")
    (tmp_path / "l").symlink_to("a")
    os.mkfifo(tmp_path / "p")
    reader = Reader()
    assert read(tmp_path / "l", "symlink", reader=reader)["file_hash_sha256"] is None
    assert read(tmp_path / "p", "fifo", reader=reader)["file_hash_sha256"] is None
    assert reader.refused == []
    assert read(tmp_path / "l", "file", reader=reader)["file_hash_sha256"] is None  # replaced by a link meanwhile
    assert read(tmp_path / "p", "file", reader=reader)["file_hash_sha256"] is None
    assert read(tmp_path / "gone", reader=reader)["file_hash_sha256"] is None
    assert [path.rsplit("/", 1)[1] for path, _ in reader.refused] == ["l", "gone"]


def test_extended_attributes(tmp_path):
    path = tmp_path / "a"
    path.write_text("x")
    plain = read(path, _hash=False, _xattr=True)
    try:
        os.setxattr(path, "user.note", b"1")
    except OSError:
        pytest.skip("a file system without extended attributes")
    one = read(path, _hash=False, _xattr=True)
    os.setxattr(path, "user.note", b"2")
    two = read(path, _hash=False, _xattr=True)
    assert plain["file_xattr"] == ""
    assert len({plain["file_xattr"], one["file_xattr"], two["file_xattr"]}) == 3
    assert (one["file_acl"], one["file_hash_sha256"]) == (plain["file_acl"], None)


def test_nothing_is_read_that_is_not_wanted(tmp_path):
    found = read(tmp_path / "gone", _hash=False)
    assert [found[name] for name in COLUMNS] == [None, "", "", "", "", None]


def test_names_that_are_no_text(tmp_path):
    odd = os.fsencode(tmp_path) + b"/a\xff"
    Path(os.fsdecode(odd)).write_text("x")
    shown = os.fsdecode(tmp_path) + "/a\\xff"
    assert unescaped(shown) == odd
    assert read(shown)["file_hash_sha256"] == hashlib.sha256(b"x").hexdigest()
    (tmp_path / "b\\xff").write_text("y")
    assert unescaped(str(tmp_path / "b\\xff")) == os.fsencode(tmp_path / "b\\xff")
