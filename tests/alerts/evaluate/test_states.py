"""The states of an alert, by cases worked out by hand from the table of the reference."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from tailrace.alerts.evaluate.states import step
from tailrace.alerts.model import Evaluation, Rule
from tailrace.query.literals import duration

CASES = tomllib.loads((Path(__file__).parents[2] / "cases" / "alerts" / "states.toml").read_text())["case"]
MINUTE = 60 * 10**9
KEY = '{alertname="A", host="a"}'
LETTERS = {"pending": "p", "firing": "f", "recovered": "r"}
OUTCOMES = {"E": "error", "L": "late", "N": "empty", "-": "zero"}


def annotated(labels, value):
    return {"text": f"{labels['host']} {value:g}"}


def evaluation(tick: str, at_ns: int, *, keeps: bool = False) -> Evaluation:
    outcome = OUTCOMES.get(tick[0], "value")
    number = tick.lstrip("L")
    series = {KEY: float(number)} if number and number[0].isdigit() else {}
    return Evaluation(at_ns, outcome, series, keep=outcome == "empty" and keeps)


def rule_of(case) -> Rule:
    spans = {name: duration(case.get(name, "0s")) for name in ("for", "keep_firing_for")}
    return Rule(
        "r", "…", "A", for_ns=spans["for"], keep_firing_for_ns=spans["keep_firing_for"], no_data=case.get("no_data")
    )


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_states(case):
    rule, alerts, states, told = rule_of(case), {}, "", []
    for number, tick in enumerate(case["ticks"]):
        alerts, changes = step(rule, alerts, evaluation(tick, number * MINUTE, keeps=rule.no_data == "keep"), annotated)
        states += LETTERS[alerts[KEY].state] if KEY in alerts else "."
        told += [f"{number} {change.kind}" for change in changes]
    assert (states, told) == (case["states"], case["told"])


def test_the_times_of_an_alert_are_those_of_the_windows():
    rule, alerts = Rule("r", "…", "A", for_ns=MINUTE), {}
    for number, tick in enumerate(["1", "2", "3", "-"]):
        alerts, _ = step(rule, alerts, evaluation(tick, number * MINUTE), annotated)
    alert = alerts[KEY]
    assert (alert.active_ns, alert.fired_ns, alert.resolved_ns) == (0, MINUTE, 3 * MINUTE)
    assert (alert.value, alert.annotations) == (3.0, {"text": "a 3"})


def test_a_longer_wait_takes_a_firing_alert_back():
    rule, alerts = Rule("r", "…", "A"), {}
    alerts, _ = step(rule, alerts, evaluation("1", 0), annotated)
    patient = replace(rule, for_ns=2 * MINUTE)
    alerts, changes = step(patient, alerts, evaluation("1", MINUTE), annotated)
    assert (alerts[KEY].state, [change.kind for change in changes]) == ("pending", ["resolved"])
    alerts, changes = step(patient, alerts, evaluation("1", 2 * MINUTE), annotated)
    assert [change.kind for change in changes] == ["firing"]


def test_series_are_alerts_of_their_own():
    rule = Rule("r", "…", "A")
    other = '{alertname="A", host="b"}'
    alerts, changes = step(rule, {}, Evaluation(0, "value", {KEY: 1.0, other: 2.0}), annotated)
    assert [(change.key, change.kind) for change in changes] == [(KEY, "firing"), (other, "firing")]
    alerts, changes = step(rule, alerts, Evaluation(MINUTE, "value", {other: 2.0}), annotated)
    assert {key: alert.state for key, alert in alerts.items()} == {other: "firing", KEY: "recovered"}
    assert [(change.key, change.kind) for change in changes] == [(KEY, "resolved")]
