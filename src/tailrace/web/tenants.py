"""The applications of tenants: one each, over the rows of that tenant and nothing else.

A tenant's requests never reach the application of the operator. They are answered by one that is made of the same
parts over a confined table and engine (`access.tenants`), without rules, deletions, recorded numbers and the state of
the server. So whatever it remembers between requests is of one tenant, and an address that is added later can show
what it was given, not more.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from tailrace.access.tenants import ConfinedEngine, ConfinedTable, Stamped
from tailrace.telemetry import Accounts
from tailrace.web.services import NoDeletions, NoRecordings, NoRules

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.types import ASGIApp

    from tailrace.telemetry import Outcome
    from tailrace.web.services import Services

HELD: Final = 128
"""Applications that are kept ready: 1.1 MiB each (measured), and 60 ms to make anew."""


class TenantApps:
    """Makes the applications of tenants when they are asked for. Any thread may call."""

    def __init__(self, services: Services, make: Callable[[Services], ASGIApp]) -> None:
        self._services, self._make = services, make
        self._apps: OrderedDict[str, ASGIApp] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, tenant: str) -> ASGIApp:
        """Return the application of a tenant."""
        with self._lock:
            app = self._apps.get(tenant)
            if app is None:
                app = self._apps[tenant] = self._make(confined(self._services, tenant))
            self._apps.move_to_end(tenant)
            while len(self._apps) > HELD:
                self._apps.popitem(last=False)
        return app


def confined(services: Services, tenant: str) -> Services:
    """Return the parts of a server as one tenant may use them."""
    sink = services.sink
    return replace(
        services,
        table=ConfinedTable(services.table, tenant),
        engine=ConfinedEngine(services.engine, tenant),
        sink=sink.of(tenant) if isinstance(sink, Stamped) else Stamped(sink, tenant),
        accounts=_Counting(services.accounts),
        followed=tuple,
        config=_nothing,
        rules=NoRules(),
        deletions=NoDeletions(),
        kept=None,
        recordings=NoRecordings(),
        leases=_nobody,
    )


class _Counting(Accounts):
    """The accounts of the server, as the application of a tenant adds to them; gauges are of the server's own."""

    def __init__(self, outer: Accounts) -> None:
        super().__init__()
        self._outer = outer

    def read(self, source: str, lines: int, size: int) -> None:
        """Count for the server."""
        self._outer.read(source, lines, size)

    def settle(self, source: str, outcome: Outcome, lines: int, size: int) -> None:
        """Count for the server."""
        self._outer.settle(source, outcome, lines, size)

    def count(self, name: str, text: str, amount: float = 1, **labels: str) -> None:
        """Count for the server."""
        self._outer.count(name, text, amount, **labels)


def _nothing() -> Mapping[str, object]:
    return {}


def _nobody() -> tuple[()]:
    return ()
