"""What is to be told after late lines changed the past of a rule. Pure.

Comes in: when its alerts fired as it was told, and as it is known now. Goes out: what to tell in addition. Times of
firing that overlap are one incident: that it began or ended at another window is no news. One that was missed is told
with the time at which it was true, and its end if it is over; one that never was is taken back; one that was told to
be over and is not fires again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tailrace.alerts.model import Told

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Incident:
    """An alert fired from a window on, up to another one if that is known."""

    key: str
    from_ns: int
    to_ns: int | None = None

    def meets(self, other: Incident) -> bool:
        """Tell whether both are of one alert and fired at the same time."""
        if self.key != other.key:
            return False
        return (other.to_ns is None or self.from_ns <= other.to_ns) and (
            self.to_ns is None or other.from_ns <= self.to_ns
        )


def incidents(told: Iterable[Told], firing: Mapping[str, int]) -> list[Incident]:
    """Return the incidents that were told, in this order, when some alerts fired already, each since a time."""
    found = {key: [Incident(key, from_ns)] for key, from_ns in firing.items()}
    for event in told:
        mine = found.setdefault(event.key, [])
        if event.kind == "firing":
            mine.append(Incident(event.key, event.at_ns))
        elif event.kind == "correction":
            mine[:] = [one for one in mine if one.from_ns != event.at_ns]
        else:
            began = [one for one in mine if one.to_ns is None and one.from_ns <= event.at_ns]
            for one in began[-1:]:
                mine[mine.index(one)] = replace(one, to_ns=event.at_ns)
    return sorted((one for mine in found.values() for one in mine), key=lambda one: one.from_ns)


def correct(told: Sequence[Incident], known: Sequence[Incident]) -> list[Told]:
    """Return what to tell of incidents as they are known, after others were told; in order of time."""
    tell: list[Told] = []
    for one in known:
        ends = [other.to_ns for other in told if other.meets(one)]
        over = [to_ns for to_ns in ends if to_ns is not None]
        if not ends:
            tell.append(Told(one.key, "firing", one.from_ns))
            tell += [] if one.to_ns is None else [Told(one.key, "resolved", one.to_ns)]
        elif one.to_ns is None and len(over) == len(ends):
            tell.append(Told(one.key, "firing", max(over)))  # it was told to be over, and is not
    for one in told:
        ends = [other.to_ns for other in known if other.meets(one)]
        over = [to_ns for to_ns in ends if to_ns is not None]
        if not ends:
            tell.append(Told(one.key, "correction", one.from_ns))
        elif one.to_ns is None and len(over) == len(ends):
            tell.append(Told(one.key, "resolved", max(over)))
    return sorted(tell, key=lambda each: each.at_ns)


def from_the_start_of(told: Sequence[Incident], first_ns: int) -> int:
    """Return the window from which incidents that reach behind `first_ns` are evaluated as a whole."""
    while True:
        earlier = [
            one.from_ns for one in told if one.from_ns < first_ns and (one.to_ns is None or one.to_ns >= first_ns)
        ]
        if not earlier:
            return first_ns
        first_ns = min(earlier)
