"""`tailrace alerts`: made, listed, asked, silenced and deleted in a folder, as a person does."""

from __future__ import annotations

import json

import pytest

from tailrace.alerts.alerting import Alerting
from tailrace.alerts.rules.book import RuleBook
from tailrace.cli.folder import opened_control
from tailrace.clock import NS_PER_S, ManualClock
from tailrace.config.load import load
from tailrace.engines.polars import PolarsEngine
from tailrace.store.table import LogTable
from tailrace.telemetry import Accounts

START_S = 1_767_322_800  # 2026-01-02T03:00:00Z
LINE = '10.0.0.1 - - [02/Jan/2026:{time} +0000] "GET {path} HTTP/1.1" 200 12\n'
RULES = """
groups:
- name: shop
  rules:
  - alert: Broken
    expr: sum(count_over_time({host=~".+"} | status >= 500 [1m])) > 0
    for: 5m
    labels: {severity: page}
"""


def access(*lines):
    """Return lines of an access log: pairs of time and path."""
    return "".join(LINE.format(time=time, path=path) for time, path in lines)


@pytest.fixture
def data(tmp_path, run):
    """A data folder with three requests in one second, and nothing after."""
    (tmp_path / "access.log").write_text(access(*[("03:00:05", f"/shop/{n}") for n in range(3)]))
    assert run("collect", tmp_path / "access.log", "--data", tmp_path / "data").code == 0
    return tmp_path / "data"


@pytest.fixture
def evaluate(data):
    """Return what evaluates the rules of the folder, every second from the start on, for some seconds."""

    def evaluated(seconds):
        clock = ManualClock(START_S * NS_PER_S)
        table = LogTable.open(data)
        with opened_control(data) as control:
            alerting = Alerting(
                load(None, {"data": data}).alerts, control, table, PolarsEngine(), clock=clock, accounts=Accounts()
            )
            for _ in range(seconds + 2):  # lines of a window are waited for a second
                alerting.service.round()
                clock.advance(1)

    return evaluated


@pytest.fixture
def busy(run, data):
    """An alert on the metric of the default set: more than half a request a second, over four seconds."""
    assert run("metrics", "create", "--default", "--data", data).code == 0
    words = ("-id", "busy", "--metric", "traffic", "-l", 0.5, "-w", 4, "-pr", 1)
    done = run("alerts", "create", *words, "--data", data)
    assert (done.code, done.out, done.err) == (0, "busy: created\n", "")


def rows(done):
    assert (done.code, done.err) == (0, "")
    return [json.loads(line) for line in done.out.splitlines()]


def test_every_signal_is_in_the_history_and_its_end(run, data, busy, evaluate):
    evaluate(10)
    done = run("alerts", "get", "busy", "--data", data)
    assert done.out.splitlines() == [  # three requests over four seconds; (5, 9] has none of second 5
        "2026-01-02T03:00:09Z: recovered",
        "2026-01-02T03:00:08Z: 0.75 (alert: above 0.5)",
        "2026-01-02T03:00:07Z: 0.75 (alert: above 0.5)",
        "2026-01-02T03:00:06Z: 0.75 (alert: above 0.5)",
        "2026-01-02T03:00:05Z: 0.75 (alert: above 0.5)",
    ]
    assert run("alerts", "get", "busy", "--limit", 1, "--data", data).out == "2026-01-02T03:00:09Z: recovered\n"
    (newest, signal) = rows(run("alerts", "get", "busy", "--limit", 2, "-o", "jsonl", "--data", data))
    assert (newest["kind"], newest["value"]) == ("recovered", None)
    assert signal == {
        "alert": "busy",
        "time": "2026-01-02T03:00:08Z",
        "kind": "signal",
        "labels": {"alertname": "busy"},
        "value": 0.75,
    }


def observed(run, data, *words):
    done = run("alerts", "observe", "busy", "--count", 1, "--data", data, *words)
    assert (done.code, done.err) == (0, "")
    return done.out.partition(" ")[2]  # behind the time of day


@pytest.mark.parametrize(
    ("seconds", "puppylog", "plain"),
    [
        (3, "busy: All good!!!\n", "busy: inactive\n"),
        (
            7,
            "busy: Ringing a bell!!! last signal 2026-01-02T03:00:07Z: 0.75 (alert: above 0.5)\n",
            "busy: firing, last signal 2026-01-02T03:00:07Z: 0.75 (alert: above 0.5)\n",
        ),
        (
            10,
            "busy: recovered, last signal 2026-01-02T03:00:08Z: 0.75 (alert: above 0.5)\n",
            "busy: recovered, last signal 2026-01-02T03:00:08Z: 0.75 (alert: above 0.5)\n",
        ),
    ],
)
def test_observe(run, data, busy, evaluate, tmp_path, seconds, puppylog, plain):
    evaluate(seconds)
    (tmp_path / "off.yaml").write_text("alerts: {evaluate: false}\n")  # or it would catch up with the present
    off = ("--config", tmp_path / "off.yaml")
    assert observed(run, data, *off) == puppylog
    assert observed(run, data, *off, "--wording", "plain") == plain
    (found,) = [
        json.loads(line)
        for line in run("alerts", "observe", "busy", "-n", 1, "-o", "jsonl", *off, "--data", data).out.splitlines()
    ]
    assert (found["name"], found["last_signal"] is None) == ("busy", seconds == 3)


def test_observe_evaluates_where_no_server_does(run, data):
    words = ("-id", "any", "--expr", 'sum(count_over_time({host=~".+"}[30d])) >= 0', "-pr", 1)
    assert run("alerts", "create", *words, "--data", data).code == 0
    done = run("alerts", "observe", "-rr", 0.5, "--count", 8, "--data", data)
    assert done.code == 0
    (row,) = rows(run("alerts", "list", "-o", "jsonl", "--data", data))
    assert row["evaluated"] is not None


def test_list_and_meta(run, data, busy):
    done = run("alerts", "list", "--data", data)
    assert done.out.splitlines() == [
        'inactive   busy          sum (count_over_time({host=~".+"} | method!="" [4s])) / 4 > 0.5',
        'inactive   totaltraffic  sum (count_over_time({host=~".+"} | method!="" [2m])) / 120 > 10',
    ]
    assert run("alerts", "list", "--wording", "puppylog", "--data", data).out.splitlines()[:3] == [
        "Available alerts:",
        "busy",
        "totaltraffic",
    ]
    meta = dict(line.rsplit("  ", 1) for line in run("alerts", "meta", "busy", "--data", data).out.splitlines())
    meta = {key.strip(): value for key, value in meta.items()}
    assert {key: meta[f"annotation {key}"] for key in ("metric", "statistic", "window", "level")} == {
        "metric": "traffic",
        "statistic": "avg",
        "window": "4s",
        "level": "0.5",
    }
    assert (meta["interval"], meta["state"]) == ("1 s", "inactive")


def test_an_alert_is_made_once_and_gone_when_deleted(run, data, busy):
    again = run("alerts", "create", "-id", "busy", "--metric", "traffic", "-l", 1, "--data", data)
    assert (again.code, again.out) == (1, "busy: already created\n")
    assert "tailrace alerts delete busy" in again.err
    assert run("alerts", "delete", "busy", "--data", data).out == "deleted busy\n"
    gone = run("alerts", "get", "busy", "--data", data)
    assert (gone.code, gone.err) == (2, "error: there is no alert 'busy' (there are: totaltraffic)\n")
    made = run("alerts", "create", "-id", "busy", "--metric", "traffic", "-l", 1, "--data", data)
    assert (made.code, made.out) == (0, "busy: created\n")


def test_an_alert_of_a_query_with_all_that_a_rule_has(run, data):
    words = ("--for", "5m", "--label", "severity=page", "--annotation", "text={{ $value }} = much", "-pr", "30")
    expr = 'sum by (host) (rate({host=~".+"} |= "error" [5m])) > 1'
    assert run("alerts", "create", "-id", "E", "--expr", expr, *words, "--data", data).code == 0
    (row,) = rows(run("alerts", "list", "-o", "jsonl", "--data", data))
    assert (row["expr"], row["for_s"], row["interval_s"]) == (expr, 300, 30)
    assert (row["labels"], row["annotations"]) == ({"severity": "page"}, {"text": "{{ $value }} = much"})


def test_alerts_of_rule_files_are_shown_and_kept(run, data, tmp_path):
    (tmp_path / "rules.yaml").write_text(RULES)
    (tmp_path / "tailrace.yaml").write_text(f"alerts: {{rule_files: [{tmp_path}/rules.yaml]}}\n")
    words = ("--data", data, "--config", tmp_path / "tailrace.yaml")
    (row,) = rows(run("alerts", "list", "-o", "jsonl", *words))
    assert (row["name"], row["namespace"], row["for_s"]) == ("Broken", f"{tmp_path}/rules.yaml", 300)
    done = run("alerts", "delete", "Broken", *words)
    assert done.code == 1
    assert f"the alert 'Broken' comes from {tmp_path}/rules.yaml; remove it there" in done.err
    (tmp_path / "rules.yaml").write_text(RULES + "    labls: {}\n")
    done = run("alerts", "list", *words)
    assert done.code == 0
    assert "rules.yaml:9:5: $.groups[0].rules[0].labls" in done.err


def test_one_of_two_rules_of_a_name_is_deleted_by_its_id(run, data):
    rule = {"alert": "Twice", "expr": 'sum(rate({host=~".+"}[1m])) > 1', "labels": {"severity": "page"}}
    group = {"name": "g", "rules": [rule, {"record": "r", "expr": 'sum(rate({a="b"}[1m]))'}, {**rule, "for": "1m"}]}
    with opened_control(data) as control:
        RuleBook(control, (), ManualClock()).save("shop", group)
    first, second = rows(run("alerts", "list", "-o", "jsonl", "--data", data))
    assert (first["for_s"], second["for_s"]) == (0, 60)
    assert run("alerts", "delete", first["id"], "--data", data).code == 0
    assert [row["for_s"] for row in rows(run("alerts", "list", "-o", "jsonl", "--data", data))] == [60]
    assert run("alerts", "delete", "Twice", "--data", data).out == "deleted Twice\n"
    with opened_control(data) as control:
        saved = RuleBook(control, (), ManualClock()).namespaces()
    assert [one["record"] for one in saved["shop"]["g"]["rules"]] == ["r"]


def test_silences(run, data):
    made = run("alerts", "silence", "busy", "--for", "1h", "--comment", "load test", "--by", "ann", "--data", data)
    name = made.out.strip()
    (one,) = rows(run("alerts", "silence", "-o", "jsonl", "--data", data))
    assert (one["id"], one["status"], one["createdBy"]) == (name, {"state": "active"}, "ann")
    assert one["matchers"] == [{"name": "alertname", "value": "busy", "isRegex": False, "isEqual": True}]
    assert run("alerts", "silence", "severity=page", "host!~web.*", "--data", data).code == 0
    lines = run("alerts", "silence", "--data", data).out.splitlines()
    assert any('severity="page", host!~"web.*"' in line for line in lines)
    assert run("alerts", "silence", "--end", name, "--data", data).out == f"ended {name}\n"
    states = {
        one["id"]: one["status"]["state"] for one in rows(run("alerts", "silence", "-o", "jsonl", "--data", data))
    }
    assert states[name] == "expired"
    assert sorted(states.values()) == ["active", "expired"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("create", "-id", "x"), "either a metric or a query"),
        (("create", "-id", "x", "--metric", "traffic", "--expr", "1"), "either a metric or a query"),
        (("create", "-id", "x", "--metric", "traffic"), "needs a level (--level 10)"),
        (("create", "-id", "x", "--metric", "trafic", "-l", "1"), "did you mean 'traffic'?"),
        (("create", "-id", "x", "--metric", "traffic", "-l", "1", "-w", "soon"), "--window='soon' is no duration"),
        (("create", "-id", "x", "--metric", "traffic", "-l", "nan"), "is no number to compare with"),
        (("create", "-id", "x", "--metric", "traffic", "-l", "1", "-s", "max"), "there is no 'max' of sums"),
        (("create", "-id", "x", "--expr", "1 > 0", "-l", "1"), "--level: of a metric only"),
        (("create", "-id", "x", "--expr", '{a="b"}'), "gives lines, and a rule needs numbers"),
        (("create", "-id", "x", "--expr", 'rate({a="b"}[1m]) > 0', "--label", "a"), "--label 'a' is no name with"),
        (("create", "-id", "x", "--expr", 'rate({a="b"}[1m]'), "error: --expr: parse error at line 1"),
        (("create", "-id", "x", "--expr", "vector(1)", "--annotation", "a={{"), "error: --annotation a: parse error"),
        (("silence", "a", "b"), "no alert has 2 names"),
        (("get", "totaltrafic"), "did you mean 'totaltraffic'?"),
        (("observe", "nobody", "-n", "1"), "there is no alert 'nobody' (there are: busy, totaltraffic)"),
        (("silence", "a=~["), "regular expression '[' is wrong"),
        (("silence", "--end", "x"), "there is no silence 'x'"),
        (("silence", "x", "--end", "y"), "without a matcher"),
        (("list", "--url", "http://127.0.0.1:1"), "name two tables"),
    ],
)
def test_mistakes_are_said(run, data, busy, words, said):
    done = run("alerts", *words, "--data", data)
    assert done.code in (1, 2)
    assert said in done.err
    assert done.out == ""


def test_nothing_is_made_where_nothing_is_kept(run, tmp_path):
    done = run("alerts", "list", "--data", tmp_path / "typo")
    assert (done.code, done.out) == (1, "")
    assert "there is no data folder" in done.err
    assert not (tmp_path / "typo").exists()
