"""The control database in both its kinds: `place.open()` opens it, as often as wanted."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from tailrace.control import Control
from tailrace.database_url import DatabaseUrl


@dataclass
class Place:
    folder: Path
    url: str | None

    def open(self) -> Control:
        return Control.open(self.folder, None if self.url is None else DatabaseUrl(self.url))


@pytest.fixture(params=["sqlite", "postgres"])
def place(request, tmp_path):
    return Place(tmp_path, request.getfixturevalue("database") if request.param == "postgres" else None)
