"""What one rule did: its windows, what was told, how often it flapped, what was taken back. Reads the database."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from tailrace.alerts.backtest.replay import FLAP_NS
from tailrace.alerts.kept.evaluation_log import Wanted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tailrace.alerts.model import Told
    from tailrace.web.explorer.alerts.desk import Desk

TOLD_NS: Final = 7 * 86_400 * 10**9
"""How far back notices are looked for."""


@dataclass(frozen=True, slots=True)
class Past:
    """A rule's past."""

    windows: Sequence[Mapping[str, Any]]  # Any: JSON of an evaluation
    told: Sequence[Told]  # newest first
    flaps: int
    corrections: int


def past(desk: Desk, rule: str, outcome: str, limit: int = 50) -> Past:
    """Return a rule's newest windows, and what was told of it within a week."""
    wanted = Wanted(rules=(rule,), outcomes=(outcome,) if outcome else (), limit=limit)
    told = desk.alerting.store.told(rule, desk.now_ns() - TOLD_NS)
    corrected = sum(one.kind == "correction" for one in told)
    return Past(desk.alerting.evaluations(wanted), told[::-1], flaps(told), corrected)


def flaps(told: Sequence[Told]) -> int:
    """Return how often an alert fired again shortly after it was over; `told` is in order of time."""
    over: dict[str, int] = {}
    found = 0
    for one in told:
        if one.kind == "firing":
            found += one.key in over and one.at_ns - over[one.key] <= FLAP_NS
        else:
            over[one.key] = one.at_ns
    return found
