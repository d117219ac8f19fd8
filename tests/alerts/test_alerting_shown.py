"""What a server shows of its rules, over a real table: states, texts with queries in them, warnings, the log."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from alerts.test_alerting import START, Place, S
from tailrace.alerts.kept.evaluation_log import Wanted
from tailrace.alerts.kept.tables import STATES

RULES = """
groups:
- name: g
  rules:
  - alert: Boom
    expr: sum by (host) (count_over_time({app="x"} |= "boom" [1m])) > 1
    labels: {severity: '{{ if gt $value 10.0 }}page{{ else }}mail{{ end }}'}
    annotations:
      text: '{{ $labels.host }} has {{ $value }} of {{ query `sum(count_over_time({app="x"}[2m]))` | first | value }}'
      wrong: '{{ query `sum(count_over_time({app="y"}[2m]))` | first }}'
      where: '{{ externalURL }} {{ $externalLabels.dc }}'
  - alert: Never
    expr: sum(count_over_time({app="z"}[1m])) > 1
"""


@pytest.fixture
def here(tmp_path):
    made = Place(tmp_path, rules=RULES, external_labels={"dc": "eu"})
    made.clock.advance(2)
    made.round()
    yield made
    made.control.close()


def rules(here):
    return {rule["name"]: rule for group in here.alerting.groups() if group["name"] == "g" for rule in group["rules"]}


def test_states_and_texts_of_rules(here):
    here.write(START + 30 * S)
    here.write(START + 40 * S, text="hello", count=3)
    here.minutes(1)
    boom, never = rules(here).values()
    assert (boom["state"], boom["health"], boom["outcome"], boom["warnings"]) == ("firing", "ok", "value", [])
    (alert,) = boom["alerts"]
    assert alert == {
        "labels": {"alertname": "Boom", "host": "a", "severity": "mail"},
        "annotations": {
            "text": "a has 2 of 5",
            "wrong": "<error expanding template: first() called on vector with no elements>",
            "where": "http://here:1 eu",
        },
        "state": "firing",
        "activeAt": "2026-01-01T00:01:00Z",
        "value": "2e+00",
    }
    assert (never["state"], never["alerts"]) == ("inactive", [])
    assert "no stream of the last 7 days is" in never["warnings"][0]
    assert "app is never 'z'" in never["warnings"][0]


def test_the_log_has_what_each_window_gave(here):
    here.write(START + 30 * S)
    here.minutes(2)
    found = here.alerting.evaluations(Wanted(rules=("Boom",), start_ns=START + S))
    assert [(entry["time"], entry["outcome"], entry["value"]) for entry in found] == [
        ("2026-01-01T00:02:00Z", "zero", None),
        ("2026-01-01T00:01:00Z", "value", "2e+00"),
    ]
    assert {(entry["group"], entry["file"]) for entry in found} == {("g", str(here.file))}


def test_rules_in_another_order_keep_their_alerts(here):
    here.write(START + 30 * S)
    here.minutes(1)
    head, boom, never = RULES.partition("  - alert: Boom")[0], *RULES.split("  - alert: ")[1:]
    here.file.write_text(f"{head}  - alert: {never}  - alert: {boom}")
    here.write(START + 90 * S)
    here.minutes(1)
    assert list(rules(here)) == ["Never", "Boom"]
    assert rules(here)["Boom"]["alerts"][0]["activeAt"] == "2026-01-01T00:01:00Z"
    with here.control.transaction() as connection:
        assert connection.execute(select(STATES.c.generation)).scalars().all() == [1]


def test_a_wrong_file_is_said_and_its_rules_go_on(here):
    here.file.write_text(RULES.replace("> 1", ">", 1))
    here.write(START + 30 * S)
    here.minutes(1)
    assert rules(here)["Boom"]["state"] == "firing"
    (problem,) = here.alerting.problems()
    assert problem.startswith(f"{here.file}:6:11: $.groups[0].rules[0].expr: parse error")
