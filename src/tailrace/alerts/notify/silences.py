"""Silences: alerts that people want to hear nothing of, for a time.

Comes in: matchers, times, who and why. Goes out: the silences, and which of them are for a label set. A silence is
pending, active or expired by the clock alone. It is for an alert that passes all of its matchers. One that began can
be changed only in its end and its words; to change more ends it and makes another.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Literal

from sqlalchemy import delete, select

from tailrace.alerts.notify.matchers import Matcher, all_match
from tailrace.alerts.notify.tables import SILENCES
from tailrace.clock import NS_PER_S
from tailrace.control import insert
from tailrace.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection

    from tailrace.clock import Clock
    from tailrace.control import Control

State = Literal["pending", "active", "expired"]

KEPT_NS: Final = 120 * 3600 * NS_PER_S
"""How long a silence is shown after its end."""

_ORDER: Final = {"active": 0, "pending": 1, "expired": 2}


@dataclass(frozen=True, slots=True)
class Silence:
    """One silence."""

    matchers: tuple[Matcher, ...]
    starts_ns: int
    ends_ns: int
    created_by: str
    comment: str
    id: str = ""  # empty: a new one
    updated_ns: int = 0

    def state(self, now_ns: int) -> State:
        """Return whether it is to come, holds, or is over."""
        if now_ns >= self.ends_ns:
            return "expired"
        return "pending" if now_ns < self.starts_ns else "active"

    def silences(self, labels: Mapping[str, str]) -> bool:
        """Tell whether it is for an alert with these labels."""
        return all_match(self.matchers, labels)


class NoSilenceError(DataError):
    """There is no silence of that id."""


class Silences:
    """The silences of one control database. Any thread may call."""

    def __init__(self, control: Control, clock: Clock) -> None:
        self._control, self._clock = control, clock

    def all(self, tests: Sequence[Matcher] = ()) -> list[Silence]:
        """Return the silences: those that hold and end first, those that begin first, those that ended last.

        `tests` picks those that have a matcher of the same label, and whose value passes the test.
        """
        now_ns = self._clock.now_ns()
        with self._control.reading() as connection:
            found = [_silence(row) for row in connection.execute(select(SILENCES))]
        found = [one for one in found if all(_picked(one, test) for test in tests)]
        return sorted(found, key=lambda one: _place(one, now_ns))

    def get(self, name: str) -> Silence:
        """Return one silence; `NoSilenceError` if there is none of that id."""
        with self._control.reading() as connection:
            return _get(connection, name)

    def save(self, silence: Silence) -> str:
        """Make a silence, or change the one that has its id, and return its id, which may be a new one."""
        now_ns = self._clock.now_ns()
        _check(silence, now_ns)
        with self._control.transaction() as connection:
            before = _get(connection, silence.id) if silence.id else None
            if before is not None and _fits(before, silence, now_ns):
                name = before.id
            else:
                if before is not None:
                    _expire(connection, before, now_ns)
                name = str(uuid.uuid4())
                silence = replace(silence, starts_ns=max(silence.starts_ns, now_ns))
            _put(connection, replace(silence, id=name, updated_ns=now_ns))
        return name

    def expire(self, name: str) -> None:
        """End a silence now; one that is over stays as it is."""
        with self._control.transaction() as connection:
            _expire(connection, _get(connection, name), self._clock.now_ns())


def active(connection: Connection, now_ns: int) -> list[Silence]:
    """Return the silences that hold now."""
    held = (SILENCES.c.starts_ns <= now_ns) & (SILENCES.c.ends_ns > now_ns)
    return [_silence(row) for row in connection.execute(select(SILENCES).where(held).order_by(SILENCES.c.id))]


def forget(connection: Connection, now_ns: int) -> None:
    """Drop silences that ended long ago."""
    connection.execute(delete(SILENCES).where(SILENCES.c.ends_ns < now_ns - KEPT_NS))


def _check(silence: Silence, now_ns: int) -> None:
    if not silence.matchers:
        raise DataError("a silence needs a matcher: it would be for every alert")
    if all(one.matches({}) for one in silence.matchers):
        raise DataError("at least one matcher must not match an empty value: this silence is for every alert")
    if silence.starts_ns >= silence.ends_ns:
        raise DataError("the start time must be before the end time")
    if silence.ends_ns < now_ns:
        raise DataError("the end time is in the past")


def _fits(before: Silence, after: Silence, now_ns: int) -> bool:
    """Tell whether a silence can be changed to another without a new id."""
    if sorted(before.matchers) != sorted(after.matchers):
        return False
    state = before.state(now_ns)
    if state == "active":
        return before.starts_ns // NS_PER_S == after.starts_ns // NS_PER_S
    return state == "pending" and after.starts_ns >= now_ns


def _expire(connection: Connection, silence: Silence, now_ns: int) -> None:
    state = silence.state(now_ns)
    if state != "expired":
        starts_ns = now_ns if state == "pending" else silence.starts_ns
        _put(connection, replace(silence, starts_ns=starts_ns, ends_ns=now_ns, updated_ns=now_ns))


def _put(connection: Connection, silence: Silence) -> None:
    values = {
        "matchers": json.dumps([[one.name, one.op, one.value] for one in silence.matchers]),
        "starts_ns": silence.starts_ns,
        "ends_ns": silence.ends_ns,
        "updated_ns": silence.updated_ns,
        "created_by": silence.created_by,
        "comment": silence.comment,
    }
    statement = insert(SILENCES).values(id=silence.id, **values)
    connection.execute(statement.on_conflict_do_update(index_elements=["id"], set_=values))


def _get(connection: Connection, name: str) -> Silence:
    row = connection.execute(select(SILENCES).where(SILENCES.c.id == name)).one_or_none()
    if row is None:
        raise NoSilenceError(f"there is no silence {name[:60]!r}")
    return _silence(row)


def _silence(row: Any) -> Silence:  # a row: SQLAlchemy types its columns as anything
    tests = tuple(Matcher(name, op, value) for name, op, value in json.loads(row.matchers))
    return Silence(tests, row.starts_ns, row.ends_ns, row.created_by, row.comment, row.id, row.updated_ns)


def _picked(silence: Silence, test: Matcher) -> bool:
    return any(one.name == test.name and test.matches({test.name: one.value}) for one in silence.matchers)


def _place(silence: Silence, now_ns: int) -> tuple[int, int, str]:
    state = silence.state(now_ns)
    when = {"active": silence.ends_ns, "pending": silence.starts_ns, "expired": -silence.ends_ns}[state]
    return _ORDER[state], when, silence.id
