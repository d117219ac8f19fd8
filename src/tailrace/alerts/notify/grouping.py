"""When a group is told, and why: a function of what a channel was told last and what is true now. Pure.

| what a channel knows, what is true | told |
|---|---|
| it was never told of the group, and something fires | `first` |
| an alert fires that did not when it was told last | `new_alerts` |
| nothing fires any more, and it was told that something does | `all_resolved` |
| some alert is over since it was told last, and it wants to know | `some_resolved` |
| something fires, without news for the repeat interval | `repeat` |
| nothing fires, but what is over is told again to it, and so much time went by | `repeat` |

What began and ended between two looks is never told. Times lie on the grid of a group's looks, so a repeat interval
is rounded up to a multiple of the group interval.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from tailrace.alerts.notify.model import Reason


@dataclass(frozen=True, slots=True)
class Entry:
    """What a channel was told last of a group: fingerprints of alerts that fired, and that were over."""

    at_ns: int
    firing: AbstractSet[str] = field(default_factory=frozenset)
    resolved: AbstractSet[str] = field(default_factory=frozenset)


def reason(
    entry: Entry | None,
    firing: AbstractSet[str],
    resolved: AbstractSet[str],
    *,
    at_ns: int,
    repeat_ns: int,
    send_resolved: bool,
    renews: bool = False,
) -> Reason | None:
    """Return why a channel is told at a time, or None if it is not; one that `renews` forgets what it was told."""
    if entry is None:
        return "first" if firing else None
    if not firing <= entry.firing:
        return "new_alerts"
    if not firing and entry.firing:
        return "all_resolved"
    if not firing and not renews:
        return None
    if send_resolved and not resolved <= entry.resolved:
        return "some_resolved"
    return "repeat" if at_ns - entry.at_ns >= repeat_ns else None


def look_ns(due_ns: int, interval_ns: int, now_ns: int) -> int:
    """Return the latest time of a group's grid up to now: looks that were missed are one.

    One that is looked at before its time, since the clock stepped back, has its grid from now on.

    >>> look_ns(100, 50, 100), look_ns(100, 50, 149), look_ns(100, 50, 260), look_ns(100, 50, 30)
    (100, 100, 250, 30)
    """
    return now_ns if now_ns < due_ns else due_ns + (now_ns - due_ns) // interval_ns * interval_ns
