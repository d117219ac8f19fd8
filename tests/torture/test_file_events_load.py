"""The generator of load for file events: it makes what it says, and the same again for the same seed."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).parents[2]


def load(*words: object) -> str:
    command = [sys.executable, "-m", "bench.file_events_load", *map(str, words)]
    return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True).stdout


def below(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*"))


def test_files_of_a_size_in_folders_and_a_line_for_each(tmp_path: Path) -> None:
    root, out = tmp_path / "root", tmp_path / "output.csv"
    told = load(
        "--root-path", root, "--number-of-files", 5, "--filesize", 10, "--subfolders", 2, "--outfile", out
    )  # fmt: skip
    assert below(root) == [
        "folder0",
        *(f"folder0/file{n}" for n in (0, 2, 4)),
        "folder1",
        "folder1/file1",
        "folder1/file3",
    ]
    assert {path.stat().st_size for path in root.rglob("file*")} == {10}
    rows = list(csv.reader(out.read_text().splitlines()))
    assert [(act, size) for _, act, _, size in rows] == [("mkdir", "0")] * 2 + [("create", "10")] * 5
    assert told.startswith("7 acts in ")


def test_purge_leaves_nothing(tmp_path: Path) -> None:
    load("--root-path", tmp_path / "root", "--number-of-files", 5, "--trees", 2, "--purge")
    assert below(tmp_path / "root") == []


def test_trees_have_a_file_on_each_level(tmp_path: Path) -> None:
    load("--root-path", tmp_path, "--trees", 1, "--depth", 2)
    assert below(tmp_path) == ["tree0", "tree0/leaf", "tree0/level", "tree0/level/leaf"]


def test_the_same_seed_does_the_same(tmp_path: Path) -> None:
    roots = [tmp_path / name for name in ("one", "two", "three")]
    for root, seed in zip(roots, (5, 5, 6), strict=True):
        load("--root-path", root, "--outside", f"{root}.out", "--acts", 500, "--seed", seed)
    assert below(roots[0]) == below(roots[1]) != below(roots[2])
    assert len(below(roots[0])) > 20
