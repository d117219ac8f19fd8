"""Deliver what was decided: in order for each group and line, again until it is taken, parked if it never will be.

Comes in: rows of `notify_deliveries`. Goes out: calls of channels. A row is held in one transaction, sent outside of
any, and marked in another: a crash between leads to the same call with the same key, once the holder's time is up or
it is back itself. A row that waits holds back later ones of its group and line, never those of others. What is
refused, or could not be delivered for days, is parked: people see it and send it again, or drop it.
"""

from __future__ import annotations

import logging
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from sqlalchemy import func, select, update

from tailrace.alerts.notify.dispatch import read_notification
from tailrace.alerts.notify.model import BusyError, Refused
from tailrace.alerts.notify.tables import DELIVERIES
from tailrace.clock import NS_PER_S
from tailrace.control.holder import is_gone
from tailrace.errors import TailraceError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import ColumnElement

    from tailrace.alerts.notify.model import Channel, Notification
    from tailrace.clock import Clock
    from tailrace.control import Control
    from tailrace.telemetry import Accounts

PAUSES_S: Final = (1.0, 300.0)
"""First and longest pause between two attempts; each is twice the last, less up to half at random."""

PATIENCE_NS: Final = 3 * 86_400 * NS_PER_S
"""What could not be delivered for so long is parked: a receiver may be away for a weekend."""

HELD_NS: Final = 330 * NS_PER_S
"""A server that holds a row for longer than this is gone: another one may send it. No call may take as long."""

_LONGEST_NS: Final = 3600 * NS_PER_S  # that a busy receiver may ask for
_ERROR_CHARS: Final = 500
_LOGGER: Final = logging.getLogger(__name__)

State = Literal["waiting", "sent", "parked", "dropped"]


@dataclass(frozen=True, slots=True)
class Delivery:
    """One row as people see it."""

    id: int
    line: str  # the receiver and its way
    state: State
    attempts: int
    next_ns: int
    written_ns: int
    error: str
    notification: Notification


class Deliveries:
    """What is to be delivered from one control database. Any thread may call, one at a time for each line."""

    def __init__(
        self, control: Control, clock: Clock, accounts: Accounts, holder: str, chance: random.Random | None = None
    ) -> None:
        self._control, self._clock, self._accounts, self._holder = control, clock, accounts, holder
        self._chance = chance or random.Random()  # noqa: S311  spreads attempts, hides nothing

    def due(self) -> list[str]:
        """Return the lines that have something to be sent now; what a server held that is dead is free."""
        now_ns = self._clock.now_ns()
        with self._control.transaction() as connection:
            held = (DELIVERIES.c.state == "waiting") & DELIVERIES.c.holder.not_in(("", self._holder))
            holders = connection.execute(select(DELIVERIES.c.holder).where(held).distinct()).scalars().all()
            gone = [name for name in holders if is_gone(name)]
            if gone:
                connection.execute(update(DELIVERIES).where(held, DELIVERIES.c.holder.in_(gone)).values(holder=""))
            wanted = select(DELIVERIES.c.line).where(*self._ready(now_ns)).distinct()
            return list(connection.execute(wanted).scalars())

    def send(self, line: str, through: Callable[[], Channel], going: Callable[[], bool] = lambda: True) -> int:
        """Send what a line is to be told now, oldest first, until nothing is or it fails; return how many."""
        done = 0
        while going() and (row := self._hold(line)) is not None and self._attempt(row, through):
            done += 1
        return done

    def waiting(self) -> list[tuple[str, int, int]]:
        """Return lines with how many rows wait and since when the oldest does."""
        columns = (DELIVERIES.c.line, func.count(), func.min(DELIVERIES.c.written_ns))
        wanted = select(*columns).where(DELIVERIES.c.state == "waiting").group_by(DELIVERIES.c.line)
        with self._control.reading() as connection:
            return [(line, count, since_ns) for line, count, since_ns in connection.execute(wanted)]

    # --- for people -----------------------------------------------------------------------------

    def shown(
        self, states: Sequence[State] = ("parked",), limit: int = 1000, *, newest: bool = False
    ) -> list[Delivery]:
        """Return rows in some states: the oldest, oldest first; or the newest, newest first."""
        order = DELIVERIES.c.id.desc() if newest else DELIVERIES.c.id
        wanted = select(DELIVERIES).where(DELIVERIES.c.state.in_(states)).order_by(order).limit(limit)
        with self._control.reading() as connection:
            return [_shown(row) for row in connection.execute(wanted)]

    def retry(self, number: int) -> bool:
        """Send a parked row again, in its old place; false if there is none of that number."""
        now_ns = self._clock.now_ns()
        return self._move(number, {"state": "waiting", "attempts": 0, "next_ns": now_ns, "written_ns": now_ns})

    def drop(self, number: int) -> bool:
        """Give a parked row up; false if there is none of that number."""
        return self._move(number, {"state": "dropped", "done_ns": self._clock.now_ns()})

    # --- one row --------------------------------------------------------------------------------

    def _ready(self, now_ns: int) -> tuple[ColumnElement[bool], ...]:
        """Return what says that a row waits, is the first of its group and line, and may be tried."""
        before = DELIVERIES.alias()
        same = (before.c.line == DELIVERIES.c.line) & (before.c.group == DELIVERIES.c.group)
        earlier = select(before.c.id).where(before.c.state == "waiting", same, before.c.id < DELIVERIES.c.id).exists()
        held = DELIVERIES.c.held_ns.between(now_ns + 1, now_ns + HELD_NS)  # not longer, if the clock stepped back
        free = DELIVERIES.c.holder.in_(("", self._holder)) | ~held
        pause = DELIVERIES.c.next_ns.between(now_ns + 1, now_ns + _LONGEST_NS)
        return (DELIVERIES.c.state == "waiting", ~pause, free, ~earlier)

    def _hold(self, line: str) -> Any:  # a row or None: SQLAlchemy types its columns as anything
        now_ns = self._clock.now_ns()
        with self._control.transaction() as connection:
            wanted = select(DELIVERIES).where(DELIVERIES.c.line == line, *self._ready(now_ns))
            row = connection.execute(wanted.order_by(DELIVERIES.c.id).limit(1)).one_or_none()
            if row is not None:
                values = {"holder": self._holder, "held_ns": now_ns + HELD_NS}
                connection.execute(update(DELIVERIES).where(DELIVERIES.c.id == row.id).values(values))
        return row

    def _attempt(self, row: Any, through: Callable[[], Channel]) -> bool:
        """Send one row and mark what came of it; false if the line does not work now."""
        try:
            through().send(read_notification(row.notification))
        except Refused as error:
            self._mark(row, "parked", str(error))
            return True
        except TailraceError as error:  # it is away, or its settings do not work: a secret is not there, for one
            self._failed(row, error)
            return False
        except Exception as error:  # a bug in one of many clients must not stop the others
            _LOGGER.exception("notify: sending by %s failed", row.line)
            self._failed(row, error)
            return False
        self._mark(row, "sent")
        return True

    def _failed(self, row: Any, error: Exception) -> None:
        now_ns = self._clock.now_ns()
        if now_ns - row.written_ns >= PATIENCE_NS:
            self._mark(row, "parked", f"given up after {row.attempts + 1} attempts: {error}")
            return
        first_s, longest_s = PAUSES_S
        pause_s = min(first_s * 2 ** min(row.attempts, 30), longest_s) * self._chance.uniform(0.5, 1.0)
        if isinstance(error, BusyError):
            pause_s = max(pause_s, min(error.after_s, _LONGEST_NS / NS_PER_S))
        self._update(row, {"next_ns": now_ns + round(pause_s * NS_PER_S), "error": str(error)[:_ERROR_CHARS]})
        self._count("failed", row.line)

    def _mark(self, row: Any, state: State, error: str = "") -> None:
        self._update(row, {"state": state, "done_ns": self._clock.now_ns(), "error": error[:_ERROR_CHARS]})
        self._count(state, row.line)

    def _update(self, row: Any, values: dict[str, object]) -> None:
        mine = (DELIVERIES.c.id == row.id) & (DELIVERIES.c.state == "waiting")
        values |= {"holder": "", "attempts": row.attempts + 1}
        with self._control.transaction() as connection:
            connection.execute(update(DELIVERIES).where(mine).values(values))

    def _move(self, number: int, values: dict[str, object]) -> bool:
        mine = (DELIVERIES.c.id == number) & (DELIVERIES.c.state == "parked")
        with self._control.transaction() as connection:
            return bool(connection.execute(update(DELIVERIES).where(mine).values(values)).rowcount)

    def _count(self, what: str, line: str) -> None:
        text = "Notifications by what became of an attempt: sent, failed, parked."
        self._accounts.count("tailrace_notifications_total", text, receiver=line, outcome=what)


def _shown(row: Any) -> Delivery:
    return Delivery(
        id=row.id,
        line=row.line,
        state=row.state,
        attempts=row.attempts,
        next_ns=row.next_ns,
        written_ns=row.written_ns,
        error=row.error,
        notification=read_notification(row.notification),
    )
