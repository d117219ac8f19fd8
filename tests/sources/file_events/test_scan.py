"""Scans: what is found, what differs from what was known, and what is concluded of what refuses."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import polars as pl
import pytest

from tailrace.clock import ManualClock
from tailrace.sources.file_events.devices import Devices
from tailrace.sources.file_events.pace import Pace
from tailrace.sources.file_events.scan import ROWS, Scan
from tailrace.sources.file_events.scope import Scope
from tailrace.sources.file_events.walker import Walker


class Table:
    """What was told before."""

    def __init__(self, frame: pl.DataFrame) -> None:
        self.frame = frame
        self.asked: list[list[str]] = []

    def known(self, roots: list[str]) -> pl.DataFrame:
        self.asked.append(list(roots))
        return self.frame


def scan(root: Path, known: pl.DataFrame | None = None, reason: str = "restart", step: int = 1000, scope=None):
    table = None if known is None else Table(known)
    walk = Scan(scope, Devices(), table)
    walk.add(os.fsencode(root), reason)
    frames = []
    while not walk.done:
        frames.append(walk.step(step))
    walk.close()
    return pl.concat(frames), walk


def told(frame: pl.DataFrame, root: Path) -> list[tuple[str, str]]:
    rows = frame.filter(~((pl.col("event_action") == "attributes_modified") & (pl.col("file_type") == "dir")))
    return sorted((row["event_action"], os.path.relpath(row["file_path"], root)) for row in rows.iter_rows(named=True))


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    (root / "a/b").mkdir(parents=True)
    (root / "a/file").write_text("12345")
    (root / "a/b/deep").write_text("1")
    (root / "link").symlink_to("a/file")
    (root / "loop").symlink_to(root)
    return root


def test_everything_is_told_once_folders_before_their_content(tree: Path) -> None:
    frame, walk = scan(tree, reason="baseline")
    paths = [os.path.relpath(path, tree) for path in frame["file_path"]]
    assert sorted(paths) == [".", "a", "a/b", "a/b/deep", "a/file", "link", "loop"]
    assert all(path.rpartition("/")[0] in {"", *paths[:place]} for place, path in enumerate(paths) if path != ".")
    assert frame["event_action"].unique().to_list() == ["initial_scan"]
    assert frame["event_confidence"].unique().to_list() == ["synthetic"]
    assert frame["event_reason"].unique().to_list() == ["baseline"]
    assert dict(frame.schema) == dict(ROWS)
    assert walk.refused == []


def test_the_columns_are_what_lstat_says(tree: Path) -> None:
    (tree / "a/file").chmod(0o4640)
    os.utime(tree / "a/file", ns=(0, 1_700_000_000_123_456_789))
    frame, _ = scan(tree)
    row = frame.row(by_predicate=pl.col("file_path") == str(tree / "a/file"), named=True)
    look = os.lstat(tree / "a/file")
    assert row["file_size"] == 5
    assert row["file_mode"] == "4640"
    assert row["file_mtime"] == "2023-11-14T22:13:20.123456789Z"
    assert (row["file_inode"], row["file_uid"], row["file_links"]) == (str(look.st_ino), str(look.st_uid), 1)
    assert row["file_allocated"] == look.st_blocks * 512
    link = frame.row(by_predicate=pl.col("file_path") == str(tree / "link"), named=True)
    assert (link["file_type"], link["file_target_path"]) == ("symlink", "a/file")


@pytest.mark.parametrize("step", [1, 2, 1000])
def test_only_differences_are_told(tree: Path, step: int) -> None:
    known, _ = scan(tree)
    assert scan(tree, known, step=step)[0].height == 0
    (tree / "a/file").write_text("123456")
    (tree / "a/new").write_text("")
    (tree / "a/b/deep").chmod(0o600)
    (tree / "link").unlink()
    frame, _ = scan(tree, known, step=step)
    assert told(frame, tree) == [
        ("attributes_modified", "a/b/deep"),
        ("created", "a/new"),
        ("deleted", "link"),
        ("updated", "a/file"),
    ]


def test_a_removed_folder_is_one_row(tree: Path) -> None:
    known, _ = scan(tree)
    shutil.rmtree(tree / "a")
    assert told(scan(tree, known)[0], tree) == [("deleted", "a")]


def test_a_removed_root_is_one_row(tree: Path) -> None:
    known, _ = scan(tree)
    shutil.rmtree(tree)
    assert told(scan(tree, known)[0], tree) == [("deleted", ".")]


@pytest.mark.parametrize("step", [1, 1000])
def test_a_folder_that_is_another_one_now_is_told_anew_with_its_content(tree: Path, step: int) -> None:
    known, _ = scan(tree)
    (tree / "a").rename(tree.parent / "old")
    (tree / "a/b").mkdir(parents=True)
    (tree.parent / "old/b/deep").rename(tree / "a/b/deep")
    frame, _ = scan(tree, known, step=step)
    assert told(frame, tree) == [("created", "a"), ("created", "a/b"), ("created", "a/b/deep"), ("deleted", "a")]
    assert frame["event_action"].to_list().index("deleted") < frame["event_action"].to_list().index("created")


def test_a_folder_that_is_a_file_now(tree: Path) -> None:
    known, _ = scan(tree)
    shutil.rmtree(tree / "a")
    (tree / "a").write_text("x")
    assert told(scan(tree, known)[0], tree) == [("created", "a"), ("deleted", "a")]


def test_nothing_is_concluded_of_folders_that_refuse(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known, _ = scan(tree)
    really = os.open

    def refuse(path: str, *arguments: int, **named: int) -> int:
        if path == str(tree / "a/b"):
            raise PermissionError(13, "Permission denied")
        return really(path, *arguments, **named)

    with monkeypatch.context() as patched:
        patched.setattr(os, "open", refuse)
        frame, walk = scan(tree, known)
    assert frame.height == 0
    assert walk.refused == [(os.fsencode(tree / "a/b"), "Permission denied")]


def test_what_is_left_out_now_is_told_as_gone(tree: Path) -> None:
    known, _ = scan(tree)
    frame, _ = scan(tree, known, scope=Scope((os.fsencode(tree),), ("b",)))
    assert told(frame, tree) == [("deleted", "a/b")]


def test_names_that_are_no_utf8_are_recognised(tree: Path) -> None:
    (tree / "\udcff").write_text("x")
    (tree / r"\xfe").write_text("x")
    known, _ = scan(tree)
    assert str(tree) + r"/\xff" in known["file_path"]
    assert scan(tree, known)[0].height == 0
    (tree / "\udcff").unlink()
    assert told(scan(tree, known)[0], tree) == [("deleted", r"\xff")]


def test_what_is_known_is_asked_for_once_and_not_of_what_was_moved_in(tree: Path) -> None:
    table = Table(scan(tree)[0])
    walk = Scan(None, Devices(), table)
    walk.add(os.fsencode(tree), "overflow")
    walk.add(os.fsencode(tree), "moved_in")
    frames = []
    while not walk.done:
        frames.append(walk.step(2))
    assert table.asked == [[str(tree)]]
    assert pl.concat(frames)["event_action"].to_list() == ["created"] * 7


def test_single_folders_are_asked_about_in_one_question(tree: Path) -> None:
    table = Table(scan(tree)[0])
    (tree / "a/b/deep").write_text("22")
    (tree / "link").unlink()
    walk = Scan(None, Devices(), table)
    walk.add(os.fsencode(tree / "a/file"), "overflow")
    walk.add(os.fsencode(tree / "a/b"), "unwatched")
    walk.add(os.fsencode(tree / "a"), "overflow")
    walk.add(os.fsencode(tree / "link"), "unwatched")
    frames = []
    while not walk.done:
        frames.append(walk.step(2))
    a, b = str(tree / "a"), str(tree / "a/b")
    assert table.asked == [[f"{a}/file"], [b, str(tree / "link")], [a]]
    assert told(pl.concat(frames), tree) == [("deleted", "link"), ("updated", "a/b/deep"), ("updated", "a/b/deep")]


def test_a_walk_that_was_interrupted_goes_on(tree: Path) -> None:
    walk = Scan(None, Devices())
    walk.add(os.fsencode(tree), "baseline")
    first = walk.step(3)
    state = walk.state()
    walk.close()
    again = Scan(None, Devices())
    again.resume(state)
    rest = []
    while not again.done:
        rest.append(again.step(3))
    everything, _ = scan(tree)
    assert set(first["file_path"]) | set(pl.concat(rest)["file_path"]) == set(everything["file_path"])


def test_a_walk_holds_to_its_rate(tree: Path) -> None:
    clock = ManualClock()
    walk = Scan(None, Devices(), pace=Pace(2, clock))
    walk.add(os.fsencode(tree), "baseline")
    assert [walk.step(100).height for _ in range(3)] == [2, 0, 0]
    clock.advance(1)
    assert walk.step(100).height == 2
    walk.close()


def test_a_folder_that_was_replaced_by_a_link_is_not_entered(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret/file").write_text("x")
    walker = Walker(str(tree))
    walker.step(1)  # the root was seen, and is to be listed
    shutil.rmtree(tree)
    tree.symlink_to(tmp_path / "secret")
    assert walker.step(100).paths == []
    assert walker.done
    assert walker.refused or walker.vanished


def test_another_file_system_is_not_entered_unless_asked_to(monkeypatch: pytest.MonkeyPatch) -> None:
    walker = Walker("/")
    found = walker.step(10_000)
    if not os.path.ismount("/proc"):
        pytest.skip("no file system below /")
    assert "/proc" in found.paths
    assert not any(path.startswith("/proc/") for path in found.paths)
    assert all(folder.path != "/proc" for folder in walker._waiting)
    walker.close()
    crossing = Walker("/", cross_mounts=True)
    crossing.step(len(list(Path("/").iterdir())) + 1)
    assert "/proc" in {folder.path for folder in crossing._waiting} | {crossing.open_folder}
    crossing.close()
