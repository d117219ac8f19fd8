"""What is said of alerting itself, and of whom."""

from __future__ import annotations

from math import inf

import pytest

from alerts.world import EXPR, MINUTE, S, World, group, rule
from tailrace.alerts.evaluate import health
from tailrace.alerts.evaluate.tasks import tasks
from tailrace.alerts.evaluate.watermarks import Behind
from tailrace.alerts.kept.store import Progress

NOW = 1000 * MINUTE
WAIT = 5 * MINUTE


def found(progress, *, stuck=None, missing=(), outbox_ns=0, one=None):
    every = [task for each in tasks([group(one or rule())]) for task in each]
    seen = health.findings(
        every, {"A": progress}, wait_ns=WAIT, stuck=stuck or {}, missing=missing, outbox_ns=outbox_ns, now_ns=NOW
    )
    return {name.removeprefix("tailrace:"): series for name, series in seen.items() if series}


def key(name, **labels):
    pairs = {"alertname": name, **labels, "severity": "warning"}
    return "{" + ", ".join(f'{label}="{text}"' for label, text in sorted(pairs.items())) + "}"


OF_A = {"rule": "A", "group": "g", "namespace": "test"}


def test_nothing_is_said_when_all_is_well():
    assert found(Progress("v", NOW - MINUTE, failures=2)) == {}


def test_three_failures_in_a_row_are_an_alert():
    said = found(Progress("v", NOW, failures=3))
    assert said == {"TailraceRuleFailing": {key("TailraceRuleFailing", **OF_A): 3}}


@pytest.mark.parametrize(("behind_ns", "said"), [(8 * MINUTE, False), (8 * MINUTE + 1, True)])
def test_a_rule_lags_when_it_is_behind_more_than_it_waits_and_its_interval(behind_ns, said):
    lagging = found(Progress("v", NOW - behind_ns))
    assert bool(lagging) is said
    assert not said or lagging == {"TailraceRuleLagging": {key("TailraceRuleLagging", **OF_A): pytest.approx(420)}}


def test_a_rule_that_waits_longer_by_its_own_wish_lags_later():
    patient = rule(max_wait_ns=20 * MINUTE)
    assert found(Progress("v", NOW - 22 * MINUTE), one=patient) == {}
    assert "TailraceRuleLagging" in found(Progress("v", NOW - 24 * MINUTE), one=patient)


def test_windows_that_were_skipped_are_told_for_an_hour():
    assert "TailraceWindowsSkipped" in found(Progress("v", NOW, skipped_ns=NOW - 59 * MINUTE))
    assert found(Progress("v", NOW, skipped_ns=NOW - 60 * MINUTE)) == {}


def test_sources_and_the_outbox():
    said = found(Progress("v", NOW), stuck={"a": 121 * S, "b": 119 * S}, missing=["c"], outbox_ns=301 * S)
    assert said == {
        "TailraceWatermarkStuck": {key("TailraceWatermarkStuck", stuck="a"): 121},
        "TailraceSourceMissing": {key("TailraceSourceMissing", missing="c"): 1},
        "TailraceOutboxStuck": {key("TailraceOutboxStuck"): 301},
    }


def test_many_rules_that_fail_together_are_not_as_many_alerts():
    rules = [rule(str(number), EXPR) for number in range(health.MOST + 50)]
    every = [task for each in tasks([group(*rules)]) for task in each]
    progress = {one.id: Progress("v", NOW, failures=3) for one in rules}
    said = health.findings(every, progress, wait_ns=WAIT, stuck={}, missing=(), outbox_ns=0, now_ns=NOW)
    assert len(said[health.FAILING.id]) == health.MOST


def look(sources, at_s, seconds):
    return sources.look([Behind("a", seconds)], at_s * S)["a"] // S


def test_a_source_makes_no_progress_while_what_is_complete_stays_the_same():
    sources = health.Sources()
    assert look(sources, 1000, 100.0) == 0
    assert look(sources, 1030, 130.0) == 30
    assert look(sources, 1060, 160.0) == 60
    assert look(sources, 1090, 170.0) == 0, "twenty seconds were made good"
    assert look(sources, 1120, 200.0) == 30


def test_a_source_that_is_hardly_behind_makes_progress():
    sources = health.Sources()
    assert look(sources, 1000, 20.0) == 0
    assert look(sources, 1030, 50.0) == 0


def test_a_source_that_is_not_known_yet_is_not_stuck():
    sources = health.Sources()
    assert look(sources, 1000, inf) == 0
    assert look(sources, 2000, inf) == 0


def test_they_are_alerts_as_others_are(tmp_path):
    world = World(tmp_path, now_ns=NOW)
    server = world.server()
    server.round(group())
    failing = {key("TailraceRuleFailing", **OF_A): 3.0}
    server.evaluator.observe([(health.FAILING, failing)], NOW, NOW)
    server.evaluator.observe([(health.FAILING, failing)], NOW + 10 * S, NOW + 10 * S)
    server = world.server()
    server.round(group())
    server.evaluator.observe([(health.FAILING, {})], NOW + 20 * S, NOW + 20 * S)
    told = [(one.kind, one.at_ns) for one in server.store.told(health.FAILING.id, 0)]
    assert told == [("firing", NOW), ("resolved", NOW + 20 * S)]
    world.control.close()
