from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sources.tail.tailing import Tailing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def tail(tmp_path: Path) -> Iterator[Callable[..., Tailing]]:
    made: list[Tailing] = []

    def make(**more: object) -> Tailing:
        made.append(Tailing(tmp_path / "logs", **more))  # type: ignore[arg-type]
        return made[-1]

    (tmp_path / "logs").mkdir()
    yield make
    for tailing in made:
        tailing.source.close()
