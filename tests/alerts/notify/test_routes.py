"""Routes, matchers and time intervals, by cases worked out by hand."""

from __future__ import annotations

import re
import tomllib
from datetime import datetime
from pathlib import Path

import polars as pl
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tailrace.alerts.notify.matchers import Matcher, matchers, matchers_text
from tailrace.alerts.notify.routes import taking, tree
from tailrace.alerts.notify.settings import NotifySettings
from tailrace.alerts.notify.time_intervals import Interval
from tailrace.config.document import read_document
from tailrace.config.problems import explain
from tailrace.query.regexes import anchored, problem

CASES = tomllib.loads((Path(__file__).parents[2] / "cases" / "alerts" / "routing.toml").read_text())
NAMES = ("default", "db", "pages", "log", "eq", "re", "ne", "nr", "web", "both", "old", "dotted", "umlaut", "quoted")
RECEIVERS = [{"name": name, "webhook": "http://127.0.0.1:1/"} for name in (*NAMES, "spaced", "empty", "one", "two")]


def settings(text: str) -> NotifySettings:
    return NotifySettings.model_validate({**yaml.safe_load(text), "receivers": RECEIVERS})


def labels_of(text: str) -> dict[str, str]:
    return dict(part.split("=", 1) for part in text.split(",")) if text else {}


@pytest.mark.parametrize(
    ("text", "line"),
    [(case["yaml"], line) for case in CASES["case"] for line in case["alerts"]],
    ids=[f"{case['name']}: {line}" for case in CASES["case"] for line in case["alerts"]],
)
def test_routes(text, line):
    labels, expected = line.split(" -> ")
    routes = taking(tree(settings(text).route), labels_of(labels))
    groups = [(route.receiver, route.group_labels(labels_of(labels))) for route in routes]
    wanted = [(name, labels_of(group)) for name, group in re.findall(r"(\w+)\{(.*?)\}", expected)]
    assert groups == wanted
    assert len({route.key for route in routes}) == len(routes)


@pytest.mark.parametrize("case", CASES["wrong"], ids=[case["name"] for case in CASES["wrong"]])
def test_what_is_wrong_is_said_at_its_place(case):
    document = read_document(case["yaml"], None)
    value = {**document.value, "receivers": RECEIVERS}
    with pytest.raises(ValidationError) as caught:
        NotifySettings.model_validate(value)
    said = [str(problem) for _, problem in explain(caught.value.errors(), value, document, NotifySettings)]
    for wanted in case["says"]:
        assert any(wanted in line for line in said), said
    assert all(re.match(r"\d+:\d+: ", line) for line in said)  # with line and column


@pytest.mark.parametrize("case", CASES["time"], ids=[case["name"] for case in CASES["time"]])
def test_times(case):
    interval = Interval.model_validate(yaml.safe_load(case["yaml"]))
    assert [at for at in case["inside"] if not interval.holds(ns(at))] == []
    assert [at for at in case["outside"] if interval.holds(ns(at))] == []
    again = Interval.model_validate(interval.model_dump(mode="json"))
    assert again == interval


@pytest.mark.parametrize("case", CASES["time_wrong"], ids=[case["yaml"] for case in CASES["time_wrong"]])
def test_wrong_times(case):
    with pytest.raises(ValidationError) as caught:
        Interval.model_validate(yaml.safe_load(case["yaml"]))
    causes = [error["ctx"]["error"] for error in caught.value.errors()]
    assert any(case["says"] in f"{cause} ({cause.hint})" for cause in causes)


def ns(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp()) * 10**9


def test_settings_are_read_again_as_they_are_shown():
    given_ = settings(CASES["case"][8]["yaml"])
    shown = given_.model_dump(mode="json", include={"route", "inhibit_rules", "time_intervals"})
    again = NotifySettings.model_validate({**shown, "receivers": RECEIVERS})
    assert again.route == given_.route


TESTS = st.builds(Matcher, st.text(min_size=1, max_size=8), st.sampled_from(["=", "!="]), st.text(max_size=8)).filter(
    lambda one: one.name.isprintable() and one.value.isprintable()
)


@given(st.lists(TESTS, min_size=1, max_size=3))
def test_what_is_written_is_read_again(tests):
    assert sorted(matchers(matchers_text(tests))) == sorted(tests)


@given(st.text(st.sampled_from("ab|.*+-\n"), max_size=8), st.text(st.sampled_from("ab.\n|"), max_size=6))
def test_both_ways_to_match_a_pattern_agree(pattern, value):
    """Simple patterns are matched by Python: it says what the engine says of the same pattern in a group."""
    if problem(pattern) is None and problem(f"(?:{pattern})") is None:
        expected = pl.Series([value]).str.contains(anchored(pattern)).item()
        assert Matcher("a", "=~", pattern).matches({"a": value}) == expected
