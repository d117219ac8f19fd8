"""Compare what a test expects with what is in its world. What differs is a `Failure`, in words."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tailrace.alerts.unit_tests import answers
from tailrace.alerts.unit_tests.settings import AlertTest, ExprTest, NoticeTest
from tailrace.batch import stream_text
from tailrace.query.literals import write_duration, write_number

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tailrace.alerts.model import Rule
    from tailrace.alerts.unit_tests.settings import RuleTest
    from tailrace.alerts.unit_tests.world import World

    Expectation = AlertTest | NoticeTest | ExprTest


@dataclass(frozen=True, slots=True)
class Failure:
    """One expectation that was not met: about what, what was expected, and what there is, a line for each."""

    about: str
    expected: tuple[str, ...]
    got: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Check:
    """Checks the expectations of one test."""

    world: World
    test: RuleTest
    tolerance: float  # between two numbers, as a share of them

    def __call__(self, one: Expectation) -> Failure | None:
        """Return how an expectation is not met at this moment, None if it is."""
        time = write_duration(one.eval_time_ns)
        if isinstance(one, ExprTest):
            return self._answer(one, f"expr: {json.dumps(one.expr, ensure_ascii=False)}, time: {time}")
        rules = self._rules(one)
        if not rules:
            named = sorted({rule.alert for group in self.world.groups for rule in group.rules if rule.alert})
            there = f"alerts of the rule files: {', '.join(named)}" if named else "the rule files have no alerts"
            return Failure(f"alertname: {one.alertname}, time: {time}", ("a rule of this name",), (there,))
        if isinstance(one, NoticeTest):
            return self._notices(one, rules, f"notices of: {one.alertname}, time: {time}")
        return self._alerts(one, rules, f"alertname: {one.alertname}, time: {time}")

    def _rules(self, one: AlertTest | NoticeTest) -> list[Rule]:
        groupname = one.groupname if isinstance(one, AlertTest) else ""
        return [
            rule
            for group in self.world.groups
            for rule in group.rules
            if rule.alert == one.alertname and groupname in {"", group.name}
        ]

    def _alerts(self, one: AlertTest, rules: Iterable[Rule], about: str) -> Failure | None:
        outcomes = sorted({self.world.outcome(rule) for rule in rules})
        if one.outcome is not None and outcomes != [one.outcome]:
            return Failure(f"{about}, outcome", (one.outcome,), tuple(outcomes))
        wanted = [
            (stream_text({"alertname": one.alertname, **each.exp_labels}), each.exp_annotations)
            for each in one.exp_alerts
        ]
        said = {labels for labels, annotations in wanted if annotations is not None}
        expected = sorted(_alert(labels, annotations) for labels, annotations in wanted)
        got = sorted(
            _alert(labels, alert.annotations if labels in said else None)
            for rule in rules
            for labels, alert in self.world.alerts(rule).items()
            if alert.state == one.state
        )
        about = about if one.state == "firing" else f"{about}, state: {one.state}"
        return _compared(about, expected, got)

    def _notices(self, one: NoticeTest, rules: Iterable[Rule], about: str) -> Failure | None:
        start_ns = self.test.start_ns
        got = [
            f"{told.kind} at {write_duration(told.at_ns - start_ns)} {told.key}"
            for rule in rules
            for told in self.world.store.told(rule.id, start_ns)
        ]
        expected = [
            f"{each.kind} at {write_duration(each.at_ns)} "
            + stream_text({"alertname": one.alertname, **each.exp_labels})
            for each in one.exp_notices
        ]
        return _compared(about, expected, got)

    def _answer(self, one: ExprTest, about: str) -> Failure | None:
        wanted = sorted((answers.text(each.labels), each.value) for each in one.exp_samples)
        expected = [_sample(*each) for each in wanted]
        found = answers.ask(self.world, one.expr)
        if isinstance(found, str):
            return Failure(about, tuple(expected), (f"error: {found}",))
        got = sorted((answers.text(labels), value) for labels, value in found)
        same = len(got) == len(wanted) and all(
            there[0] == here[0] and self._equal(there[1], here[1]) for there, here in zip(got, wanted, strict=True)
        )
        return None if same else Failure(about, tuple(expected), tuple(_sample(*each) for each in got))

    def _equal(self, one: float, other: float) -> bool:
        return (math.isnan(one) and math.isnan(other)) or math.isclose(one, other, rel_tol=self.tolerance)


def _compared(about: str, expected: list[str], got: list[str]) -> Failure | None:
    return None if expected == got else Failure(about, tuple(expected), tuple(got))


def _alert(labels: str, annotations: Mapping[str, str] | None) -> str:
    return (
        labels
        if annotations is None
        else f"{labels} annotations {json.dumps(dict(sorted(annotations.items())), ensure_ascii=False)}"
    )


def _sample(labels: str, value: float) -> str:
    return f"{labels} {write_number(value)}"
