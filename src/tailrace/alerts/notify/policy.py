"""Settings as telling uses them: the tree of routes with its receivers, joined from a file and from what was saved.

A receiver that people save here may bring a route of its own. It is asked before those of the configuration, and an
alert that fits goes on to them: what is saved here takes nothing from anybody.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tailrace.alerts.notify.routes import every, tree
from tailrace.clock import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tailrace.alerts.notify.receivers import Receiver
    from tailrace.alerts.notify.routes import Route
    from tailrace.alerts.notify.settings import InhibitSettings, NotifySettings, RouteSettings
    from tailrace.alerts.notify.time_intervals import TimeInterval

RENEW_NS: Final = 60 * NS_PER_S
"""How often another Alertmanager is told again what fires: it takes silence of some minutes for an end."""


@dataclass(frozen=True, slots=True)
class Policy:
    """Who is told of what. A receiver of one name may have several channels; each has an id of its own."""

    root: Route
    routes: Mapping[str, Route]  # by key
    channels: Mapping[str, Receiver]  # by id
    by_name: Mapping[str, Sequence[str]]  # receiver to the ids of its channels
    inhibitions: Sequence[InhibitSettings]
    intervals: Mapping[str, TimeInterval]
    resolve_timeout_ns: int

    def renews(self, receiver: str) -> bool:
        """Tell whether all of a receiver's channels are told at once and again and again."""
        ids = self.by_name.get(receiver, ())
        return bool(ids) and all(renewed(self.channels[one]) for one in ids)

    def mute_by(self, route: Route, at_ns: int) -> list[str]:
        """Return the names of the time intervals that make a route mute at a time."""
        muted = [name for name in route.mute if self.intervals[name].holds(at_ns)]
        if route.active and not any(self.intervals[name].holds(at_ns) for name in route.active):
            muted += route.active
        return muted


def renewed(receiver: Receiver) -> bool:
    """Tell whether a receiver forgets what fires, and has to be told again."""
    return receiver.alertmanager is not None


def policy(settings: NotifySettings, saved: Sequence[tuple[Receiver, RouteSettings | None]] = ()) -> Policy:
    """Return the policy of a configuration and of receivers that were saved."""
    own = tuple(route for _, route in saved if route is not None)
    root = tree(settings.route.model_copy(update={"routes": (*own, *settings.route.routes)}))
    channels, by_name = dict[str, "Receiver"](), dict[str, list[str]]()
    for receiver in (*settings.receivers, *(receiver for receiver, _ in saved)):
        mine = by_name.setdefault(receiver.name, [])
        mine.append(f"{receiver.name}/{len(mine)}" if mine else receiver.name)
        channels[mine[-1]] = receiver
    return Policy(
        root=root,
        routes={route.key: route for route in every(root)},
        channels=channels,
        by_name=by_name,
        inhibitions=settings.inhibit_rules,
        intervals={one.name: one for one in settings.time_intervals},
        resolve_timeout_ns=round(settings.resolve_timeout_s * NS_PER_S),
    )
