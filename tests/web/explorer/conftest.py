"""What tests of the page share: a watched browser, axe-core, and a whole server over a small shop."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from web.explorer.browser import axe, browser, complaints, page, plain_page
from web.explorer.whole import Whole, running

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["axe", "browser", "complaints", "page", "plain_page"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    """A whole server over a small shop; tests of a module share it, and leave it as it was."""
    with running(tmp_path_factory.mktemp("whole")) as made:
        yield made
