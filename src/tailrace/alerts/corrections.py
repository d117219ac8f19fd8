"""What is to be told after late lines changed the past of a rule. Pure.

Comes in: when its alerts fired as it was told, and as it is known now. Goes out: what to tell in addition. Times of
firing that overlap are one incident: that it began or ended at another window is no news. One that was missed is told
with the time at which it was true, and its end if it is over; one that never was is taken back; one that was told to
be over and is not fires again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


@dataclass(frozen=True, slots=True)
class Told:
    """That an alert began to fire at a window, was over at it, or that its firing then was a mistake."""

    key: str
    kind: Literal["firing", "resolved", "correction"]
    at_ns: int


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


def incidents(events: Iterable[Told], firing: Iterable[str], since_ns: int) -> list[Incident]:
    """Return the incidents that events tell of, when some alerts fired already before `since_ns`."""
    began = dict.fromkeys(firing, since_ns)
    found: list[Incident] = []
    for event in sorted(events, key=lambda event: event.at_ns):
        if event.kind == "firing":
            began.setdefault(event.key, event.at_ns)
        elif event.key in began:
            from_ns = began.pop(event.key)
            if event.kind == "resolved":
                found.append(Incident(event.key, from_ns, event.at_ns))
    return found + [Incident(key, from_ns) for key, from_ns in began.items()]


def correct(told: Sequence[Incident], known: Sequence[Incident]) -> list[Told]:
    """Return what to tell of incidents as they are known, after others were told; in order of time."""
    tell: list[Told] = []
    for incident in known:
        same = [one for one in told if one.meets(incident)]
        if not same:
            tell.append(Told(incident.key, "firing", incident.from_ns))
        last = max((one.to_ns for one in same if one.to_ns is not None), default=None)
        open_still = any(one.to_ns is None for one in same)
        if incident.to_ns is not None and (not same or open_still):
            tell.append(Told(incident.key, "resolved", incident.to_ns))
        elif incident.to_ns is None and last is not None and not open_still:
            tell.append(Told(incident.key, "firing", last))  # it was told to be over, and is not
    false = [one for one in told if not any(one.meets(incident) for incident in known)]
    tell += [Told(one.key, "correction", one.from_ns) for one in false]
    return sorted(tell, key=lambda each: each.at_ns)
