"""Storms over file events: after any of them what is known equals what `find` and `du` say, 0 differences.

Small here; `TAILRACE_TORTURE=20` makes twenty times as much of everything. The first tests fold the events of a source
in a dictionary, the last one runs the program with its table, kills it in the middle, and asks `tailrace files`.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from torture.file_fold import Watching, differences, really

FACTOR = int(os.environ.get("TAILRACE_TORTURE") or 1)
PROJECT = Path(__file__).parents[2]
ROOT = os.getuid() == 0

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="fanotify and inotify are parts of Linux")


@pytest.fixture(params=["disk", "tmpfs"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A folder on the disk, and one on a file system of its own in memory."""
    if request.param == "disk":
        yield tmp_path
        return
    mounted = tmp_path / "memory"
    mounted.mkdir()
    if not ROOT or subprocess.run(["mount", "-t", "tmpfs", "storm", mounted], check=False).returncode:
        pytest.skip("needs root, to mount a file system")
    try:
        yield mounted
    finally:
        subprocess.run(["umount", "-l", mounted], check=True)


@pytest.fixture(params=["fanotify", "inotify"])
def backend(request: pytest.FixtureRequest) -> str:
    if request.param == "fanotify" and not ROOT:
        pytest.skip("fanotify on a whole file system needs root")
    return request.param


def load(root: Path, **wanted: object) -> subprocess.Popen[bytes]:
    """Start the generator over a folder."""
    options = [f"--{name.replace('_', '-')}={value}" for name, value in wanted.items() if value is not True]
    flags = [f"--{name}" for name, value in wanted.items() if value is True]
    command = [sys.executable, "-m", "bench.file_events_load", f"--root-path={root}", *options, *flags]
    return subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.DEVNULL)


def over(program: subprocess.Popen[bytes]) -> Callable[[], bool]:
    return lambda: program.poll() is not None


def storm(place: Path, backend: str, **wanted: object) -> Watching:
    """Let the generator do its worst while a source watches, to the end."""
    root = place / "root"
    root.mkdir()
    watching = Watching(root, backend)
    watching.settle(quiet_s=0.1)
    with load(root, **wanted) as program:
        watching.settle(over(program))
    assert program.returncode == 0
    return watching


def test_nested_trees(place: Path, backend: str) -> None:
    watching = storm(place, backend, trees=150 * FACTOR)
    try:
        assert differences(watching.fold, place / "root") == []
        assert watching.source.counters["overflows"] == 0
    finally:
        watching.close()


def test_files_at_full_speed_and_their_removal(place: Path, backend: str) -> None:
    watching = storm(place, backend, number_of_files=5_000 * FACTOR, subfolders=7)
    try:
        assert differences(watching.fold, place / "root") == []
        with load(place / "root", purge=True) as program:
            watching.settle(over(program))
        assert differences(watching.fold, place / "root") == []
        assert len(watching.fold.paths) == 1
    finally:
        watching.close()


@pytest.mark.parametrize("seed", range(1, 4 if FACTOR == 1 else 25))
def test_mixed_acts_with_a_stop_in_the_middle(place: Path, backend: str, seed: int) -> None:
    root = place / "root"
    root.mkdir()
    watching = Watching(root, backend)
    watching.settle(quiet_s=0.1)
    with load(root, outside=place / "outside", acts=1_000 * FACTOR, seed=seed) as program:
        watching.read()
        watching.close()  # dies here: what it had not read is gone
        watching = Watching(root, backend, watching.fold)
        watching.settle(over(program))
    if backend == "inotify":  # what is written through a link that is removed at once is seen by a walk alone
        watching.close()
        watching = Watching(root, backend, watching.fold)
        watching.settle()
    try:
        assert differences(watching.fold, root) == []
    finally:
        watching.close()


def test_a_storm_that_the_kernel_cannot_hold_is_made_good_by_a_walk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tailrace.syscalls import inotify

    monkeypatch.setattr(inotify, "_HELD_BYTES", 1)  # the thread holds one piece: then the kernel's queue runs over
    root = tmp_path / "root"
    (root / "folder0").mkdir(parents=True)  # where the generator writes: watched from the start
    watching = Watching(root, "inotify")
    try:
        watching.settle(quiet_s=0.1)
        subprocess.run(
            [sys.executable, "-m", "bench.file_events_load", f"--root-path={root}", "--number-of-files=12000"],
            cwd=PROJECT,
            stdout=subprocess.DEVNULL,
            check=True,
        )
        watching.settle()
        assert watching.source.counters["overflows"] > 0
        assert really(root).keys() == watching.fold.paths.keys()
    finally:
        watching.close()


# --- the program, with its table ----------------------------------------------------------------


def tailrace(*words: object) -> list[str]:
    return [sys.executable, "-m", "tailrace", *map(str, words)]


def answers(*words: object) -> list[dict]:
    done = subprocess.run(tailrace("files", *words), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def listed(root: Path, data: Path) -> dict[str, tuple[str, int]]:
    rows = answers("ls", root, "--recursive", "--output", "jsonl", "--data", data)
    return {row["path"]: (row["type"], row["size"]) for row in rows}


def found(root: Path) -> dict[str, tuple[str, int]]:
    return {path: (kind, size) for path, (kind, _, _, size) in really(root).items()}


def wait_for(condition: Callable[[], bool], seconds: float) -> bool:
    until_s = time.monotonic() + seconds
    while time.monotonic() < until_s:
        if condition():
            return True
        time.sleep(0.3)
    return False


@pytest.mark.e2e
@pytest.mark.slow
def test_the_table_equals_find_and_du_after_a_stop_and_a_kill(place: Path, backend: str, tmp_path: Path) -> None:
    root, data = place / "root", tmp_path / "data"
    root.mkdir()
    command = tailrace("watch", root, "--data", data, "--backend", backend)
    with (tmp_path / "log").open("wb") as log:
        started = lambda: subprocess.Popen(command, stdout=log, stderr=log)  # noqa: E731
        program = started()
        storms = load(root, outside=place / "outside", acts=1_500 * FACTOR, seed=7, rate=400 * FACTOR)
        try:
            for how in (signal.SIGTERM, signal.SIGKILL):
                time.sleep(1.2)
                program.send_signal(how)
                program.wait(60)
                program = started()
            assert storms.wait(120) == 0
            if backend == "inotify":  # see above
                time.sleep(2)
                program.terminate()
                program.wait(60)
                program = started()
            equal = wait_for(lambda: data.exists() and listed(root, data) == found(root), 30 + 2 * FACTOR)
            here, there = listed(root, data), found(root)
            wrong = {path: (here.get(path), there.get(path)) for path in here.keys() | there.keys()}
            assert equal, {path: both for path, both in wrong.items() if both[0] != both[1]}
            du = subprocess.run(
                ["du", "-s", "--apparent-size", "-B1", root], capture_output=True, text=True, check=True
            )
            (sums,) = [row for row in answers("du", root, "-o", "jsonl", "--data", data) if row["path"] == str(root)]
            assert sums["bytes"] == int(du.stdout.split()[0])
        finally:
            storms.kill()
            program.kill()
            storms.wait()
            program.wait()
