"""What the web parts are given: the table, the engine, the way in, and the counters. Made by `up` and by tests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tailrace.clock import Clock
    from tailrace.contracts import Engine, Followed, Sink, Table
    from tailrace.telemetry import Accounts


def _always() -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Services:
    """Everything that requests need; nothing in `web` reaches for a global."""

    table: Table
    engine: Engine
    sink: Sink
    accounts: Accounts
    clock: Clock
    host: str
    followed: Callable[[], Sequence[Followed]]
    started_ns: int
    ready: Callable[[], bool] = _always  # false while the process is still starting or is draining
