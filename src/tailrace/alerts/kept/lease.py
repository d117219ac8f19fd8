"""Let one of several servers on a database evaluate: who holds the lease, and only while it does.

The lease has a number that rises with each holder (a fence). Every writing transaction asks whether it is still
held; a server that slept past its end and wakes up is refused, however sure it is of itself.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import select
from sqlalchemy.dialects.sqlite import insert

from tailrace.alerts.kept.holder import is_gone
from tailrace.alerts.kept.tables import LEASES
from tailrace.clock import NS_PER_S
from tailrace.errors import TransientError

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from tailrace.control import Control

LEASE_NS: Final = 30 * NS_PER_S
"""A server that is silent for this long loses the lease; one that is known to be dead loses it at once."""

_RENEW_NS: Final = LEASE_NS // 3  # no write before so much of it is over
_NAME: Final = "alerts"


class LeaseLostError(TransientError):
    """Another server evaluates the rules now."""


class Lease:
    """The lease of one server, `holder`. Any thread may call."""

    def __init__(self, control: Control, holder: str) -> None:
        self._control = control
        self._holder = holder
        self._fence: int | None = None
        self._until_ns = 0
        self._lock = threading.Lock()

    fresh = False
    """Whether the last `take` was the first of this holding: what was read before may be stale."""

    def take(self, now_ns: int) -> bool:
        """Take or renew the lease; false while another server has it."""
        with self._lock:
            left_ns = self._until_ns - now_ns
            if self._fence is not None and LEASE_NS - _RENEW_NS < left_ns <= LEASE_NS:
                self.fresh = False
                return True
            return self._take(now_ns)

    def renew(self, now_ns: int) -> None:
        """Keep the lease if it is held, while a round takes long; one that was lost is not taken again."""
        with self._lock:
            if self._fence is not None:
                fresh = self.fresh
                self._take(now_ns, only_own=True)
                self.fresh = fresh

    def _take(self, now_ns: int, *, only_own: bool = False) -> bool:
        with self._control.transaction() as connection:
            row = connection.execute(select(LEASES).where(LEASES.c.name == _NAME)).one_or_none()
            mine = row is not None and row.holder == self._holder and row.fence == self._fence
            if not mine and (only_own or self._of_another(row, now_ns)):
                self._fence = None
                return False
            fence = row.fence if row is not None and mine else (0 if row is None else row.fence) + 1
            values = {"holder": self._holder, "until_ns": now_ns + LEASE_NS, "fence": fence}
            statement = insert(LEASES).values(name=_NAME, **values)
            connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_=values))
        self.fresh = self._fence != fence
        self._fence, self._until_ns = fence, now_ns + LEASE_NS
        return True

    def _of_another(self, row: Any, now_ns: int) -> bool:  # a row or None: SQLAlchemy types its columns as anything
        """Tell whether a lease is another server's, and holds. One that ends too far ahead is of a wrong clock."""
        if row is None or row.holder == self._holder:
            return False
        return now_ns < row.until_ns <= now_ns + 2 * LEASE_NS and not is_gone(row.holder)

    def assure(self, connection: Connection, now_ns: int) -> None:
        """Refuse to go on in a transaction if the lease is lost."""
        row = connection.execute(select(LEASES).where(LEASES.c.name == _NAME)).one_or_none()
        if row is None or row.fence != self._fence or row.until_ns <= now_ns:
            self._fence = None
            raise LeaseLostError("another server evaluates the rules now")

    def release(self, wait_s: float | None = None) -> None:
        """Give the lease back, so that another server need not wait for its end; wait so long for the database."""
        with self._lock:
            if self._fence is None:
                return
            with self._control.transaction(wait_s) as connection:
                held = (LEASES.c.name == _NAME) & (LEASES.c.fence == self._fence)
                connection.execute(LEASES.update().where(held).values(until_ns=0))
            self._fence = None
