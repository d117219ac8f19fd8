"""Settings as telling uses them: the tree of routes with its receivers, joined from a file and from what was saved.

A receiver that people save here may bring a route of its own. It stands beside those of the configuration: what is
saved here takes nothing from anybody.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tailrace.alerts.notify.routes import beside, every, taking, tree
from tailrace.clock import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tailrace.alerts.notify.receivers import Receiver, Way
    from tailrace.alerts.notify.routes import Route
    from tailrace.alerts.notify.settings import InhibitSettings, NotifySettings, RouteSettings
    from tailrace.alerts.notify.time_intervals import TimeInterval


@dataclass(frozen=True, slots=True)
class Line:
    """One way to one receiver. `id` is the receiver's name and the way: what it was told is remembered under it."""

    id: str
    receiver: Receiver
    way: Way

    @property
    def renew_ns(self) -> int:
        """Return how often it must be told again what fires; 0 if it remembers.

        Another Alertmanager takes silence for an end. It groups and waits by itself, so it is told at once.
        """
        settings = self.receiver.alertmanager
        return round(settings.renew_s * NS_PER_S) if settings is not None and self.way == "alertmanager" else 0


@dataclass(frozen=True, slots=True)
class Policy:
    """Who is told of what."""

    roots: Sequence[Route]  # that of the configuration, and those beside it
    routes: Mapping[str, Route]  # by key
    lines: Mapping[str, Line]  # by id
    rhythms: Mapping[str, Mapping[int, Sequence[Line]]]  # receiver to its lines by how often they must be told again
    inhibitions: Sequence[InhibitSettings]
    intervals: Mapping[str, TimeInterval]
    resolve_timeout_ns: int

    def taking(self, labels: Mapping[str, str]) -> list[Route]:
        """Return the routes that take an alert."""
        return [route for root in self.roots for route in taking(root, labels)]

    def mute_by(self, route: Route, at_ns: int) -> list[str]:
        """Return the names of the time intervals that make a route mute at a time."""
        muted = [name for name in route.mute if self._holds(name, at_ns)]
        if route.active and not any(self._holds(name, at_ns) for name in route.active):
            muted += route.active
        return muted

    def _holds(self, name: str, at_ns: int) -> bool:
        """Tell whether an interval holds; one that a saved route names and the configuration lost does not."""
        return name in self.intervals and self.intervals[name].holds(at_ns)


def policy(settings: NotifySettings, saved: Sequence[tuple[Receiver, RouteSettings | None]] = ()) -> Policy:
    """Return the policy of a configuration and of receivers that were saved."""
    root = tree(settings.route)
    roots = [root, *(beside(route, root, one.name) for one, route in saved if route is not None)]
    lines = dict[str, Line]()
    rhythms: dict[str, dict[int, list[Line]]] = defaultdict(lambda: defaultdict(list))
    for receiver in (*settings.receivers, *(receiver for receiver, _ in saved)):
        for way in receiver.ways:
            line = Line(_free(f"{receiver.name}/{way}", lines), receiver, way)
            lines[line.id] = line
            rhythms[receiver.name][line.renew_ns].append(line)
    return Policy(
        roots=roots,
        routes={route.key: route for one in roots for route in every(one)},
        lines=lines,
        rhythms={name: dict(mine) for name, mine in rhythms.items()},
        inhibitions=settings.inhibit_rules,
        intervals={one.name: one for one in settings.time_intervals},
        resolve_timeout_ns=round(settings.resolve_timeout_s * NS_PER_S),
    )


def _free(name: str, taken: Mapping[str, Line]) -> str:
    """Return a name that is not taken: a receiver of Alertmanager's file may have one way several times."""
    names = (name, *(f"{name}/{number}" for number in range(1, len(taken) + 1)))
    return next(one for one in names if one not in taken)
