"""Starts `tailrace up` for a test and makes sure that it ends with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from e2e.program import Up

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def make_up(tmp_path: Path) -> Iterator[Callable[..., Up]]:
    """Return a maker of programs that are stopped, at the latest, when the test ends."""
    made: list[Up] = []

    def make(*paths: Path, data: Path = tmp_path / "data") -> Up:
        made.append(Up(data, paths, tmp_path / f"up-{len(made)}.txt"))
        return made[-1]

    yield make
    for program in made:
        program.close()
