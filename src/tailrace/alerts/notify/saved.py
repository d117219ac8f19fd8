"""Receivers that people save while the server runs, kept in the control database beside those of its settings.

Comes in: a receiver's settings as JSON, with a `route` if it is to be told of something. Goes out: the receivers,
which are also shown, without their secrets. Refuses names that the configuration has, and routes with time intervals
or receivers that nobody knows.
"""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError
from sqlalchemy import delete, func, select, update

from tailrace.access.sealed import sealed
from tailrace.alerts.notify import confined
from tailrace.alerts.notify.receivers import Receiver  # noqa: TC001  pydantic reads it at run time
from tailrace.alerts.notify.settings import RouteSettings, unknown_names
from tailrace.alerts.notify.tables import RECEIVERS
from tailrace.config.document import Document
from tailrace.config.problems import explain
from tailrace.config.trail import trail_text
from tailrace.control import insert
from tailrace.errors import ConfigError, DataError
from tailrace.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tailrace.access.outbound import Outbound
    from tailrace.access.sealed import Seal
    from tailrace.alerts.notify.settings import NotifySettings
    from tailrace.clock import Clock
    from tailrace.control import Control

    Json = Mapping[str, Any]  # a JSON object: nested, of several kinds
    Saved = tuple[Receiver, RouteSettings | None]


_LOGGER: Final = logging.getLogger(__name__)


class SavedReceiver(Settings):
    """The body of a request that saves a receiver."""

    receiver: Receiver
    """Who is told, and how."""
    route: RouteSettings | None = None
    """Of what it is told; of nothing without one, unless the configuration's routes name it."""


class SavedReceivers:
    """The receivers that were saved in one control database. Any thread may call."""

    def __init__(
        self,
        control: Control,
        settings: NotifySettings,
        clock: Clock,
        outbound: Outbound | None = None,
        seal: Seal | None = None,
    ) -> None:
        """`outbound` bounds where those that are saved may be sent; `seal` keeps what is written of them."""
        self._control, self._settings, self._clock = control, settings, clock
        self._outbound, self._seal = outbound, seal

    def mark(self) -> tuple[int, int]:
        """Return what changes whenever a receiver is saved or deleted."""
        with self._control.reading() as connection:
            columns = func.count(), func.coalesce(func.max(RECEIVERS.c.saved_ns), 0)
            count, newest = connection.execute(select(*columns)).one()
        return count, newest

    def all(self) -> list[Saved]:
        """Return the receivers with their routes, by name."""
        with self._control.reading() as connection:
            columns = RECEIVERS.c.name, RECEIVERS.c.definition
            rows = list(connection.execute(select(*columns).order_by(RECEIVERS.c.name)))
        return [found for name, text in rows if (found := self._read(name, text)) is not None]

    def definition(self, name: str) -> Json | None:
        """Return what was saved under a name, secrets and all: to save it again with a change, never to be shown."""
        with self._control.reading() as connection:
            columns = select(RECEIVERS.c.definition).where(RECEIVERS.c.name == name)
            text = connection.execute(columns).scalar()
        if text is None:
            return None
        found: Json = json.loads(self._seal.open(text, name) if self._seal is not None and sealed(text) else text)
        return found

    def seal_all(self) -> None:
        """Seal what was kept before there was a seal."""
        if self._seal is None:
            return
        with self._control.transaction() as connection:
            for name, text in list(connection.execute(select(RECEIVERS.c.name, RECEIVERS.c.definition))):
                if not sealed(text):
                    row = RECEIVERS.c.name == name
                    connection.execute(update(RECEIVERS).where(row).values(definition=self._seal.seal(text, name)))

    def _read(self, name: str, text: str) -> Saved | None:
        """Return a receiver with its route; None if it cannot be opened or read, which is logged."""
        try:
            return _read(self._seal.open(text, name) if self._seal is not None and sealed(text) else text)
        except DataError as error:
            _LOGGER.error("notify: the saved receiver %r is left out: %s; save it again", name, error)  # noqa: TRY400  the place says nothing
            return None

    def save(self, definition: Json) -> str:
        """Keep a receiver, in place of one of the same name; return its name. `DataError` with all that is wrong."""
        try:
            found = SavedReceiver.model_validate(definition)
        except ValidationError as error:
            problems = explain(error.errors(), definition, Document(), SavedReceiver)
            raise DataError(str(ConfigError([problem for _, problem in problems]))) from None
        name = found.receiver.name
        if name in {one.name for one in self._settings.receivers}:
            raise DataError(f"$.receiver.name: {name!r} is a receiver of the configuration; change it there")
        self._check(found)
        if self._outbound is not None:
            confined.check(found.receiver, self._outbound)
        text = json.dumps(dict(definition))
        newest = select(func.coalesce(func.max(RECEIVERS.c.saved_ns), 0))
        with self._control.transaction() as connection:
            saved_ns = max(self._clock.now_ns(), connection.execute(newest).scalar_one() + 1)  # `mark` has to change
            row = {"definition": text if self._seal is None else self._seal.seal(text, name), "saved_ns": saved_ns}
            statement = insert(RECEIVERS).values(name=name, **row)
            connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_=row))
        return name

    def delete(self, name: str) -> bool:
        """Forget a receiver; what waits for it is parked. False if none was saved under that name."""
        with self._control.transaction() as connection:
            return bool(connection.execute(delete(RECEIVERS).where(RECEIVERS.c.name == name)).rowcount)

    def shown(self) -> Sequence[Json]:
        """Return every receiver without its secrets, and where it comes from."""
        filed = [self._shown(one, None, "configuration") for one in self._settings.receivers]
        return [*filed, *(self._shown(receiver, route, "saved") for receiver, route in self.all())]

    def _check(self, found: SavedReceiver) -> None:
        known = [found.receiver.name, *(one.name for one in self._settings.receivers)]
        intervals = [one.name for one in self._settings.time_intervals]
        wrong = list(unknown_names(found.route, known, intervals)) if found.route is not None else []
        if wrong:
            raise DataError("; ".join(f"{trail_text(one.below)}: {one} ({one.hint})" for one in wrong))

    def _shown(self, receiver: Receiver, route: RouteSettings | None, origin: str) -> Json:
        shown = receiver.model_dump(mode="json", exclude_defaults=True)
        body: dict[str, object] = {"receiver": shown, "origin": origin}
        return body if route is None else {**body, "route": route.model_dump(mode="json", exclude_defaults=True)}


def _read(text: str) -> Saved | None:
    """Return a receiver with its route, which is its own; None if it cannot be read any more."""
    try:
        found = SavedReceiver.model_validate(json.loads(text))
    except ValidationError as error:
        _LOGGER.error("notify: a receiver that was saved is left out: %s", " ".join(str(error).split()))  # noqa: TRY400  the place says nothing
        return None
    if found.route is None:
        return found.receiver, None
    return found.receiver, found.route.model_copy(update={"receiver": found.route.receiver or found.receiver.name})
