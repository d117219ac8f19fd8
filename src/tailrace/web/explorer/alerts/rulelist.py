"""All rules with how they stand: searched, filtered and cut to a page, so that ten thousand stay usable.

Pure but for one read of the database. Only the rules of the page become rows.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tailrace.alerts.evaluate import health

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tailrace.alerts.kept.store import Progress, Standings
    from tailrace.alerts.model import Alert, Group, Rule
    from tailrace.web.explorer.alerts.desk import Desk

PAGE: Final = 100
STATES: Final = ("firing", "pending", "inactive", "recording")
HEALTHS: Final = ("error", "late", "unknown", "ok")


@dataclass(frozen=True, slots=True)
class Row:
    """One rule as it stands."""

    rule: Rule
    group: Group
    state: str  # of `STATES`
    health: str  # of `HEALTHS`
    progress: Progress | None
    alerts: tuple[Alert, ...]
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """The rules that fit, one page of them as rows, and how many there are in each state."""

    rows: list[Row]
    fits: int
    page: int
    pages: int
    states: dict[str, int]
    healths: dict[str, int]
    all: int


def page(desk: Desk, text: str, state: str, how_well: str, number: int) -> Page:
    """Return a page of the rules, worst first; filters that are empty let all pass."""
    standings = desk.alerting.store.standings()
    words = text.lower().split()
    rows = [row(rule, group, standings) for group, rule in _fitting(desk, words)]
    states, healths = Counter(one.state for one in rows), Counter(one.health for one in rows)
    kept = [one for one in rows if (not state or one.state == state) and (not how_well or one.health == how_well)]
    kept.sort(key=lambda one: (STATES.index(one.state), HEALTHS.index(one.health)))
    pages = max(1, -(-len(kept) // PAGE))
    number = min(max(1, number), pages)
    shown = kept[(number - 1) * PAGE : number * PAGE]
    every = sum(len(group.rules) for group in desk.groups())
    return Page(shown, len(kept), number, pages, dict(states), dict(healths), every)


def _fitting(desk: Desk, words: list[str]) -> Iterator[tuple[Group, Rule]]:
    for group in desk.groups():
        head = f"{group.namespace} {group.name}".lower()
        for rule in group.rules:
            said = f"{head} {rule.name.lower()} {rule.expr.lower()}" if words else ""
            if all(word in said for word in words):
                yield group, rule


def row(rule: Rule, group: Group, standings: Standings) -> Row:
    """Return how one rule stands."""
    how = standings.progress.get(rule.id)
    alerts = tuple(standings.alerts.get(rule.id, {}).values())
    found = {alert.state for alert in alerts}
    state = "recording" if rule.record else next((one for one in ("firing", "pending") if one in found), "inactive")
    outcome = how.outcome if how else ""
    known = bool(outcome) or group is health.GROUP  # which has no windows of its own
    how_well = outcome if outcome in {"late", "error"} else "ok" if known else "unknown"
    return Row(rule, group, state, how_well, how, alerts, tuple(standings.missing.get(rule.id, ())))
