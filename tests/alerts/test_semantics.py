"""What rules do, by cases worked out by hand from the reference; each plays in the real evaluator and store.

A case without `differs` does as Prometheus does; one with it names the part of the reference where we do better, and
may say what Prometheus does instead (`prometheus`). Where Debian's promtool is there, both are put to it.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess

import pytest

from alerts.semantics import LETTERS, Play, cases, key, range_duration, rules_text, values_of
from tailrace.batch import stream_labels, stream_text
from tailrace.query.literals import write_duration, write_number

CASES = cases()
IDS = [f"{case['file'].removeprefix('semantics_')}: {case['name']}" for case in CASES]
PROMTOOL = shutil.which("promtool")
UNKNOWN_TO_PROMTOOL = ("restart", "reload", "error", "late", "behind", "down", "phase")
KEYS = {
    *(
        "name",
        "file",
        "rules",
        "group",
        "interval",
        "input",
        "states",
        "told",
        "annotations",
        "active",
        "log",
        "values",
    ),
    *("samples", "external_labels", "external_url", "differs", "prometheus", "promtool", "because"),
    *UNKNOWN_TO_PROMTOOL,
}


def letters(seen, wanted: str, ticks: int) -> str:
    """Return the letter of one alert at each tick."""
    text = ""
    for tick in range(ticks):
        if seen[tick] is None:
            text += " "
            continue
        found = [LETTERS[alert.state] for alert in seen[tick] if stream_text(alert.labels) == wanted]
        text += found[0] if found else "."
    return text


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_semantics(case, tmp_path):
    assert not case.keys() - KEYS
    play = Play(case, tmp_path)
    try:
        check(case, play, play.go())
    finally:
        play.control.close()


def check(case, play, seen):
    wanted = {key(text): states for text, states in case.get("states", {}).items()}
    there = {stream_text(alert.labels) for alerts in seen.values() for alert in alerts or ()}
    assert {text: letters(seen, text, play.ticks) for text in there | set(wanted)} == wanted
    rules = {rule.name: rule for rule in play.rules()}
    if "told" in case:
        assert [line for rule in rules.values() for line in play.told(rule)] == case["told"]
    if "log" in case:
        assert " ".join(play.log(next(iter(rules.values())))) == case["log"]
    for text, texts in case.get("annotations", {}).items():
        (found,) = [alert for alert in play.alerts() if stream_text(alert.labels) == key(text)]
        assert dict(found.annotations) == texts
    for text, value in case.get("values", {}).items():
        (found,) = [alert for alert in play.alerts() if stream_text(alert.labels) == key(text)]
        assert found.value == value
    for text, active in case.get("active", {}).items():
        assert actives(play, seen, key(text)) == active
    for tick, samples in case.get("samples", {}).items():
        wanted = {
            stream_text({"__name__": text.partition("{")[0], **stream_labels(text)}): float(value)
            for text, value in samples.items()
        }
        assert play.recorded(int(tick)) == wanted


def actives(play, seen, wanted: str) -> str:
    """Return the tick since which an alert is true, at each tick."""
    found = []
    for alerts in seen.values():
        living = [one for one in alerts or () if stream_text(one.labels) == wanted and one.state != "recovered"]
        found.append(play.tick_of(living[0].active_ns) if living else ".")
    return " ".join(found)


def test_there_are_enough_cases_and_each_says_something_else():
    assert len(CASES) >= 120
    assert len({(case["file"], case["name"]) for case in CASES}) == len(CASES)
    parts = {case["differs"] for case in CASES if "differs" in case}
    assert parts >= {"C1", "C3", "C4", "C5", "C6"}


# --- the same, in Prometheus -------------------------------------------------------------------------

IN_PROMETHEUS = [
    pytest.param(case, id=name)
    for case, name in zip(CASES, IDS, strict=True)
    if case.get("promtool", True)
    and ("differs" not in case or "prometheus" in case)
    and not any(name in case for name in UNKNOWN_TO_PROMTOOL)
]


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed (scripts/peers does)")
@pytest.mark.parametrize("case", IN_PROMETHEUS)
def test_prometheus_does_the_same(case, tmp_path):
    """Play a case in Prometheus: its states are those of the case, or those that it says Prometheus has."""
    names = {"X": "x", "Y": "y", "V": "v"}
    (tmp_path / "rules.yaml").write_text(rules_text(case, case["rules"], names))
    (tmp_path / "test.yaml").write_text(json.dumps(promtool_test(case)))
    ran = subprocess.run([PROMTOOL, "test", "rules", "test.yaml"], cwd=tmp_path, capture_output=True, text=True, check=False)  # fmt: skip
    assert ran.returncode == 0, ran.stdout + ran.stderr


def promtool_test(case):
    interval = range_duration(case.get("interval", "1m"))
    states = {key(text): one for text, one in case.get("prometheus", case.get("states", {})).items()}
    ticks = max(len(values_of(text)) for text in case["input"].values())
    test = {
        "interval": write_duration(interval),
        "input_series": [
            {"series": name[0].lower() + name[1:], "values": " ".join(map(sample, values_of(text)))}
            for name, text in case["input"].items()
        ],
        "alert_rule_test": alert_tests(case, states, ticks, interval),
        "promql_expr_test": [one for tick in range(ticks) for one in expr_tests(case, states, tick, interval)],
        "external_labels": case.get("external_labels", {}),
        "external_url": case.get("external_url", ""),
    }
    return {"rule_files": ["rules.yaml"], "evaluation_interval": write_duration(interval), "tests": [test]}


def sample(value: float | None) -> str:
    return "stale" if value is None else write_number(value)


def alert_tests(case, states, ticks, interval):
    """Return what fires at each tick; annotations are told for the last one."""
    found = []
    for name in sorted({stream_labels(text)["alertname"] for text in states}):
        for tick in range(ticks):
            firing = [text for text, one in states.items()
                      if one[tick] == "f" and stream_labels(text)["alertname"] == name]  # fmt: skip
            notes = {key(text): one for text, one in case.get("annotations", {}).items()}
            if tick < ticks - 1 and re.search("annotations", case["rules"]):
                continue  # what they say at earlier ticks is not part of the case
            alerts = [{"exp_labels": dict(stream_labels(text)), "exp_annotations": notes.get(text, {})}
                      for text in firing]  # fmt: skip
            found.append({"eval_time": write_duration(tick * interval), "alertname": name, "exp_alerts": alerts})
    return found


def expr_tests(case, states, tick, interval):
    """Return what `ALERTS` is at a tick, since when alerts are true, and what was recorded."""
    time = {"eval_time": write_duration(tick * interval)}
    words = {"p": "pending", "f": "firing"}
    alerts = [
        {"labels": "ALERTS" + stream_text({**stream_labels(text), "alertstate": words[one[tick]]}), "value": 1}
        for text, one in states.items()
        if one[tick] in words
    ]
    yield {"expr": "ALERTS", **time, "exp_samples": alerts}
    if "active" in case and "prometheus" not in case:
        since = {key(text): one.split()[tick] for text, one in case["active"].items()}
        samples = [{"labels": "ALERTS_FOR_STATE" + text, "value": float(at) * interval / 10**9}
                   for text, at in since.items() if at != "."]  # fmt: skip
        yield {"expr": "ALERTS_FOR_STATE", **time, "exp_samples": samples}
    for text, value in case.get("samples", {}).get(str(tick), {}).items():
        yield {"expr": text, **time, "exp_samples": [{"labels": text, "value": value}]}
