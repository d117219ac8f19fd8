"""Rotations and truncations are told from the positions that a source names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tailrace.export.rotations import Rotations

if TYPE_CHECKING:
    from collections.abc import Mapping


class Scripted:
    """A source that hands out marks one after the other."""

    name = "s"
    counters: Mapping[str, int] = {"open_files": 1}

    def __init__(self, *marks: Mapping[str, object]) -> None:
        self.marks = list(marks)
        self.restored: Mapping[str, object] = {}

    def mark(self) -> Mapping[str, object]:
        return self.marks.pop(0)

    def restore(self, state: Mapping[str, object]) -> None:
        self.restored = state


def position(inode: int, generation: int = 0) -> dict[str, object]:
    """Return the state of a file."""
    return {"dev": 1, "ino": inode, "born": 5, "generation": generation, "offset": 9}


@pytest.mark.parametrize("restart", [False, True])
def test_counts(restart: bool) -> None:
    marks: list[Any] = [
        {"a.0": position(1), "@source": {"first_start_ns": 1}},
        {"a.0": position(1)},
        {"b.0": position(2)},  # a new file: a rotation
        {"a.0": None, "b.1": position(2, 1), "b.0": None},  # cut short
        {"b.2": position(2, 2)},  # and again
        {},
    ]
    state: dict[str, object] = {}
    counting = Rotations(Scripted(*marks))  # type: ignore[arg-type]  as much of a source as is asked for
    for number in range(len(marks)):
        for key, value in counting.mark().items():
            if value is None:
                state.pop(key)
            else:
                state[key] = value
        if restart:
            inner = Scripted(*marks[number + 1 :])
            counting = Rotations(inner)  # type: ignore[arg-type]  as above
            counting.restore(state)
            assert "@rotations" not in inner.restored
    assert dict(counting.counters) == {"open_files": 1, "rotations": 1, "truncations": 2}
