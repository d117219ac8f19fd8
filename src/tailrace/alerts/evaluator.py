"""Evaluate rules: every window once, in order, and again those that late lines changed.

Comes in: groups, an `Ask` that answers expressions, and up to when lines are complete. Goes out: rounds in the store,
each one transaction. It reads no clock but the one it is given and starts no thread; `service` drives it.

What a rule asks is asked once for all rules that ask the same, and for all windows of a round together, so that ten
thousand rules over a few selectors, or a day to be made up for, cost a few queries.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import TYPE_CHECKING, Final, Protocol

from tailrace.alerts import corrections, states
from tailrace.alerts.corrections import Told
from tailrace.alerts.expressions import expression
from tailrace.alerts.store import Progress, Round, Step
from tailrace.alerts.verdict import KNOWN_NS, Answer, Seen, judge
from tailrace.alerts.windows import due, untrue
from tailrace.clock import NS_PER_S
from tailrace.query.streams import select

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tailrace.alerts.corrections import Incident
    from tailrace.alerts.expressions import Expression
    from tailrace.alerts.model import Alert, Evaluation, Group, Rule
    from tailrace.alerts.store import AlertStore
    from tailrace.query.syntax import Selector

CATCH_UP_NS: Final = 7 * 86_400 * NS_PER_S
"""Windows that were missed are made up for if they are not older than this."""

CORRECTED_NS: Final = 86_400 * NS_PER_S
"""Windows are corrected for late lines if they are not older than this."""

MAX_WAIT_NS: Final = 5 * 60 * NS_PER_S
"""A window is evaluated so long after its end even if a source is late."""

WINDOWS: Final = 1000
"""Windows of one group in one round."""

_UNSURE: Final = {"error", "late"}
"""Outcomes of windows that are evaluated again as soon as a later one is sure."""

_SEEN_NS: Final = 3600 * NS_PER_S  # how stale the time may be at which a series was seen: less to write


@dataclass(frozen=True, slots=True)
class Answers:
    """What an expression gave at some times, and how many rows were read for it."""

    at: Mapping[int, Answer]
    rows: int = 0


class Ask(Protocol):
    """Answers an expression at windows; a failure is an answer too. Must not raise for what is wrong with the query."""

    def __call__(self, asked: str, times: range) -> Answers:
        """Return one answer for each time."""
        ...


@dataclass(frozen=True, slots=True)
class Complete:
    """Up to when the lines of some streams are complete, and the sources that hold it up."""

    upto_ns: int
    late: tuple[str, ...] = ()


class Fill(Protocol):
    """Fills templates in; a template that fails becomes a text that says so."""

    def __call__(
        self, templates: Mapping[str, str], labels: Mapping[str, str], value: float, at_ns: int
    ) -> dict[str, str]:
        """Return the texts."""
        ...


@dataclass(frozen=True, slots=True)
class Late:
    """Lines that became known just now: the streams they are of, and their times."""

    streams: tuple[str, ...]
    first_ns: int
    last_ns: int


@dataclass(slots=True)
class Standing:
    """How a rule stands."""

    progress: Progress
    alerts: Mapping[str, Alert] = field(default_factory=dict)
    known: Mapping[str, Seen] = field(default_factory=dict)


class Evaluator:
    """Evaluates the rules of one server. One thread calls it."""

    def __init__(
        self,
        store: AlertStore,
        ask: Ask,
        fill: Fill,
        complete: Callable[[Sequence[Selector], int], Complete],
        *,
        recorded: Callable[[Rule, Evaluation], None] = lambda _rule, _evaluation: None,
    ) -> None:
        self._store = store
        self._ask = ask
        self._fill = fill
        self._complete = complete
        self._recorded = recorded
        self._standings: dict[str, Standing] = {}

    def load(self) -> None:
        """Read how all rules stand, as they were left; nothing is known before."""
        alerts, known = self._store.alerts(), self._store.known()
        self._standings = {
            rule: Standing(progress, alerts.get(rule, {}), known.get(rule, {}))
            for rule, progress in self._store.progress().items()
        }

    def standing(self, rule: str) -> Standing | None:
        """Return how a rule stands, None before its first window."""
        return self._standings.get(rule)

    # --- windows that are due -------------------------------------------------------------------

    def round(self, groups: Sequence[Group], now_ns: int, looked: int | None = None) -> int:
        """Evaluate what is due, at most `WINDOWS` of each group; return how many windows of rules that were.

        `looked` is the version of `logs` up to which late lines are dealt with.
        """
        work = _Work(now_ns, Round(looked=looked))
        for group in groups:
            for rule in group.rules:
                self._due(_Task(rule, group), work)
        return self._write(work) + self._retry(work.sure_again, now_ns)

    def _write(self, work: _Work) -> int:
        if work.made.steps or work.made.skipped or work.made.progress:
            self._store.write(work.made, work.now_ns)
        self._standings.update(work.after)  # only what is durable counts
        return len(work.made.steps)

    def _retry(self, tasks: Sequence[_Task], now_ns: int) -> int:
        """Evaluate windows again that failed or lacked a source, of rules whose last window is sure."""
        work = _Work(now_ns)
        for task in tasks:
            standing = self._standings[task.rule.id]
            self._again(task, standing, standing.progress.unsure_ns, work)
        return self._write(work)

    def _due(self, task: _Task, work: _Work) -> None:
        rule, interval_ns = task.rule, task.group.interval_ns
        standing = self._standings.get(rule.id)
        if standing is None:
            standing = Standing(Progress(task.version, (work.now_ns // interval_ns - 1) * interval_ns))
        complete = self._complete(task.asked.selectors, work.now_ns)
        wait_ns = MAX_WAIT_NS if rule.max_wait_ns is None else rule.max_wait_ns
        sure_ns = min(complete.upto_ns + task.group.query_offset_ns, work.now_ns)  # the lines lie that far back
        missing = _Missing(sure_ns - rule.grace_ns, complete.late)
        upto_ns = max(missing.sure_ns, work.now_ns - wait_ns - rule.grace_ns)
        found = due(standing.progress.evaluated_ns, upto_ns, interval_ns, CATCH_UP_NS, WINDOWS)
        if found.skipped is not None:
            work.made.skipped.append((rule.id, task.version, *found.skipped))
        if found.times:
            work.made.before[rule.id] = standing.alerts
            steps, after = self._steps(task, standing, found.times, missing, work)
            work.made.steps += steps
            work.keep(rule, after)
            if after.progress.unsure_ns and steps[-1].evaluation.outcome not in _UNSURE:
                work.sure_again.append(task)
        elif found.skipped is not None or standing.progress.version != task.version or rule.id not in self._standings:
            last_ns = found.skipped[1] if found.skipped else standing.progress.evaluated_ns
            progress = replace(standing.progress, version=task.version, evaluated_ns=last_ns)
            work.keep(rule, replace(standing, progress=progress))

    def _steps(
        self, task: _Task, standing: Standing, times: range, missing: _Missing, work: _Work
    ) -> tuple[list[Step], Standing]:
        """Evaluate windows of a rule one after the other; return them, and how it stands after the last one."""
        rule = task.rule
        answers, took_ns = work.answers(self._ask, task, times)
        alerts, known, steps = standing.alerts, dict(standing.known), list[Step]()
        failures, unsure_ns = standing.progress.failures, standing.progress.unsure_ns
        unsure_ns = 0 if unsure_ns >= times[0] else unsure_ns
        for at_ns in times:
            answer = answers.at[at_ns]
            evaluation = self._judge(task, answer, known, missing.of(at_ns))
            alerts, tell = self._carry(rule, alerts, evaluation)
            failures = failures + 1 if evaluation.outcome == "error" else 0
            unsure_ns = unsure_ns or (at_ns if evaluation.outcome in _UNSURE else 0)
            work.saw(rule, known, answer)
            known.update((key, known.get(key, Seen(at_ns, at_ns)).also(at_ns)) for key in answer.values)
            if rule.record and evaluation.outcome in {"value", "late"}:
                self._recorded(rule, evaluation)
            late_ns = max(0, work.now_ns - at_ns)
            steps.append(
                Step(
                    rule.id,
                    task.version,
                    evaluation,
                    alerts,
                    tell,
                    rows=answers.rows,
                    watermark_ns=missing.sure_ns,
                    late_ns=late_ns,
                    took_ns=took_ns,
                )
            )
        last = steps[-1].evaluation
        progress = Progress(task.version, times[-1], failures, unsure_ns, last.outcome, last.error, took_ns)
        fresh = {key: seen for key, seen in known.items() if seen.last_ns > times[-1] - KNOWN_NS}
        return steps, Standing(progress, alerts, fresh)

    def _judge(self, task: _Task, answer: Answer, known: Mapping[str, Seen], late: tuple[str, ...]) -> Evaluation:
        rule = task.rule

        def labelled(labels: Mapping[str, str], value: float) -> dict[str, str]:
            return dict(rule.labels) if rule.record else self._fill(rule.labels, labels, value, answer.at_ns)

        return judge(rule, task.group, task.asked, answer, known, late, labelled)

    def _carry(
        self, rule: Rule, alerts: Mapping[str, Alert], evaluation: Evaluation
    ) -> tuple[Mapping[str, Alert], list[Told]]:
        if rule.record:
            return {}, []

        def annotate(labels: Mapping[str, str], value: float) -> dict[str, str]:
            return self._fill(rule.annotations, labels, value, evaluation.at_ns)

        after, changes = states.step(rule, alerts, evaluation, annotate)
        return after, [Told(change.key, change.kind, change.at_ns) for change in changes]

    # --- windows that late lines changed --------------------------------------------------------

    def correct(self, groups: Sequence[Group], late: Sequence[Late], now_ns: int, looked: int | None = None) -> int:
        """Evaluate again what lines that came late belong to; return how many windows of rules that were."""
        work = _Work(now_ns, Round(looked=looked))
        for group in groups:
            for rule in group.rules:
                task, standing = _Task(rule, group), self._standings.get(rule.id)
                first_ns = None if standing is None else _first_untrue(task, standing, late)
                if standing is not None and first_ns is not None:
                    self._again(task, standing, first_ns, work)
        return self._write(work)

    def _again(self, task: _Task, standing: Standing, first_ns: int, work: _Work) -> None:
        """Evaluate the windows of a rule from one on up to the last again, and tell what that changes."""
        rule, interval_ns, last_ns = task.rule, task.group.interval_ns, standing.progress.evaluated_ns
        oldest_ns = -(-(last_ns - CORRECTED_NS) // interval_ns) * interval_ns
        told = self._told(rule, standing, oldest_ns)
        unsure_ns = standing.progress.unsure_ns or first_ns  # what failed before is part of what is to be done again
        first_ns = max(_from_the_start_of(told, min(first_ns, unsure_ns)), oldest_ns)
        times = range(first_ns, last_ns + 1, interval_ns)
        progress = replace(standing.progress, unsure_ns=0)
        start = replace(standing, progress=progress, alerts=self._store.alerts_before(rule.id, first_ns))
        steps, after = self._steps(task, start, times, _Missing(work.now_ns, ()), work)
        if any(step.evaluation.outcome in _UNSURE for step in steps):  # not better than what is known
            work.keep(rule, replace(standing, progress=replace(standing.progress, unsure_ns=first_ns)))
            return
        known = corrections.incidents([one for step in steps for one in step.tell], _firing(start.alerts))
        same = [one for one in told if one.from_ns >= first_ns or any(one.meets(other) for other in known)]
        by_time: dict[int, list[Told]] = {at_ns: [] for at_ns in times}
        for tell in corrections.correct(same, known):
            by_time[max(tell.at_ns, first_ns)].append(tell)  # it may have begun before
        number = self._store.corrections(rule.id, first_ns) + 1
        work.made.before[rule.id] = standing.alerts
        work.made.steps += [replace(step, tell=by_time[step.evaluation.at_ns], correction=number) for step in steps]
        work.keep(rule, after)

    def _told(self, rule: Rule, standing: Standing, since_ns: int) -> list[Incident]:
        """Return the incidents that were told of windows since a time, and those that go on since before."""
        told = self._store.told(rule.id, since_ns)
        began = {one.key for one in told if one.kind == "firing"}
        before = {key: at_ns for key, at_ns in _firing(standing.alerts).items() if key not in began}
        return corrections.incidents(told, before)


@dataclass(frozen=True, slots=True)
class _Task:
    """A rule of a group."""

    rule: Rule
    group: Group

    @property
    def asked(self) -> Expression:
        return expression(self.rule.expr)

    @property
    def version(self) -> str:
        return version_of(self.rule, self.group)


@dataclass(slots=True)
class _Work:
    """A round while it is made."""

    now_ns: int
    made: Round = field(default_factory=Round)
    after: dict[str, Standing] = field(default_factory=dict)
    sure_again: list[_Task] = field(default_factory=list)
    _answers: dict[tuple[str, range], tuple[Answers, int]] = field(default_factory=dict)

    def answers(self, ask: Ask, task: _Task, times: range) -> tuple[Answers, int]:
        """Return what an expression gives at some windows, and how long that took; asked once for all rules."""
        offset_ns, asked = task.group.query_offset_ns, task.asked.asked
        moved = range(times.start - offset_ns, times.stop - offset_ns, times.step)
        if (asked, moved) not in self._answers:
            began = time.perf_counter_ns()
            found = ask(asked, moved)
            self._answers[asked, moved] = found, time.perf_counter_ns() - began
        found, took_ns = self._answers[asked, moved]
        if not offset_ns:
            return found, took_ns
        at = {at_ns + offset_ns: replace(answer, at_ns=at_ns + offset_ns) for at_ns, answer in found.at.items()}
        return Answers(at, found.rows), took_ns

    def saw(self, rule: Rule, known: Mapping[str, Seen], answer: Answer) -> None:
        """Note the series of an answer, if what is durable of them is stale."""
        at_ns, stale_ns = answer.at_ns, 1 if rule.absent_for_ns else _SEEN_NS
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


@dataclass(frozen=True, slots=True)
class _Missing:
    """Which sources are missing from a window."""

    sure_ns: int
    late: tuple[str, ...]

    def of(self, at_ns: int) -> tuple[str, ...]:
        return self.late if at_ns > self.sure_ns else ()


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


def _from_the_start_of(told: Sequence[Incident], first_ns: int) -> int:
    """Return the window from which incidents that reach behind `first_ns` are evaluated as a whole."""
    while True:
        earlier = [
            one.from_ns for one in told if one.from_ns < first_ns and (one.to_ns is None or one.to_ns >= first_ns)
        ]
        if not earlier:
            return first_ns
        first_ns = min(earlier)


def _firing(alerts: Mapping[str, Alert]) -> dict[str, int]:
    return {key: alert.fired_ns for key, alert in alerts.items() if alert.state == "firing"}


def _first_untrue(task: _Task, standing: Standing, late: Sequence[Late]) -> int | None:
    """Return the first window of a rule that late lines belong to, None if there is none."""
    asked, group, firsts = task.asked, task.group, list[int]()
    for lines in late:
        span = (lines.first_ns + group.query_offset_ns, lines.last_ns + group.query_offset_ns)
        times = untrue(span, asked.reach, standing.progress.evaluated_ns, group.interval_ns, CORRECTED_NS)
        if times and any(select(list(lines.streams), selector).height for selector in asked.selectors):
            firsts.append(times[0])
    return min(firsts, default=None)
