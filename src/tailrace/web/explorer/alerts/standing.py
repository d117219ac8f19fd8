"""Alerts as they stand now: pending, firing, recovered; ours and those that others sent here; and what silences them.

One look is two reads of the database. Costs one pass over all alerts that there are.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tailrace.alerts.notify import overview
from tailrace.alerts.notify.matchers import Matcher, all_match, matchers

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tailrace.alerts.notify.overview import Standing
    from tailrace.web.explorer.alerts.desk import Desk

STATES: Final = ("firing", "pending", "recovered", "silenced")
"""What alerts may be asked for by; `silenced` is any of them that nobody is told of."""

_ORDER: Final = {"firing": 0, "pending": 1, "recovered": 2}


@dataclass(frozen=True, slots=True)
class Shown:
    """One alert."""

    state: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    value: float | None
    since_ns: int  # when its condition began to be true
    ended_ns: int  # 0 while it lasts
    rule: str = ""  # id; empty: somebody else sent it
    expr: str = ""
    url: str = ""  # where its sender wants people to look
    silenced_by: Sequence[str] = ()
    inhibited_by: Sequence[str] = ()
    receivers: Sequence[str] = ()

    @property
    def name(self) -> str:
        """Return the name of the alert."""
        return self.labels.get("alertname", "")

    @property
    def quiet(self) -> bool:
        """Tell whether nobody is told of it for now."""
        return bool(self.silenced_by or self.inhibited_by)

    def others(self) -> list[tuple[str, str]]:
        """Return its labels without the name."""
        return [(name, value) for name, value in sorted(self.labels.items()) if name != "alertname"]


def alerts(desk: Desk, now_ns: int) -> list[Shown]:
    """Return all alerts: worst first, then by name and labels."""
    exprs = {rule.id: rule.expr for group in desk.groups() for rule in group.rules}
    told = overview.standings(desk.control, desk.alerting.notifier.policy(), overview.Wanted(), now_ns)
    ours = {(one.alert.rule, one.alert.key): one for one in told if one.alert.rule}
    found = [_foreign(one) for one in told if not one.alert.rule]
    for rule, alerts_ in desk.alerting.store.alerts().items():
        for key, alert in alerts_.items():
            standing = ours.get((rule, key))
            found.append(
                Shown(
                    alert.state,
                    alert.labels,
                    alert.annotations,
                    alert.value,
                    alert.active_ns,
                    alert.resolved_ns,
                    rule,
                    exprs.get(rule, ""),
                    "",
                    standing.silenced_by if standing else (),
                    standing.inhibited_by if standing else (),
                    standing.receivers if standing else (),
                )
            )
    return sorted(found, key=lambda one: (_ORDER.get(one.state, 3), one.name, sorted(one.labels.items())))


def _foreign(one: Standing) -> Shown:
    alert = one.alert
    return Shown(
        "firing",
        alert.labels,
        alert.annotations,
        None,
        alert.starts_ns,
        0,
        url=alert.generator_url if alert.generator_url.startswith(("http://", "https://")) else "",
        silenced_by=one.silenced_by,
        inhibited_by=one.inhibited_by,
        receivers=one.receivers,
    )


def counts(found: Iterable[Shown]) -> dict[str, int]:
    """Return how many alerts are in each of `STATES`."""
    held = list(found)
    return {
        **dict.fromkeys(STATES, 0),
        **Counter(one.state for one in held),
        "silenced": sum(one.quiet for one in held),
    }


def chosen(found: Iterable[Shown], state: str, text: str) -> list[Shown]:
    """Return the alerts in a state whose labels pass a text: tests as `severity="page"`, or words that they have.

    Raises `DataError` for tests that cannot be read.
    """
    kept = [one for one in found if not state or one.state == state or (state == "silenced" and one.quiet)]
    if any(mark in text for mark in "={}~"):
        tests = matchers(text)
        return [one for one in kept if all_match(tests, one.labels)]
    words = text.lower().split()
    return [one for one in kept if all(word in _text(one) for word in words)]


def _text(one: Shown) -> str:
    return " ".join([*one.labels.values(), *one.annotations.values()]).lower()


def grouped(found: Sequence[Shown], label: str) -> list[tuple[str, list[Shown]]]:
    """Return alerts by the value of a label, groups with the most first; those without the label come last."""
    groups: dict[str, list[Shown]] = {}
    for one in found:
        groups.setdefault(one.labels.get(label, ""), []).append(one)
    return sorted(groups.items(), key=lambda each: (not each[0], -len(each[1]), each[0]))


def labels_of(found: Iterable[Shown]) -> list[str]:
    """Return the names of labels by which alerts may be grouped, most frequent first."""
    counted = Counter(name for one in found for name in one.labels)
    return [name for name, _ in counted.most_common(20)]


def silence_text(labels: Mapping[str, str]) -> str:
    """Return the tests that are for one alert alone: what a silence of it is made with.

    >>> silence_text({"alertname": "Slow", "host": "a"})
    'alertname="Slow", host="a"'
    """
    return ", ".join(str(Matcher(name, "=", value)) for name, value in sorted(labels.items()))
