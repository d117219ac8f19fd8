from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from web.explorer.site import Site, built


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with built(tmp_path / "data") as made:
        yield made
