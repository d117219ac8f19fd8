"""A round of evaluation while it is made: what is asked, what was seen, and how rules stand when it is durable."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from tailrace.alerts.kept.store import Round
from tailrace.alerts.model import Seen
from tailrace.clock import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tailrace.alerts.evaluate.contracts import Answers, Ask, Prepares
    from tailrace.alerts.evaluate.corrections import Incident
    from tailrace.alerts.evaluate.tasks import Task
    from tailrace.alerts.evaluate.verdict import Answer
    from tailrace.alerts.kept.store import Progress
    from tailrace.alerts.model import Alert, Rule

SEEN_NS: Final = 3600 * NS_PER_S
"""How stale the time may be at which a series was seen: less to write."""


@dataclass(slots=True)
class Standing:
    """How a rule stands."""

    progress: Progress
    alerts: Mapping[str, Alert] = field(default_factory=dict)
    known: Mapping[str, Seen] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Missing:
    """Which sources are missing from a window: those that are late, from all behind `sure_ns`."""

    sure_ns: int
    late: tuple[str, ...] = ()

    def of(self, at_ns: int) -> tuple[str, ...]:
        """Return the sources that are missing from a window."""
        return self.late if at_ns > self.sure_ns else ()


@dataclass(frozen=True, slots=True)
class Planned:
    """Windows of a rule that are evaluated in this round."""

    task: Task
    standing: Standing
    times: range
    missing: Missing


@dataclass(frozen=True, slots=True)
class Again:
    """Windows of a rule that are evaluated again, what was told of them, and the number of this correction."""

    plan: Planned
    told: Sequence[Incident]
    number: int


@dataclass(slots=True)
class Work:
    """A round."""

    now_ns: int
    made: Round = field(default_factory=Round)
    after: dict[str, Standing] = field(default_factory=dict)
    _answers: dict[tuple[str, range], tuple[Answers, int]] = field(default_factory=dict)
    _share_ns: int = 0  # of what is read for all that is asked, for each

    def prepare(self, ask: Prepares, asked: Sequence[tuple[str, range]]) -> None:
        """Let what is going to be asked be read together; how long that takes counts for each to the same part."""
        began = time.perf_counter_ns()
        ask.prepare(asked)
        self._share_ns = (time.perf_counter_ns() - began) // max(1, len(set(asked)))

    def answers(self, ask: Ask, task: Task, times: range) -> tuple[Mapping[int, Answer], int, int]:
        """Return what a rule's expression gives at some windows, the rows read for it, and how long that took.

        Each expression is asked once for all rules that ask the same.
        """
        offset_ns, asked = task.group.query_offset_ns, wanted(task, times)
        if asked not in self._answers:
            began = time.perf_counter_ns()
            found = ask(*asked)
            self._answers[asked] = found, time.perf_counter_ns() - began + self._share_ns
        found, took_ns = self._answers[asked]
        if not offset_ns:
            return found.at, found.rows, took_ns
        at = {at_ns + offset_ns: replace(answer, at_ns=at_ns + offset_ns) for at_ns, answer in found.at.items()}
        return at, found.rows, took_ns

    def saw(self, rule: Rule, known: Mapping[str, Seen], answer: Answer) -> None:
        """Note the series of an answer, if what is durable of them is stale."""
        at_ns, stale_ns = answer.at_ns, 1 if rule.absent_for_ns else SEEN_NS
        seen = {
            key: was.also(at_ns)
            for key in answer.values
            if (was := known.get(key, Seen(at_ns, 0))).last_ns + stale_ns <= at_ns or at_ns < was.first_ns
        }
        if seen:
            self.made.seen.setdefault(rule.id, {}).update(seen)

    def keep(self, rule: Rule, after: Standing) -> None:
        """Note how a rule stands when the round is durable."""
        self.after[rule.id] = after
        self.made.progress[rule.id] = after.progress


def portions(again: Sequence[Again], most: int) -> list[list[Again]]:
    """Return what is evaluated again in portions of at most so many windows, or of one rule; one at least."""
    found, left = [list[Again]()], most
    for one in again:
        if found[-1] and len(one.plan.times) > left:
            found.append([])
            left = most
        found[-1].append(one)
        left -= len(one.plan.times)
    return found


def wanted(task: Task, times: range) -> tuple[str, range]:
    """Return what is asked for windows of a rule: its expression, and the times to which its lines reach."""
    offset_ns = task.group.query_offset_ns
    return task.asked.asked, range(times.start - offset_ns, times.stop - offset_ns, times.step)
