"""What is true of alerts now, for people and programs that ask: who is told of each, and what keeps it silent.

Comes in: what was asked for. Goes out: alerts that fire, each with its receivers and what silences and inhibits it,
alone or in the groups in which they are told. One look is one transaction, so it is one moment. Costs one pass over
all alerts that fire.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tailrace.alerts.notify import known
from tailrace.alerts.notify.dispatch import Mutes
from tailrace.alerts.notify.matchers import all_match

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tailrace.alerts.notify.alerts import KnownAlert
    from tailrace.alerts.notify.matchers import Matcher
    from tailrace.alerts.notify.policy import Policy
    from tailrace.alerts.notify.routes import Route
    from tailrace.control import Control


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which alerts are asked for."""

    tests: Sequence[Matcher] = ()
    active: bool = True
    silenced: bool = True
    inhibited: bool = True
    receiver: Callable[[str], bool] | None = None  # None: any, or none


@dataclass(frozen=True, slots=True)
class Standing:
    """An alert as it stands."""

    alert: KnownAlert
    receivers: Sequence[str]
    silenced_by: Sequence[str]  # ids of silences
    inhibited_by: Sequence[str]  # fingerprints of alerts
    muted_by: Sequence[str] = ()  # time intervals; only within a group

    @property
    def state(self) -> str:
        """Return `active`, or `suppressed` if anything keeps it silent."""
        return "suppressed" if self.silenced_by or self.inhibited_by or self.muted_by else "active"


@dataclass(frozen=True, slots=True)
class Group:
    """Alerts that one receiver is told of together."""

    labels: Mapping[str, str]
    route: Route
    alerts: Sequence[Standing]


def standings(control: Control, policy: Policy, wanted: Wanted, now_ns: int) -> list[Standing]:
    """Return the alerts that fire and are asked for, by their labels."""
    return [one for one, _ in _all(control, policy, wanted, now_ns)]


def groups(control: Control, policy: Policy, wanted: Wanted, now_ns: int) -> list[Group]:
    """Return the groups of the alerts that fire and are asked for."""
    found: dict[tuple[str, str], list[Standing]] = defaultdict(list)
    about: dict[tuple[str, str], tuple[Route, dict[str, str]]] = {}
    for one, routes in _all(control, policy, wanted, now_ns):
        for route in routes:
            if wanted.receiver is not None and not wanted.receiver(route.receiver):
                continue
            labels = route.group_labels(one.alert.labels)
            key = route.key, known.group_id(route, labels, 0)
            muted = policy.mute_by(route, now_ns)
            found[key].append(
                Standing(one.alert, one.receivers, one.silenced_by, one.inhibited_by, muted) if muted else one
            )
            about[key] = route, labels
    listed = [Group(about[key][1], about[key][0], alerts) for key, alerts in found.items()]
    return sorted(listed, key=lambda one: (sorted(one.labels.items()), one.route.receiver, one.route.key))


def _all(control: Control, policy: Policy, wanted: Wanted, now_ns: int) -> list[tuple[Standing, Sequence[Route]]]:
    found = list[tuple[Standing, "Sequence[Route]"]]()
    with control.reading() as connection:
        mutes = Mutes(connection, policy, now_ns)
        alerts = known.read(connection)
    for alert in alerts:
        if alert.over(now_ns) or not all_match(wanted.tests, alert.labels):
            continue
        routes = policy.taking(alert.labels)
        receivers = list(dict.fromkeys(route.receiver for route in routes if route.receiver))
        one = Standing(alert, receivers, mutes.silenced_by(alert.labels), mutes.inhibited_by(alert.labels))
        if _asked(one, wanted):
            found.append((one, routes))
    return found


def _asked(one: Standing, wanted: Wanted) -> bool:
    if wanted.receiver is not None and not any(wanted.receiver(name) for name in one.receivers):
        return False
    return (
        (wanted.active or one.state != "active")
        and (wanted.silenced or not one.silenced_by)
        and (wanted.inhibited or not one.inhibited_by)
    )
