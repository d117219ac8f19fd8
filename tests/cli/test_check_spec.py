"""`tailrace check spec`: exit codes, all mistakes, what a sample shows."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

BROKEN = tomllib.loads((Path(__file__).parents[1] / "cases" / "reduce" / "broken_specs.toml").read_text())["case"]
EVENTS = Path(__file__).parents[1] / "data" / "traceleft" / "aggregator-spec.json"

SPEC = """
steps:
  - {id: quiet, type: drop, where: level = 'debug' or stauts = 1}
  - {type: aggregate, window_s: 60, by: [level], fields: {n: count}}
"""
LOG = '{"level": "debug", "msg": "a"}\n{"level": "info", "msg": "b"}\n{"level": "info", "msg": "c"}\nno json\n'


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    spec, log = tmp_path / "spec.yaml", tmp_path / "app.log"
    spec.write_text(SPEC)
    log.write_text(LOG)
    return str(spec), str(log)


def test_a_good_spec(run, files) -> None:
    done = run("check", "spec", files[0])
    assert (done.code, done.out) == (0, f"{files[0]}: good, 2 steps\n")


def test_a_sample_as_json(run, files) -> None:
    done = run("check", "spec", files[0], "--sample", files[1], "--examples", "1", "--json")
    assert done.code == 0
    sample = json.loads(done.out)["sample"]
    assert (sample["lines"], sample["bytes"]) == (4, len(LOG))
    quiet, counted = sample["steps"]
    assert quiet["matched"] == [1]
    assert quiet["before"]["rows"], quiet["after"]["rows"] == (4, 3)
    assert quiet["dropped"] == {"quiet": [1, 31]}
    assert quiet["examples"] == ["a"]
    assert counted["after"]["rows"] == 2
    assert sorted(counted["made"]) in (["n=1"], ["n=2 level=info"])
    assert sample["warnings"] == [
        "$.steps[0]: nothing in the sample is called 'stauts' (in \"level = 'debug' or stauts = 1\")"
    ]


def test_mistakes_are_found_all_at_once(run, tmp_path) -> None:
    file = tmp_path / "spec.yaml"
    file.write_text("steps:\n  - {type: drop, where: a = }\n  - {type: drp}\n")
    done = run("check", "spec", str(file), "--json")
    assert done.code == 1
    assert [each["where"] for each in json.loads(done.out)["problems"]] == ["$.steps[0].where", "$.steps[1]"]
    done = run("check", "spec", str(file))
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("2 problems\n")


def test_what_is_not_there(run, files, tmp_path) -> None:
    assert run("check", "spec", str(tmp_path / "none.yaml")).code == 2
    done = run("check", "spec", files[0], "--sample", str(tmp_path / "none.log"))
    assert done.code == 1
    assert "there is no such file" in done.err
    assert run("check", "spec", files[0], "--sample", files[1], "--format", "jsn").code == 2


def test_declared_parsers_are_tried_on_the_sample(run, tmp_path) -> None:
    spec, log = tmp_path / "tailrace.yaml", tmp_path / "app.log"
    spec.write_text("spec:\n  parsers: [{name: pairs, regex: '^(?P<a>[0-9]+) (?P<b>.*)$', types: {a: int}}]\n")
    log.write_text("1 x\n2 y\nother\n")
    done = run("check", "spec", str(spec), "--sample", str(log))
    assert "read as pairs: 2 rows (66.7 %)" in done.out
    assert "did not fit, PatternParserErr: 1 rows (33.3 %)" in done.out


@pytest.mark.parametrize("case", BROKEN, ids=lambda case: case["name"])
def test_every_mistake_has_its_place_and_nothing_is_a_trace(run, tmp_path, case) -> None:
    file = tmp_path / "spec.yaml"
    file.write_text(case["spec"])
    done = run("check", "spec", str(file), "--json")
    assert done.code == 1
    problems = json.loads(done.out)["problems"]
    assert [each["where"] for each in problems] == case["where"]
    assert all(each["line"] and each["what"] for each in problems)


@pytest.mark.parametrize("content", [b"steps: [\xff]", "steps: []".encode("utf-16"), b"steps:\n  - {type: drop\n"])
def test_what_is_no_text_or_no_yaml(run, tmp_path, content) -> None:
    file = tmp_path / "spec.yaml"
    file.write_bytes(content)
    done = run("check", "spec", str(file))
    assert done.code == 1
    assert done.err.startswith(f"{file}:")


def test_a_folder_and_nothing_at_all(run, tmp_path) -> None:
    assert "this is a folder" in (done := run("check", "spec", str(tmp_path))).err
    assert done.code == 2
    assert "there is no such file" in (done := run("check", "spec", str(tmp_path / "none.yaml"))).err
    assert done.code == 2


def test_what_event_filters_do_to_a_sample(run, tmp_path) -> None:
    spec, events = tmp_path / "spec.json", tmp_path / "events.jsonl"
    document = json.loads(EVENTS.read_text())
    document["events"].append({"name": "close", "channel": "1", "colour": "red"})
    spec.write_text(json.dumps(document))
    # 300 events a second for three seconds, each second one of the file: 150 a second, of 450 each 100th passes.
    lines = [
        {"name": "open", "timestamp": n * 10**9 // 300, "args": {"filename": "/tmp/a.txt" if n % 2 else "/x"}}
        for n in range(900)
    ]
    events.write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"msg": "another"}\n')
    done = run("check", "spec", str(spec), "--sample", str(events), "--examples", "1")
    assert done.code == 0
    assert f"{spec}: good, 2 event filters\n" in done.out
    assert "events[0]: open, arg1 == '/tmp/a.txt', to channel 1\n" in done.out
    assert "  900 events → 450 taken by the rule (50.0 %) → 4 passed (0.4 %) → 3 alerts\n  + COUNT 150: {" in done.out
    assert "ended in filters, under aggregation_spec: 900 lines" in done.out
    assert done.err.splitlines() == [
        "warning: $.events[1].colour: this key means nothing here",
        "warning: $.events[1]: nothing in the sample is an event 'close'",
    ]
