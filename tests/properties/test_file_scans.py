"""Scans and differences: whatever programs do between two looks, the rows fold into what is there."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import hypothesis.strategies as st
import polars as pl
from hypothesis import given, settings

from tailrace.sources.file_events import diff
from tailrace.sources.file_events.devices import Devices
from tailrace.sources.file_events.rows import STATE
from tailrace.sources.file_events.scan import Scan

NAMES = st.sampled_from(["a", "b", "c", "a b", "\udcff"])
PLACES = st.lists(NAMES, min_size=1, max_size=4).map("/".join)
Row = dict[str, object]
State = dict[str, Row]


def write(root: Path, one: str, _: str) -> None:
    with (root / one).open("a") as file:
        file.write("x")


def make_folder(root: Path, one: str, _: str) -> None:
    (root / one).mkdir(parents=True)


def rename(root: Path, one: str, other: str) -> None:
    (root / one).rename(root / other)


def link(root: Path, one: str, other: str) -> None:
    (root / other).hardlink_to(root / one)


def symlink(root: Path, one: str, other: str) -> None:
    (root / other).symlink_to(one)


def remove(root: Path, one: str, _: str) -> None:
    if (root / one).is_dir() and not (root / one).is_symlink():
        shutil.rmtree(root / one)
    else:
        (root / one).unlink()


def chmod(root: Path, one: str, _: str) -> None:
    (root / one).chmod(0o700, follow_symlinks=(root / one).exists())


def swap(root: Path, one: str, other: str) -> None:
    aside = root / "aside"
    (root / one).rename(aside)
    with suppress(OSError):
        (root / other).rename(root / one)
    aside.rename(root / other)


ACTS: list[Callable[[Path, str, str], None]] = [write, make_folder, rename, link, symlink, remove, chmod, swap]
acts = st.lists(st.tuples(st.sampled_from(ACTS), PLACES, PLACES), max_size=25)


class Table:
    def __init__(self, state: State) -> None:
        self.state = state

    def known(self, _: list[str]) -> pl.DataFrame:
        return pl.DataFrame(list(self.state.values()), schema={name: diff.COLUMNS[name] for name in STATE})


def scan(root: Path, known: State | None, step: int) -> pl.DataFrame:
    walk = Scan(None, Devices(), None if known is None else Table(known))
    walk.add(os.fsencode(root), "restart")
    frames = []
    while not walk.done:
        frames.append(walk.step(step))
    return pl.concat(frames)


def fold(state: State, rows: pl.DataFrame) -> State:
    """Apply rows in their order, as the twin does."""
    for row in rows.iter_rows(named=True):
        path, old = row["file_path"], row["file_old_path"]
        if row["event_action"] == "deleted":
            state = {name: kept for name, kept in state.items() if name != path and not name.startswith(path + "/")}
            continue
        if row["event_action"] == "moved":
            state = {
                path + name[len(old) :] if name.startswith(old + "/") else name: kept for name, kept in state.items()
            }
            state.pop(old, None)
        state[path] = {name: row[name] for name in STATE}
    return {path: kept | {"file_path": path} for path, kept in state.items()}


def as_state(rows: pl.DataFrame) -> State:
    return {row["file_path"]: {name: row[name] for name in STATE} for row in rows.iter_rows(named=True)}


@settings(max_examples=60)
@given(rounds=st.lists(acts, min_size=2, max_size=3), step=st.sampled_from([1, 3, 1000]))
def test_rows_fold_into_what_is_there(rounds: list[list], step: int) -> None:
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None) as folder:
        root = Path(folder) / "root"
        root.mkdir()
        state: State | None = None
        before = pl.DataFrame()
        for done in rounds:
            for act, one, other in done:
                with suppress(OSError, shutil.Error, NotImplementedError):
                    act(root, one, other)
            whole = scan(root, None, 1000)
            state = fold(state or {}, scan(root, state, step))
            assert state == as_state(whole)
            if before.width:
                compared = diff.compare(before.select(STATE), whole.select(STATE))
                assert fold(as_state(before), compared) == as_state(whole)
            before = whole
