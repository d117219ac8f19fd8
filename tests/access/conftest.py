"""A control database and a clock that stands still."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tailrace.access import audit, tokens  # noqa: F401  what defines tables has to be known before they are made
from tailrace.clock import ManualClock
from tailrace.control import Control


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def control(tmp_path: Path) -> Iterator[Control]:
    control = Control.open(tmp_path)
    yield control
    control.close()
