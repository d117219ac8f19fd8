"""Dashboards that people saved, in the control database; servers that share it share them.

Each change reads and writes one row in one transaction, so two people's changes to different panels both stay.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import delete, insert, select, update

from tailrace import limits
from tailrace.errors import QueryError
from tailrace.web.explorer.dashboard.model import Dashboard, Panel, checked, name_of
from tailrace.web.explorer.dashboard.tables import DASHBOARDS
from tailrace.web.refusals import Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Change = Callable[[list[Panel]], list[Panel]]

    from sqlalchemy import Connection, Row

    from tailrace.clock import Clock
    from tailrace.control import Control

_PANEL_BYTES: Final = 4


class Dashboards:
    """The dashboards of one control database. Any thread may use it."""

    def __init__(self, control: Control, clock: Clock) -> None:
        self._control, self._clock = control, clock

    def all(self) -> list[Dashboard]:
        """Return all of them by name."""
        with self._control.reading() as connection:
            rows = connection.execute(select(DASHBOARDS).order_by(DASHBOARDS.c.name)).all()
        return [_dashboard(row) for row in rows]

    def get(self, number: int) -> Dashboard:
        """Return one; `Refused` if there is none."""
        with self._control.reading() as connection:
            return _found(connection, number)

    def create(self, name: str, panels: Sequence[Panel] = ()) -> Dashboard:
        """Keep a new one; another name is found for it when its own is taken."""
        kept = tuple(replace(checked(panel), id=_new_id()) for panel in panels)
        name = name_of(name)
        with self._control.transaction() as connection:
            taken = set(connection.execute(select(DASHBOARDS.c.name)).scalars())
            if len(taken) >= limits.DASHBOARDS:
                raise QueryError(f"there are {limits.DASHBOARDS} dashboards already", hint="delete some")
            name = next(free for free in _names(name) if free not in taken)
            now_ns = self._clock.now_ns()
            made = insert(DASHBOARDS).values(name=name, panels=_written(kept), changed_ns=now_ns)
            number = connection.execute(made.returning(DASHBOARDS.c.id)).scalar_one()
        return Dashboard(str(number), name, kept, now_ns)

    def rename(self, number: int, name: str) -> None:
        """Give one another name; `Refused` if that is taken."""
        name = name_of(name)
        with self._control.transaction() as connection:
            _found(connection, number)
            other = select(DASHBOARDS.c.id).where(DASHBOARDS.c.name == name, DASHBOARDS.c.id != number)
            if connection.execute(other).first():
                raise Refused(409, f"there is a dashboard {name!r} already")
            connection.execute(update(DASHBOARDS).where(DASHBOARDS.c.id == number).values(name=name))

    def delete(self, number: int) -> None:
        """Forget one; `Refused` if there is none."""
        with self._control.transaction() as connection:
            if not connection.execute(delete(DASHBOARDS).where(DASHBOARDS.c.id == number)).rowcount:
                raise Refused(404, "there is no such dashboard")

    def add(self, number: int, panel: Panel) -> Panel:
        """Put a panel behind the others."""
        made = replace(checked(panel), id=_new_id())

        def with_it(panels: list[Panel]) -> list[Panel]:
            if len(panels) >= limits.PANELS:
                raise QueryError(f"there are {limits.PANELS} panels already", hint="begin another dashboard")
            return [*panels, made]

        self._change(number, with_it)
        return made

    def replace(self, number: int, panel: Panel) -> None:
        """Put a panel in the place of the one with its id."""
        made = checked(panel)
        self._change(number, lambda panels: [made if one.id == panel.id else one for one in panels], panel.id)

    def move(self, number: int, panel: str, by: int) -> None:
        """Exchange a panel with the one before it (-1) or behind it (+1); at an end nothing changes."""

        def moved(panels: list[Panel]) -> list[Panel]:
            at = next(place for place, one in enumerate(panels) if one.id == panel)
            to = min(max(at + by, 0), len(panels) - 1)
            panels[at], panels[to] = panels[to], panels[at]
            return panels

        self._change(number, moved, panel)

    def remove(self, number: int, panel: str) -> None:
        """Take a panel away."""
        self._change(number, lambda panels: [one for one in panels if one.id != panel], panel)

    def _change(self, number: int, change: Change, panel: str | None = None) -> None:
        with self._control.transaction() as connection:
            found = _found(connection, number)
            if panel is not None and found.panel(panel) is None:
                raise Refused(404, "there is no such panel any more")
            values = {"panels": _written(change(list(found.panels))), "changed_ns": self._clock.now_ns()}
            connection.execute(update(DASHBOARDS).where(DASHBOARDS.c.id == number).values(**values))


def _found(connection: Connection, number: int) -> Dashboard:
    row = connection.execute(select(DASHBOARDS).where(DASHBOARDS.c.id == number)).one_or_none()
    if row is None:
        raise Refused(404, "there is no such dashboard")
    return _dashboard(row)


def _dashboard(row: Row[Any]) -> Dashboard:  # Any: as the database gives it
    return Dashboard(str(row.id), row.name, tuple(Panel(**one) for one in json.loads(row.panels)), row.changed_ns)


def _written(panels: Sequence[Panel]) -> str:
    return json.dumps([asdict(panel) for panel in panels], ensure_ascii=False)


def _names(name: str) -> list[str]:
    """Return a name, and what it is called when others of that name are there."""
    return [name, *(f"{name[: limits.TITLE_CHARS - 6]} {number}" for number in range(2, limits.DASHBOARDS + 2))]


def _new_id() -> str:
    return secrets.token_hex(_PANEL_BYTES)
