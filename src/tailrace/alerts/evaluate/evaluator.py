"""Evaluate rules: every window once, in order, and again those that late lines changed.

Comes in: groups, an `Ask` that answers expressions, and up to when lines are complete. Goes out: rounds in the store,
each one transaction. It reads no clock but the one it is given and starts no thread; `service` drives it.

What a rule asks is asked once for all rules that ask the same, and for all windows of a round together, so that ten
thousand rules over a few selectors, or a day to be made up for, cost a few queries.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from tailrace.alerts.evaluate import corrections, states
from tailrace.alerts.evaluate.contracts import Prepares
from tailrace.alerts.evaluate.horizons import Horizons
from tailrace.alerts.evaluate.meant import Meant
from tailrace.alerts.evaluate.tasks import Task, levels, tasks
from tailrace.alerts.evaluate.verdict import Answer, judge
from tailrace.alerts.evaluate.windows import due, untrue
from tailrace.alerts.evaluate.work import Again, Missing, Planned, Standing, Work, portions, wanted
from tailrace.alerts.kept.store import Progress, Round, Step
from tailrace.alerts.model import Evaluation, Seen, Told
from tailrace.clock import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from tailrace.alerts.evaluate.contracts import Ask, Complete, Fill, Late
    from tailrace.alerts.evaluate.corrections import Incident
    from tailrace.alerts.kept.store import AlertStore
    from tailrace.alerts.model import Alert, Group, Rule
    from tailrace.query.syntax import Selector

WINDOWS: Final = 1000
"""Windows of one rule in one round."""

STEPS: Final = 50_000
"""Windows of all rules in one round: they are in memory until they are durable."""

REWOUND_NS: Final = 120 * NS_PER_S
"""A rule that is further ahead of the clock than this saw a wrong one; for less it waits."""

_UNSURE: Final = {"error", "late"}
"""Outcomes of windows that are evaluated again as soon as a later one is sure."""


class Evaluator:
    """Evaluates the rules of one server. One thread calls it; any thread may ask how a rule stands."""

    def __init__(
        self,
        store: AlertStore,
        ask: Ask,
        fill: Fill,
        complete: Callable[[Sequence[Selector], int], Complete],
        *,
        horizons: Horizons | None = None,
        recorded: Callable[[Rule, Evaluation], None] = lambda _rule, _evaluation: None,
        written: Callable[[Round], None] = lambda _made: None,
    ) -> None:
        self._store = store
        self._ask = ask
        self._fill = fill
        self._complete = complete
        self._horizons = horizons or Horizons()
        self._recorded = recorded
        self._written = written
        self._standings: dict[str, Standing] = {}
        self._groups: Sequence[Group] = ()
        self._tasks: list[list[Task]] = []

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

    def standings(self) -> dict[str, Standing]:
        """Return how all rules stand."""
        return dict(self._standings)

    def forget(self, rules: Iterable[str]) -> None:
        """Take that there are rules no more; the store was told before."""
        for rule in rules:
            self._standings.pop(rule, None)

    def evaluated_ns(self, groups: Sequence[Group]) -> int:
        """Return the latest time of lines that an evaluated window may have: what comes later changes nothing."""
        times = [
            standing.progress.evaluated_ns - task.asked.reach.near_ns - task.group.query_offset_ns
            for group in self.tasks(groups)
            for task in group
            if (standing := self._standings.get(task.rule.id)) is not None
        ]
        return max(times, default=0)

    def tasks(self, groups: Sequence[Group]) -> list[list[Task]]:
        """Return what is to be evaluated of each group; made once for the same groups."""
        if groups is not self._groups:
            self._groups, self._tasks = groups, tasks(groups)
        return self._tasks

    # --- windows that are due -------------------------------------------------------------------

    def round(self, groups: Sequence[Group], now_ns: int, looked: int | None = None) -> int:
        """Evaluate what is due, oldest first and at most `STEPS`; return how many windows of rules that were.

        `looked` is the version of `logs` up to which late lines are dealt with.
        """
        work = Work(now_ns, Round(looked=looked))
        waiting = [task for group in self.tasks(groups) for task in group if self._may_be_due(task, now_ns)]
        completes: dict[tuple[Selector, ...], Complete] = {}
        most = max(1, min(WINDOWS, STEPS // max(1, len(waiting))))
        planned = [plan for task in waiting if (plan := self._due(task, work, completes, most)) is not None]
        done = 0
        for level in levels(planned, lambda plan: plan.task):
            self._prepare(level, work)
            again = self._sure_again(level, work)
            if again:  # which would prepare anew: what is prepared is kept in `work` then
                done += self._again([(plan.task, plan.standing.progress.unsure_ns) for plan in again], now_ns)
            for plan in level:
                self._evaluate(self._renewed(plan) if plan in again else plan, work)
            done += self._write(work)  # what it recorded is read by the next level
            work = Work(now_ns)
        return done

    def _may_be_due(self, task: Task, now_ns: int) -> bool:
        """Tell whether a window of a rule ended: most of the time none has, and then nothing else is looked at."""
        standing = self._standings.get(task.rule.id)
        if standing is None or standing.progress.version != task.version:
            return True
        since_ns = now_ns - standing.progress.evaluated_ns
        return since_ns >= task.interval_ns or since_ns < -REWOUND_NS

    def _write(self, work: Work) -> int:
        if work.made.steps or work.made.progress:
            self._store.write(work.made, work.now_ns)
            self._written(work.made)
        self._standings.update(work.after)  # only what is durable counts
        return len(work.made.steps)

    def _sure_again(self, level: Sequence[Planned], work: Work) -> list[Planned]:
        """Return those of which windows failed or lacked a source, and the last one now does not.

        What failed is evaluated again before what is new, so that nothing new is told that follows from a gap.
        """
        again = [plan for plan in level if plan.standing.progress.unsure_ns]
        for plan in level if again else ():
            work.answers(self._ask, plan.task, plan.times)  # while it is prepared
        return [plan for plan in again if self._is_sure(plan, work)]

    def _is_sure(self, plan: Planned, work: Work) -> bool:
        task, last_ns = plan.task, plan.times[-1]
        answers, _, _ = work.answers(self._ask, task, plan.times)
        evaluation = self._judge(task, answers[last_ns], plan.standing.known, plan.missing.of(last_ns))
        return evaluation.outcome not in _UNSURE

    def _renewed(self, plan: Planned) -> Planned:
        """Return windows that follow on those that were evaluated again just now."""
        standing, was = self._standings[plan.task.rule.id], plan.standing.progress
        progress = replace(
            standing.progress, version=was.version, evaluated_ns=was.evaluated_ns, skipped_ns=was.skipped_ns
        )
        return replace(plan, standing=replace(standing, progress=progress))

    def _prepare(self, planned: Sequence[Planned], work: Work) -> None:
        if isinstance(self._ask, Prepares):
            work.prepare(self._ask, [wanted(plan.task, plan.times) for plan in planned])

    def _due(
        self, task: Task, work: Work, completes: dict[tuple[Selector, ...], Complete], most: int
    ) -> Planned | None:
        """Return the windows of a rule that are due; a gap that is too old to be made up for is noted at once."""
        rule, selectors = task.rule, task.asked.selectors
        standing = self._standings.get(rule.id)
        if standing is None:
            standing = Standing(Progress(task.version, task.floor(work.now_ns) - task.interval_ns))
            work.keep(rule, standing)
        if standing.progress.evaluated_ns > work.now_ns + REWOUND_NS:
            standing = self._rewound(task, standing, work)
        if selectors not in completes:
            completes[selectors] = self._complete(selectors, work.now_ns)
        missing, upto_ns = self._reach(task, completes[selectors], work.now_ns)
        progress, times = standing.progress, range(0)
        if upto_ns > progress.evaluated_ns:
            found = due(progress.evaluated_ns, upto_ns, task.interval_ns, self._horizons.catch_up_ns, most)
            times = found.times
            if found.skipped is not None:
                work.made.skipped.append((rule.id, task.version, *found.skipped))
                progress = replace(progress, evaluated_ns=found.skipped[1], skipped_ns=work.now_ns)
        if progress is not standing.progress or progress.version != task.version:
            standing = replace(standing, progress=replace(progress, version=task.version))
            work.keep(rule, standing)
        return Planned(task, standing, times, missing) if times else None

    def _rewound(self, task: Task, standing: Standing, work: Work) -> Standing:
        """Return how a rule stands when the clock was set back: windows that are still to come do not count."""
        before_ns = task.floor(work.now_ns) - task.interval_ns
        alerts = {key: states.not_after(alert, before_ns) for key, alert in standing.alerts.items()}
        progress = replace(standing.progress, evaluated_ns=before_ns, unsure_ns=0)
        after = Standing(progress, alerts, standing.known)
        work.made.rewound.append((task.rule.id, before_ns))
        work.keep(task.rule, after)
        return after

    def _reach(self, task: Task, complete: Complete, now_ns: int) -> tuple[Missing, int]:
        """Return which windows are sure, and up to which one all are evaluated, sure or not."""
        rule, horizons = task.rule, self._horizons
        wait_ns = horizons.max_wait_ns if rule.max_wait_ns is None else rule.max_wait_ns
        grace_ns = rule.grace_ns or horizons.grace_ns
        sure_ns = min(complete.upto_ns + task.group.query_offset_ns, now_ns) - grace_ns  # lines lie so far back
        open_ns = min(complete.open_ns + task.group.query_offset_ns, now_ns) - grace_ns
        if now_ns >= complete.since_ns + wait_ns:
            open_ns = max(open_ns, now_ns - wait_ns - grace_ns)
        return Missing(sure_ns, complete.late), max(sure_ns, open_ns)

    def _evaluate(self, plan: Planned, work: Work) -> None:
        rule = plan.task.rule
        work.made.before[rule.id] = plan.standing.alerts
        steps, after = self._steps(plan, work)
        work.made.steps += steps
        work.keep(rule, after)

    def _steps(self, plan: Planned, work: Work) -> tuple[list[Step], Standing]:
        """Evaluate windows of a rule one after the other; return them, and how it stands after the last one."""
        task, rule, standing, times = plan.task, plan.task.rule, plan.standing, plan.times
        answers, rows, took_ns = work.answers(self._ask, task, times)
        alerts, known, steps = standing.alerts, dict(standing.known), list[Step]()
        failures, unsure_ns = standing.progress.failures, standing.progress.unsure_ns
        unsure_ns = 0 if unsure_ns >= times[0] else unsure_ns
        for at_ns in times:
            evaluation = self._judge(task, answers[at_ns], known, plan.missing.of(at_ns))
            alerts, tell = self._carry(rule, alerts, evaluation)
            failures = failures + 1 if evaluation.outcome == "error" else 0
            unsure_ns = unsure_ns or (at_ns if evaluation.outcome in _UNSURE else 0)
            work.saw(rule, known, answers[at_ns])
            known.update((key, known.get(key, Seen(at_ns, at_ns)).also(at_ns)) for key in answers[at_ns].values)
            if rule.record and evaluation.outcome in {"value", "late"}:
                self._recorded(rule, evaluation)
            done = Step(rule.id, task.version, evaluation, alerts, tell, rows=rows, took_ns=took_ns)
            late_ns = max(0, work.now_ns - at_ns)
            offset_ns = task.group.query_offset_ns
            steps.append(replace(done, watermark_ns=max(0, plan.missing.sure_ns), late_ns=late_ns, offset_ns=offset_ns))
        progress = replace(
            standing.progress,
            version=task.version,
            evaluated_ns=times[-1],
            failures=failures,
            unsure_ns=unsure_ns,
            outcome=evaluation.outcome,
            error=evaluation.error,
            took_ns=took_ns,
        )
        fresh = {key: seen for key, seen in known.items() if seen.last_ns > times[-1] - self._horizons.known_ns}
        return steps, Standing(progress, alerts, fresh)

    def _judge(self, task: Task, answer: Answer, known: Mapping[str, Seen], late: tuple[str, ...]) -> Evaluation:
        rule = task.rule

        def labelled(labels: Mapping[str, str], value: float) -> dict[str, str]:
            return dict(rule.labels) if rule.record else self._fill(rule.labels, labels, value, answer.at_ns)

        known_ns = self._horizons.known_ns
        return judge(rule, task.group, task.asked, answer, known, late, labelled, known_ns=known_ns)

    def _carry(
        self, rule: Rule, alerts: Mapping[str, Alert], evaluation: Evaluation
    ) -> tuple[Mapping[str, Alert], list[Told]]:
        if rule.record:
            return {}, []

        def annotate(labels: Mapping[str, str], value: float) -> dict[str, str]:
            return self._fill(rule.annotations, labels, value, evaluation.at_ns)

        after, changes = states.step(rule, alerts, evaluation, annotate)
        return after, [Told(change.key, change.kind, change.at_ns) for change in changes]

    def observe(self, found: Sequence[tuple[Rule, Mapping[str, float]]], at_ns: int, now_ns: int) -> None:
        """Take what was seen of rules that have no query, at a window: the label sets that fulfil them."""
        work = Work(now_ns)
        for rule, series in found:
            standing = self._standings.get(rule.id) or Standing(Progress("", 0))
            evaluation = Evaluation(at_ns, "value" if series else "zero", series)
            alerts, tell = self._carry(rule, standing.alerts, evaluation)
            work.made.before[rule.id] = standing.alerts
            if alerts or standing.alerts:
                work.made.steps.append(Step(rule.id, "", evaluation, alerts, tell))
                progress = replace(standing.progress, evaluated_ns=at_ns, outcome=evaluation.outcome)
                work.keep(rule, Standing(progress, alerts))
        self._write(work)

    # --- windows that late lines changed --------------------------------------------------------

    def correct(self, groups: Sequence[Group], late: Sequence[Late], now_ns: int, looked: int | None = None) -> int:
        """Evaluate again what lines that came late belong to; return how many windows of rules that were."""
        meant, firsts = Meant(late), dict[str, int]()
        every = [task for group in self.tasks(groups) for task in group]
        for task in every:
            standing = self._standings.get(task.rule.id)
            first_ns = None if standing is None else self._first_untrue(task, standing, meant.by(task.asked.selectors))
            if first_ns is not None:
                firsts[task.rule.id] = first_ns
        done, left = 0, levels([task for task in every if task.rule.id in firsts], lambda task: task)
        while left:
            level = left.pop(0)
            parts = [(task, firsts[task.rule.id]) for task in level]
            done += self._again(parts, now_ns, None if left else looked)  # a crash between levels looks at all again
        return done

    def _first_untrue(self, task: Task, standing: Standing, late: Sequence[Late]) -> int | None:
        """Return the first window of a rule that late lines of its streams belong to, None if there is none."""
        group, firsts = task.group, list[int]()
        for lines in late:
            span = (lines.first_ns + group.query_offset_ns, lines.last_ns + group.query_offset_ns)
            evaluated_ns, horizon_ns = standing.progress.evaluated_ns, self._horizons.corrected_ns
            times = untrue(span, task.asked.reach, evaluated_ns, group.interval_ns, horizon_ns)
            firsts += times[:1]
        return min(firsts, default=None)

    def _again(self, firsts: Sequence[tuple[Task, int]], now_ns: int, looked: int | None = None) -> int:
        """Evaluate the windows of rules, each from one on, up to the last again, and tell what that changes.

        As many rules at once as fit in memory, each whole; only then is `looked` durable.
        """
        done, left = 0, portions(self._plans(firsts, now_ns), STEPS)
        while left:
            portion = left.pop(0)
            work = Work(now_ns, Round(looked=None if left else looked))
            self._prepare([again.plan for again in portion], work)
            for again in portion:
                self._correct(again, work)
            done += self._write(work)
        return done

    def _plans(self, firsts: Sequence[tuple[Task, int]], now_ns: int) -> list[Again]:
        """Return the windows of rules that are evaluated again, and what was told of them."""
        if not firsts:
            return []
        rows = self._store.told_of({task.rule.id: self._oldest_ns(task) for task, _ in firsts}, now_ns)
        told = {task.rule.id: self._incidents(task.rule, rows.get(task.rule.id, ())) for task, _ in firsts}
        starts, missing = dict[str, int](), dict[str, Missing]()
        for task, first_ns in firsts:
            rule, unsure_ns = task.rule.id, self._standings[task.rule.id].progress.unsure_ns
            missing[rule] = self._missing(task, now_ns)  # what failed, or lacked a source, is done again too
            from_ns = corrections.from_the_start_of(told[rule], min(first_ns, unsure_ns or first_ns))
            starts[rule] = max(from_ns, self._oldest_ns(task))
        before, numbers = self._store.alerts_before(starts), self._store.corrections(starts)
        found = list[Again]()
        for task, _ in firsts:
            rule, standing = task.rule.id, self._standings[task.rule.id]
            times = range(starts[rule], standing.progress.evaluated_ns + 1, task.group.interval_ns)
            start = replace(standing, progress=replace(standing.progress, unsure_ns=0), alerts=before.get(rule, {}))
            plan = Planned(task, start, times, missing[rule])
            found.append(Again(plan, told[rule], numbers.get(rule, 0) + 1))
        return found

    def _oldest_ns(self, task: Task) -> int:
        """Return the oldest window of a rule that may be evaluated again."""
        interval_ns, last_ns = task.group.interval_ns, self._standings[task.rule.id].progress.evaluated_ns
        return -(-(last_ns - self._horizons.corrected_ns) // interval_ns) * interval_ns

    def _missing(self, task: Task, now_ns: int) -> Missing:
        """Return what windows that are evaluated again may still lack: only what they lacked before."""
        unsure_ns = self._standings[task.rule.id].progress.unsure_ns
        if not unsure_ns:
            return Missing(now_ns)
        missing, _ = self._reach(task, self._complete(task.asked.selectors, now_ns), now_ns)
        return replace(missing, sure_ns=max(missing.sure_ns, unsure_ns - 1))

    def _correct(self, again: Again, work: Work) -> None:
        """Evaluate windows of a rule again, and tell what that changes."""
        plan, rule, first_ns = again.plan, again.plan.task.rule, again.plan.times[0]
        standing = self._standings[rule.id]
        steps, after = self._steps(plan, work)
        if any(step.evaluation.outcome == "error" for step in steps):  # not better than what is known
            work.keep(rule, replace(standing, progress=replace(standing.progress, unsure_ns=first_ns)))
            return
        known = corrections.incidents([one for step in steps for one in step.tell], _firing(plan.standing.alerts))
        same = [one for one in again.told if one.from_ns >= first_ns or any(one.meets(other) for other in known)]
        by_time: dict[int, list[Told]] = {at_ns: [] for at_ns in plan.times}
        for tell in corrections.correct(same, known):
            by_time[max(tell.at_ns, first_ns)].append(tell)  # it may have begun before
        work.made.before[rule.id] = standing.alerts
        number = again.number
        work.made.steps += [replace(step, tell=by_time[step.evaluation.at_ns], correction=number) for step in steps]
        work.keep(rule, after)

    def _incidents(self, rule: Rule, told: Sequence[Told]) -> list[Incident]:
        """Return the incidents that were told of a rule, and those that go on since before."""
        began = {one.key for one in told if one.kind == "firing"}
        firing = _firing(self._standings[rule.id].alerts)
        return corrections.incidents(told, {key: at_ns for key, at_ns in firing.items() if key not in began})


def _firing(alerts: Mapping[str, Alert]) -> dict[str, int]:
    return {key: alert.fired_ns for key, alert in alerts.items() if alert.state == "firing"}
