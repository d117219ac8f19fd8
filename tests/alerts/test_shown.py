"""Rules with their states as Prometheus writes them; the log of evaluations."""

from __future__ import annotations

import pytest

from alerts.world import MINUTE, Line, S, World, group, rule
from tailrace.alerts.kept.evaluation_log import Wanted, evaluations
from tailrace.alerts.kept.store import Progress, Standings
from tailrace.alerts.model import Alert, Group, Rule
from tailrace.alerts.shown import exponent_text, shown

AT = 1_767_323_045 * S  # 2026-01-02T03:04:05Z
RULE = Rule("r", "e", "A", for_ns=5 * MINUTE, labels={"severity": "page"}, annotations={"s": "{{ $value }}"})


def one(rule_of=RULE, **more):
    standings = Standings(more.pop("progress", {}), more.pop("alerts", {}), more.pop("missing", {}))
    (found,) = shown([Group("ns", "g", MINUTE, (rule_of,))], standings, **more)
    return found


def test_a_rule_that_was_never_evaluated():
    found = one()
    (rule_of,) = found.pop("rules")
    assert found == {
        "name": "g",
        "file": "ns",
        "interval": 60.0,
        "limit": 0,
        "queryOffset": 0.0,
        "labels": {},
        "editable": False,
        "evaluationTime": 0.0,
        "lastEvaluation": "0001-01-01T00:00:00Z",
    }
    assert rule_of == {
        "id": "r",
        "name": "A",
        "query": "e",
        "labels": {"severity": "page"},
        "health": "unknown",
        "lastError": "",
        "evaluationTime": 0.0,
        "lastEvaluation": "0001-01-01T00:00:00Z",
        "outcome": "",
        "missing": [],
        "warnings": [],
        "type": "alerting",
        "state": "inactive",
        "duration": 300.0,
        "keepFiringFor": 0.0,
        "annotations": {"s": "{{ $value }}"},
        "alerts": [],
        "recovered": [],
    }


def test_alerts_have_their_states_and_times():
    labels = {"alertname": "A"}
    alerts = {
        "1": Alert(labels, "pending", AT - 60 * S, 1.0),
        "2": Alert(labels, "firing", AT - S // 2, 0.25, {"s": "x"}, fired_ns=AT, keep_since_ns=AT),
        "3": Alert(labels, "recovered", AT, 12.5, resolved_ns=AT + 60 * S),
    }
    progress = {"r": Progress("v", AT, outcome="value", took_ns=10_000_000)}
    found = one(progress=progress, alerts={"r": alerts})
    assert (found["lastEvaluation"], found["evaluationTime"]) == ("2026-01-02T03:04:05Z", 0.01)
    (rule_of,) = found["rules"]
    assert (rule_of["state"], rule_of["health"]) == ("firing", "ok")
    pending, firing = rule_of["alerts"]
    assert pending == {
        "labels": labels,
        "annotations": {},
        "state": "pending",
        "activeAt": "2026-01-02T03:03:05Z",
        "value": "1e+00",
    }
    assert firing["activeAt"] == "2026-01-02T03:04:04.5Z"
    assert (firing["value"], firing["keepFiringSince"]) == ("2.5e-01", "2026-01-02T03:04:05Z")
    (over,) = rule_of["recovered"]
    assert (over["state"], over["resolvedAt"]) == ("recovered", "2026-01-02T03:05:05Z")


def test_the_state_of_a_rule_is_the_worst_of_its_alerts():
    def state(*states):
        alerts = {str(place): Alert({}, each, AT, 1.0) for place, each in enumerate(states)}
        return one(alerts={"r": alerts})["rules"][0]["state"]

    assert state("pending", "firing", "recovered") == "firing"
    assert state("recovered", "pending") == "pending"
    assert state("recovered") == "inactive"


def test_a_rule_that_failed_says_so_and_a_late_one_what_it_lacks():
    failed = {"r": Progress("v", AT, 3, outcome="error", error="took too long")}
    (rule_of,) = one(progress=failed)["rules"]
    assert (rule_of["health"], rule_of["lastError"], rule_of["outcome"]) == ("err", "took too long", "error")
    late = {"r": Progress("v", AT, outcome="late")}
    (rule_of,) = one(progress=late, missing={"r": ["web-1"]}, warnings={"r": ["never fires"]})["rules"]
    assert (rule_of["health"], rule_of["missing"], rule_of["warnings"]) == ("ok", ["web-1"], ["never fires"])


def test_a_recording_rule_has_no_alerts():
    (rule_of,) = one(Rule("r", "e", record="a:b"))["rules"]
    assert (rule_of["type"], rule_of["name"]) == ("recording", "a:b")
    assert rule_of.keys() & {"state", "duration", "annotations", "alerts"} == set()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.0, "1e+00"),
        (1234567.0, "1.234567e+06"),
        (1e100, "1e+100"),
        (5e-324, "5e-324"),
        (-0.001, "-1e-03"),
        (100.0, "1e+02"),
        (0.0, "0e+00"),
        (float("inf"), "+Inf"),
        (float("-inf"), "-Inf"),
        (float("nan"), "NaN"),
    ],
)
def test_values_are_written_as_go_does(value, text):
    assert exponent_text(value) == text


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path)
    yield made
    made.control.close()


def test_the_log_has_every_window_and_is_asked_by_what_it_says(world):
    server, groups = world.server(), [group(rule("A"), rule("B"))]
    world.lines = [Line(130 * S, 0), Line(140 * S, 0)]
    for number in range(2, 6):
        world.now_ns = number * MINUTE
        world.failing = number == 5
        server.round(*groups)

    def times(**given):
        return [(each["name"], each["time"][14:16]) for each in evaluations(world.control, groups, Wanted(**given))]

    assert times(rules=("A",), outcomes=("value",)) == [("A", "03")]
    assert times(rules=("A",), outcomes=("error",)) == [("A", "05")]
    assert times(rules=("A",), start_ns=3 * MINUTE, end_ns=5 * MINUTE) == [("A", "04"), ("A", "03")]
    assert len(times(groups=("g",), limit=3)) == 3
    assert times(files=("other",)) == []
    everything = times(limit=1000)
    assert {name for name, _ in everything} == {"A", "B"}
    assert len(times(rules=("A",))) * 2 == len(everything)
    (entry,) = evaluations(world.control, groups, Wanted(rules=("A",), outcomes=("value",)))
    assert (entry["value"], entry["series"], entry["correction"], entry["error"]) == ("2e+00", 1, 0, "")
    (failed,) = evaluations(world.control, groups, Wanted(rules=("A",), outcomes=("error",)))
    assert (failed["value"], failed["error"]) == (None, "the query failed")


def test_the_log_of_a_rule_that_is_gone_is_there_by_its_id(world):
    server = world.server()
    world.now_ns = 2 * MINUTE
    server.round(group(rule("A")))
    found = evaluations(world.control, [], Wanted(rules=("A",)))
    assert found
    assert {entry["name"] for entry in found} == {""}


def test_the_sources_that_a_rule_lacks_are_those_of_its_last_window(world):
    server = world.server()
    world.now_ns = 2 * MINUTE
    server.round(group(rule("A", max_wait_ns=0)))
    assert server.store.standings().missing == {}
    world.now_ns, world.behind_ns = 3 * MINUTE, 2 * MINUTE
    server.round(group(rule("A", max_wait_ns=0)))
    assert server.store.standings().missing == {"A": ["files"]}
