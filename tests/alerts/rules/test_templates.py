"""Templates of rules, by cases worked out by hand from Prometheus' documentation."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

from tailrace.alerts.evaluate.contracts import Answers
from tailrace.alerts.evaluate.verdict import Answer
from tailrace.alerts.model import Rule
from tailrace.alerts.rules.templates import Templates, mistake, problems
from tailrace.batch import stream_text
from tailrace.clock import ManualClock

BOOK = tomllib.loads((Path(__file__).parents[2] / "cases" / "alerts" / "templates.toml").read_text())
AT_NS = int(BOOK["at_s"] * 1000) * 10**6


class Table:
    """Answers the queries of the book, and counts them."""

    def __init__(self):
        self.asked = []

    def __call__(self, asked, times):
        self.asked.append((asked, times[0]))
        found = BOOK["queries"][asked]
        if isinstance(found, str):
            return Answers({at_ns: Answer(at_ns, error=found) for at_ns in times})
        values = {stream_text(one.get("labels", {})): float(one["value"]) for one in found}
        return Answers({at_ns: Answer(at_ns, values) for at_ns in times})


def filler(ask=None, clock=None, **more) -> Templates:
    return Templates(ask, clock or ManualClock(), **more)


def expand(case) -> str:
    fill = filler(Table(), external_labels=BOOK["external_labels"], external_url=BOOK["external_url"])
    return fill.expand(case["text"], BOOK["labels"], case.get("value", BOOK["value"]), AT_NS)


@pytest.mark.parametrize("case", BOOK["case"], ids=[case["name"] for case in BOOK["case"]])
def test_templates(case):
    error = mistake(case["text"])
    if "refused" in case:
        assert error is not None
        assert case["refused"] in error.one_line()
        assert error.line_column == (1, case["column"])
        assert expand(case).startswith("<error expanding template: ")
    else:
        assert error is None
        assert expand(case) == case["gives"]


SAME = [case for case in BOOK["case"] if "ours" not in case and "refused" not in case]
IN_PROMQL = dict(zip(BOOK["queries"], ("vector(1)", "q", "nothing"), strict=False))


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory):
    """What promtool makes of all templates, by their names: it says what it got where it got what was not expected."""
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not there (apt: prometheus)")
    labels = ", ".join(f'{name}="{text}"' for name, text in BOOK["labels"].items())
    rules, series = [], [f"q{{host={host}}}" for host in ('"b", zone="1"', '"a", zone="2"', '"c"')]
    inputs = [{"series": one, "values": value} for one, value in zip(series, ("11", "21.5", "0"), strict=True)]
    for place, case in enumerate(SAME):
        text = case["text"]
        for ours, theirs in IN_PROMQL.items():
            text = text.replace(ours, theirs)
        value = str(case.get("value", BOOK["value"])).replace("nan", "NaN").replace("inf", "Inf")
        inputs.append({"series": f"m{place}{{{labels}}}", "values": value})
        by = ", ".join(BOOK["labels"])
        rules.append({"alert": f"A{place}", "expr": f"sum by ({by}) (m{place})", "annotations": {"text": text}})
    asked = [{"eval_time": "0m", "alertname": rule["alert"], "exp_alerts": []} for rule in rules]
    test = {"interval": "1m", "input_series": inputs, "alert_rule_test": asked}
    test |= {name: BOOK[name] for name in ("external_labels", "external_url")}
    folder = tmp_path_factory.mktemp("promtool")
    (folder / "rules.yaml").write_text(yaml.safe_dump({"groups": [{"name": "g", "rules": rules}]}))
    (folder / "test.yaml").write_text(yaml.safe_dump({"rule_files": ["rules.yaml"], "tests": [test]}))
    done = subprocess.run(
        [promtool, "test", "rules", "test.yaml"], cwd=folder, capture_output=True, text=True, check=False
    )
    got = {}
    for part in done.stderr.split("alertname: A")[1:]:
        text = re.search(r'got:.*?Annotations:\{text=("(?:[^"\\]|\\.)*")\}', part, re.DOTALL)
        got[SAME[int(part.split(",")[0])]["name"]] = json.loads(text[1]) if text else ""
    assert len(got) == len(SAME), done.stderr[:1000]
    return got


@pytest.mark.parametrize("case", SAME, ids=[case["name"] for case in SAME])
def test_prometheus_says_the_same(case, prometheus):
    if case["gives"].startswith("<error"):
        assert prometheus[case["name"]].startswith("<error expanding template: ")
    else:
        assert prometheus[case["name"]] == case["gives"]


def test_all_texts_of_a_rule_are_filled_in():
    texts = filler()({"a": "{{ $value }}", "b": "plain", "c": "{{ first 1 }}"}, {}, 2.0, AT_NS)
    assert texts == {
        "a": "2",
        "b": "plain",
        "c": "<error expanding template: 1 is no result of a query>",
    }


def test_the_problems_of_a_rule_have_their_places():
    rule = Rule("r", "vector(1)", "A", labels={"x": "{{", "y": "z"}, annotations={"s": "{{ $valeu }}"})
    found = problems(rule)
    assert [(problem.where, problem.what.splitlines()[0]) for problem in found] == [
        ("$.labels.x", "parse error at line 1, col 1: this action does not end (close it with }})"),
        ("$.annotations.s", "parse error at line 1, col 4: undefined variable $valeu (did you mean '$value'?)"),
    ]
    assert found[1].what.splitlines()[1:] == ["  {{ $valeu }}", "     ^"]


def test_the_labels_of_a_recording_rule_are_no_templates():
    assert problems(Rule("r", "vector(1)", record="a:b", labels={"x": "{{"})) == []


def test_a_query_is_asked_once_for_many_alerts_and_again_later():
    table, clock = Table(), ManualClock()
    fill = filler(table, clock)
    text = {"s": "{{ query `vector(1)` | first | value }}"}
    for _ in range(3):
        assert fill(text, {}, 1.0, AT_NS) == {"s": "1"}
    assert len(table.asked) == 1
    fill(text, {}, 1.0, AT_NS + 1)
    assert table.asked[-1] == ("vector(1)", AT_NS + 1)
    clock.advance(1.0)
    fill(text, {}, 1.0, AT_NS)
    assert len(table.asked) == 3


def test_a_template_asks_no_more_than_it_may():
    table = Table()
    text = "{{ range 200 }}{{ query `vector(1)` | len }}{{ end }}"
    assert filler(table).expand(text, {}, 1.0, AT_NS) == (
        "<error expanding template: query: more than 100 queries in one template>"
    )


def test_queries_that_take_long_hold_the_rules_up_only_once():
    clock = ManualClock()

    class Slow(Table):
        def __call__(self, asked, times):
            clock.advance(6.0)
            return super().__call__(asked, times)

    table = Slow()
    fill = filler(table, clock)
    text = "{{ query `vector(1)` | len }}"
    assert [fill.expand(text, {}, 1.0, AT_NS) for _ in range(3)] == ["1", "1", "1"]
    assert len(table.asked) == 1
    failing = '{{ query `sum(rate({app="slow"}[5m]))` }}'
    assert fill.expand(failing, {}, 1.0, AT_NS) == fill.expand(failing, {}, 1.0, AT_NS)
    assert len(table.asked) == 2
    clock.advance(1.0)
    three = "".join(f"{{{{ query `{text}` | len }}}}" for text in list(BOOK["queries"])[:3])
    assert fill.expand(three, {}, 1.0, AT_NS) == (
        "<error expanding template: query: the template asks for longer than 10 s>"
    )


def test_without_a_table_nothing_can_be_asked():
    assert filler().expand("{{ query `vector(1)` }}", {}, 1.0, AT_NS) == (
        "<error expanding template: query: nothing can be asked here>"
    )


def test_what_a_query_says_of_itself_stands_in_the_text():
    class Broken:
        def __call__(self, _asked, times):
            return Answers({at_ns: Answer(at_ns, error="took too long") for at_ns in times})

    assert filler(Broken()).expand("{{ query `vector(1)` }}", {}, 1.0, AT_NS) == (
        "<error expanding template: query: took too long>"
    )
