"""What the views of this room work with: the rules, who is told, the lines, and the threads that ask for them.

Made once by the server. Everything that reads the database or the table is called in a thread, never in the loop.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sqlalchemy import func, select

from tailrace.alerts.evaluate import health
from tailrace.alerts.kept.tables import STATES
from tailrace.errors import TailraceError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tailrace.alerts.alerting import Alerting
    from tailrace.alerts.model import Group, Rule
    from tailrace.alerts.rules.warnings import Warnings
    from tailrace.clock import Clock
    from tailrace.control import Control
    from tailrace.web.services import Services
    from tailrace.web.work import Work

NAMESPACE: Final = "explorer"
"""Where rules go that are made on the page."""

_COUNTED_S: Final = 2.0
_WAIT_S: Final = 0.2
_LOGGER: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Desk:
    """The parts; any thread may use them."""

    services: Services
    alerting: Alerting
    control: Control
    work: Work
    warnings: Warnings

    def now_ns(self) -> int:
        """Return the time."""
        return self.services.clock.now_ns()

    def groups(self) -> tuple[Group, ...]:
        """Return all groups, with the one about alerting itself behind them if there are any."""
        groups = self.alerting.rules.current()
        return (*groups, health.GROUP) if groups else ()

    def rule(self, name: str) -> tuple[Rule, Group] | None:
        """Return the rule of an id, with its group."""
        for group in self.groups():
            for rule in group.rules:
                if rule.id == name:
                    return rule, group
        return None

    def doubts(self, rule: Rule, group: Group) -> Sequence[str]:
        """Return what is doubtful about one rule."""
        return self.warnings.of((group,)).get(rule.id, ())


class Firing:
    """How many alerts fire, for the head of every page: one count in the database, at most every two seconds.

    Pages are made in the event loop, too, so a database that hangs may hold one up for a moment and no longer: the last
    known count stands in.
    """

    def __init__(self, control: Control, clock: Clock) -> None:
        self._control, self._clock = control, clock
        self._count, self._counted_s = 0, float("-inf")
        self._asking = threading.Lock()

    def __call__(self) -> int:
        """Return the count."""
        now_s = self._clock.monotonic_s()
        if now_s - self._counted_s >= _COUNTED_S and self._asking.acquire(blocking=False):
            self._counted_s = now_s
            asking = threading.Thread(target=self._ask, name="firing", daemon=True)
            asking.start()
            asking.join(_WAIT_S)
        return self._count

    def _ask(self) -> None:
        firing = select(func.count()).select_from(STATES).where(STATES.c.state == "firing")
        try:
            with self._control.reading() as connection:
                self._count = int(connection.execute(firing).scalar_one())
        except TailraceError as error:
            _LOGGER.warning("alerts: the count of what fires is old: %s", error)
        finally:
            self._asking.release()
