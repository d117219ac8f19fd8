"""What is to be evaluated, taken apart once: the rules of all groups with their expressions and versions.

Groups stay the same for hours and are looked at each second, so that what can be known of a rule beforehand is known.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING

from tailrace.alerts.expressions import expression

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tailrace.alerts.expressions import Expression
    from tailrace.alerts.model import Group, Rule


@dataclass(frozen=True, slots=True)
class Task:
    """A rule of a group."""

    rule: Rule
    group: Group
    asked: Expression
    version: str

    @property
    def interval_ns(self) -> int:
        """Return the time between two windows."""
        return self.group.interval_ns

    def floor(self, at_ns: int) -> int:
        """Return the last window up to a time."""
        return at_ns // self.group.interval_ns * self.group.interval_ns


def tasks(groups: Sequence[Group]) -> list[list[Task]]:
    """Return the tasks of each group."""
    return [
        [Task(rule, group, expression(rule.expr), version_of(rule, group)) for rule in group.rules] for group in groups
    ]


def version_of(rule: Rule, group: Group) -> str:
    """Return a name for what a rule asks for: it changes with everything that changes its result."""
    parts = (
        rule.expr,
        rule.name,
        group.interval_ns,
        group.query_offset_ns,
        group.limit,
        rule.for_ns,
        rule.keep_firing_for_ns,
        sorted(rule.labels.items()),
        rule.no_data,
        rule.absent_for_ns,
    )
    return blake2b(repr(parts).encode(), digest_size=8).hexdigest()
