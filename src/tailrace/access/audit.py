"""The audit log: who changed what, when and from where.

A change is written down before it is made, and how it ended afterwards: a change that cannot be written down is not
made. What stands here is the method and the address of the request with its parameters, never a body, a header or a
token: bodies hold secrets of receivers. The newest `KEPT` entries stay.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sqlalchemy import BigInteger, Column, Integer, Table, delete, insert, select, update

from tailrace.control import METADATA, NUMBER, TEXT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tailrace.access.model import Principal
    from tailrace.clock import Clock
    from tailrace.control import Control

KEPT: Final = 100_000
"""Entries, of some hundred bytes each: years of people, and a bound for a script that went wild."""

WHAT_CHARS: Final = 1_000
"""Characters of an address that are kept."""

_TIDY: Final = 100  # entries between two looks at whether there are too many

TABLE: Final = Table(
    "access_audit",
    METADATA,
    Column("id", NUMBER, primary_key=True),  # rises
    Column("at_ns", BigInteger, nullable=False),
    Column("who", TEXT, nullable=False),
    Column("token", TEXT, nullable=False),  # public id; empty: without one
    Column("tenant", TEXT, nullable=False),
    Column("peer", TEXT, nullable=False),
    Column("what", TEXT, nullable=False),
    Column("status", Integer, nullable=False),  # of the answer; 0: it has not ended, or the server died meanwhile
    sqlite_autoincrement=True,
)
"""Changes, oldest first."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One change, or one try."""

    id: int
    at_ns: int
    who: str
    token: str
    tenant: str
    peer: str
    what: str
    status: int


class Audit:
    """The audit log of one control database. Any thread may call."""

    def __init__(self, control: Control, clock: Clock) -> None:
        self._control, self._clock = control, clock

    def begin(self, principal: Principal, peer: str, what: str) -> int:
        """Write down what is about to be done; return the number of the entry."""
        row = {"who": principal.name, "token": principal.token, "tenant": principal.tenant, "peer": peer}
        values = {**row, "at_ns": self._clock.now_ns(), "what": _printable(what), "status": 0}
        with self._control.transaction() as connection:
            number: int = connection.execute(insert(TABLE).values(values).returning(TABLE.c.id)).scalar_one()
            if number % _TIDY == 0:
                connection.execute(delete(TABLE).where(TABLE.c.id <= number - KEPT))
        return number

    def end(self, number: int, status: int) -> None:
        """Write down how it ended."""
        with self._control.transaction() as connection:
            connection.execute(update(TABLE).where(TABLE.c.id == number).values(status=status))

    def newest(self, limit: int, before: int = 0) -> Sequence[Entry]:
        """Return entries, newest first; of numbers below `before`, if that is not 0."""
        wanted = select(TABLE).order_by(TABLE.c.id.desc()).limit(limit)
        if before:
            wanted = wanted.where(TABLE.c.id < before)
        with self._control.reading() as connection:
            return [Entry(*row) for row in connection.execute(wanted)]


def _printable(text: str) -> str:
    """Return a text that cannot begin a line of its own, nor change how a terminal writes."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text[:WHAT_CHARS])
