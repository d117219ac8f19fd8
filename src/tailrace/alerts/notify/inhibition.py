"""Alerts that are not told while others fire. Pure.

Comes in: rules of inhibition and the alerts that fire. Goes out: which of them silence a given alert. An alert is
silenced while one that the rule's source tests fit fires with the same values of the labels `equal`; a label that is
missing is empty, and two that miss it have the same. An alert that fits both sides of a rule does not silence another
that does, so a rule cannot turn all of its own alerts off.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from tailrace.alerts.notify.matchers import all_match

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tailrace.alerts.notify.settings import InhibitSettings


class Inhibitions:
    """What is silenced while these alerts fire; `firing` is fingerprint to labels. Made anew for each look."""

    def __init__(self, rules: Sequence[InhibitSettings], firing: Mapping[str, Mapping[str, str]]) -> None:
        self._rules = [(rule, _by_equal(rule, firing)) for rule in rules]

    def of(self, labels: Mapping[str, str]) -> list[str]:
        """Return the fingerprints of the alerts that silence a label set: the first one of each rule."""
        found = dict[str, None]()
        for rule, sources in self._rules:
            if not all_match(rule.targets, labels):
                continue
            both = all_match(rule.sources, labels)
            for fingerprint, is_target in sources.get(_values(rule, labels), ()):
                if not (both and is_target):
                    found[fingerprint] = None
                    break
        return list(found)


def _by_equal(
    rule: InhibitSettings, firing: Mapping[str, Mapping[str, str]]
) -> Mapping[tuple[str, ...], list[tuple[str, bool]]]:
    """Return the rule's sources by the values of its `equal` labels, each with whether it is a target as well."""
    found: dict[tuple[str, ...], list[tuple[str, bool]]] = defaultdict(list)
    for fingerprint, labels in firing.items():
        if all_match(rule.sources, labels):
            found[_values(rule, labels)].append((fingerprint, all_match(rule.targets, labels)))
    return found


def _values(rule: InhibitSettings, labels: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(labels.get(name, "") for name in rule.equal)
