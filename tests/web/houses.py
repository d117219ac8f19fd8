"""A house after a restart: a new application over the same table, which begins to run a second later."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import httpx

from tailrace.web.app import create_app
from web.conftest import NOW_NS, House, S, _served


@contextmanager
def restarted(house: House) -> Iterator[httpx.Client]:
    services = replace(house.services, started_ns=NOW_NS + S)
    with (
        _served(create_app(services)) as address,
        httpx.Client(base_url=address, timeout=20, trust_env=False) as client,
    ):
        yield client
