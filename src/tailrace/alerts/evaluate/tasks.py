"""What is to be evaluated, taken apart once: the rules of all groups with their expressions and versions.

Groups stay the same for hours and are looked at each second, so that what can be known of a rule beforehand is known.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import TYPE_CHECKING, TypeVar

from tailrace.alerts.evaluate.windows import Reach
from tailrace.alerts.rules.expressions import expression

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tailrace.alerts.model import Group, Rule
    from tailrace.alerts.rules.expressions import Expression

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Task:
    """A rule of a group."""

    rule: Rule
    group: Group
    asked: Expression  # what it reads of recorded series, their rules read, see `resolved`
    version: str
    depth: int = 0  # it names series that rules of a lesser depth record

    @property
    def interval_ns(self) -> int:
        """Return the time between two windows."""
        return self.group.interval_ns

    def floor(self, at_ns: int) -> int:
        """Return the last window up to a time."""
        return at_ns // self.group.interval_ns * self.group.interval_ns


def tasks(groups: Sequence[Group]) -> list[list[Task]]:
    """Return the tasks of each group."""
    every = [
        [Task(rule, group, expression(rule.expr), version_of(rule, group)) for rule in group.rules] for group in groups
    ]
    sources: dict[str, list[Task]] = {}
    for task in (task for group in every for task in group):
        if task.rule.record:
            sources.setdefault(task.rule.record, []).append(task)
    return [[resolved(task, sources) for task in group] for group in every]


def resolved(task: Task, sources: Mapping[str, Sequence[Task]], over: frozenset[str] = frozenset()) -> Task:
    """Return a task that knows which lines it reads by way of series that other rules record.

    So it waits for these lines, is evaluated after those rules, and again when lines come late that change what they
    recorded. A series that ends is zero if what counts recorded it. A rule that names its own series reads the past.
    """
    asked = task.asked
    if not asked.names:
        return task
    over |= {task.rule.record} if task.rule.record else set()
    reach, selectors, depth, silents = asked.reach, asked.selectors, 0, dict[str, float | None]()
    for name in (name for name in asked.names if name not in over):
        found = [resolved(one, sources, over | {name}) for one in sources.get(name, ())]
        values = {one.asked.silent for one in found if not one.asked.op}
        silents[name] = values.pop() if len(values) == 1 else None
        for one in found:
            near_ns = min(reach.near_ns, asked.reach.near_ns + one.asked.reach.near_ns)
            reach = Reach(near_ns, max(reach.far_ns, asked.reach.far_ns + one.asked.reach.far_ns))
            selectors += one.asked.selectors
            depth = max(depth, one.depth + 1)
    silent = asked.knowing(silents)
    whole = replace(asked, reach=reach, selectors=tuple(dict.fromkeys(selectors)), silent=silent)
    return replace(task, asked=whole, depth=depth)


def levels(items: Sequence[T], task_of: Callable[[T], Task]) -> list[list[T]]:
    """Return items by the depth of their tasks, those first that others read; one list at least."""
    by_depth: dict[int, list[T]] = {0: []}
    for item in items:
        by_depth.setdefault(task_of(item).depth, []).append(item)
    return [by_depth[depth] for depth in sorted(by_depth)]


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
