"""A cluster per test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from condense.elastic_server import Elastic

INDEX = ".ds-logs-fim.event-default-2026.03.05-000001"


@pytest.fixture
def elastic() -> Iterator[Elastic]:
    made = Elastic()
    made.index(INDEX)
    yield made
    made.close()
