"""Let one of several servers on a database do a job: who holds the job's lease, and only while it does.

Jobs are those that must not be done twice (rules), or are done in vain (keeping the tables of rollups and of files). A
lease has a number that rises with each holder (a fence). A transaction of a job asks whether the lease is still held; a
server that slept past its end and wakes up is refused, however sure it is of itself. The end of a lease is a time of
the database's clock where it has one of its own, so those of the servers may differ; what a server knows without asking
is by its own clock, from before it asked.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import BigInteger, Column, Table, select

from tailrace.clock import NS_PER_S
from tailrace.control.holder import is_gone
from tailrace.control.words import METADATA, TEXT, insert
from tailrace.errors import TransientError

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from tailrace.control.database import Control

LEASES: Final = Table(
    "leases",
    METADATA,
    Column("name", TEXT, primary_key=True),  # of the job
    Column("holder", TEXT, nullable=False),
    Column("until_ns", BigInteger, nullable=False),
    Column("fence", BigInteger, nullable=False),  # rises with each holder: what an old one writes is refused
    Column("server", TEXT, nullable=False, server_default=""),  # the holder's name for people
)
"""Who does what, when several servers share one database."""

LEASE_NS: Final = 30 * NS_PER_S
"""A server that is silent for this long loses the lease; one that is known to be dead loses it at once."""

RULES: Final = "alerts"
"""The job of evaluating rules."""

RENEW_S: Final = 5.0
"""Between two looks of `duties` at its leases."""

_RENEW_NS: Final = LEASE_NS // 3  # no write before so much of it is over


@dataclass(frozen=True, slots=True)
class Held:
    """A lease as people want to see it."""

    job: str
    server: str  # the name of its holder, for people
    until_ns: int
    over: bool  # by the clock of the database


def held(control: Control, now_ns: int) -> list[Held]:
    """Return all leases by job, those that ran out among them."""
    with control.reading() as connection:
        there_ns = control.now_ns(connection, now_ns)
        rows = connection.execute(select(LEASES).order_by(LEASES.c.name)).all()
    return [Held(row.name, row.server or row.holder, row.until_ns, row.until_ns <= there_ns) for row in rows]


class LeaseLostError(TransientError):
    """Another server does the job now."""


class Lease:
    """The lease of one server, `holder`, on one job. Any thread may call."""

    def __init__(self, control: Control, holder: str, *, job: str = RULES, server: str = "") -> None:
        self._control = control
        self._holder, self._job, self._server = holder, job, server
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

    def holds(self, now_ns: int) -> bool:
        """Tell whether the lease is held, as far as is known here: costs nothing, and another may have it already."""
        return self._fence is not None and now_ns < self._until_ns <= now_ns + LEASE_NS

    def _take(self, now_ns: int, *, only_own: bool = False) -> bool:
        if not self._mine_or_free(now_ns):  # a look waits for nobody, and most servers do no more than that
            self._fence = None
            return False
        with self._control.transaction() as connection:
            row, there_ns = self._row(connection), self._control.now_ns(connection, now_ns)
            mine = row is not None and row.holder == self._holder and row.fence == self._fence
            if not mine and (only_own or self._of_another(row, there_ns)):
                self._fence = None
                return False
            fence = row.fence if row is not None and mine else (0 if row is None else row.fence) + 1
            values = {
                "holder": self._holder,
                "until_ns": there_ns + LEASE_NS,
                "fence": fence,
                "server": self._server,
            }
            statement = insert(LEASES).values(name=self._job, **values)
            connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_=values))
        self.fresh = self._fence != fence
        self._fence, self._until_ns = fence, now_ns + LEASE_NS
        return True

    def _mine_or_free(self, now_ns: int) -> bool:
        if self._fence is not None:
            return True
        with self._control.reading() as connection:
            return not self._of_another(self._row(connection), self._control.now_ns(connection, now_ns))

    def _row(self, connection: Connection) -> Any:  # a row or None: SQLAlchemy types its columns as anything
        return connection.execute(select(LEASES).where(LEASES.c.name == self._job)).one_or_none()

    def _of_another(self, row: Any, now_ns: int) -> bool:  # as above
        """Tell whether a lease is another server's, and holds. One that ends too far ahead is of a wrong clock."""
        if row is None or row.holder == self._holder:
            return False
        return now_ns < row.until_ns <= now_ns + 2 * LEASE_NS and not is_gone(row.holder)

    def assure(self, connection: Connection, now_ns: int) -> None:
        """Refuse to go on in a transaction if the lease is lost."""
        row = self._row(connection)
        over = row is None or row.until_ns <= self._control.now_ns(connection, now_ns)
        if over or row.fence != self._fence:
            self._fence = None
            raise LeaseLostError(f"another server does this now: {self._job}")

    def release(self, wait_s: float | None = None) -> None:
        """Give the lease back, so that another server need not wait for its end; wait so long for the database."""
        with self._lock:
            if self._fence is None:
                return
            with self._control.transaction(wait_s) as connection:
                held = (LEASES.c.name == self._job) & (LEASES.c.fence == self._fence)
                connection.execute(LEASES.update().where(held).values(until_ns=0))
            self._fence = None
