"""`tailrace check rules`: mistakes with their places, warnings, and what a table knows of them."""

from __future__ import annotations

import json

import pytest

GOOD = """groups:
- name: g
  rules:
  - alert: A
    expr: sum(rate({service_name="app"} |= "broken" [5m])) > 1
"""


@pytest.fixture
def rules(tmp_path):
    def write(text):
        file = tmp_path / "rules.yaml"
        file.write_text(text, encoding="utf-8")
        return file

    return write


def test_good_rules_are_counted(run, rules):
    file = rules(GOOD)
    done = run("check", "rules", file)
    assert (done.code, done.out, done.err) == (0, f"{file}: good, 1 rule\n", "")


def test_all_mistakes_are_said_with_their_places(run, rules):
    file = rules(GOOD.replace("> 1", ">") + "    fro: 1m\n    annotations: {s: '{{ $labls.x }}'}\n")
    done = run("check", "rules", file)
    assert (done.code, done.out) == (1, "")
    said = [line.removeprefix(f"{file}:").split(": ")[:2] for line in done.err.splitlines()]
    assert said == [
        ["5:11", "$.groups[0].rules[0].expr"],
        ["6:5", "$.groups[0].rules[0].fro"],
        ["7:22", "$.groups[0].rules[0].annotations.s"],
    ]


def test_doubts_are_warnings_unless_one_is_strict(run, rules):
    file = rules(GOOD + "    for: 10s\n")
    done = run("check", "rules", file)
    assert (done.code, done.out) == (0, f"{file}: good, 1 rule\n")
    assert done.err.startswith(f"warning: {file}:6:10: $.groups[0].rules[0].for: 10s is less than the interval")
    assert run("check", "rules", "--strict", file).code == 1
    (found,) = json.loads(run("check", "rules", "--json", file).out)
    assert (found["ok"], found["rules"], found["problems"]) == (True, 1, [])
    assert [(each["where"], each["line"], each["column"]) for each in found["warnings"]] == [
        ("$.groups[0].rules[0].for", 6, 10)
    ]


def test_a_table_tells_which_rules_can_never_fire(run, rules, tmp_path):
    log = tmp_path / "web.log"
    log.write_text("one line\n", encoding="utf-8")
    data = tmp_path / "data"
    assert run("collect", log, "--data", data).code == 0
    never = run("check", "rules", "--data", data, rules(GOOD.replace("service_name", "no_such_name")))
    assert "no stream of the last 7 days is" in never.err
    assert "so this can never fire" in never.err
    there = run("check", "rules", "--data", data, rules(GOOD.replace('service_name="app"', 'host=~".+"')))
    assert there.err == ""


def test_what_is_wrong_with_the_files(run, tmp_path, rules):
    done = run("check", "rules", tmp_path / "none.yaml")
    assert done.code == 2
    assert "there is no such file" in done.err
    several = run("check", "rules", rules(GOOD), rules(GOOD), "--data", tmp_path / "none")
    assert several.code != 0
    assert "there is no table in" in several.err


def test_a_configuration_is_checked_with_its_rule_files(run, rules, tmp_path):
    file = rules(GOOD.replace("> 1", ">"))
    config = tmp_path / "tailrace.yaml"
    config.write_text(f"alerts: {{rule_files: [{tmp_path}/ru*.yaml, {tmp_path}/none/*.yaml]}}", encoding="utf-8")
    done = run("check", "config", config)
    assert done.code == 0
    first, second = (line for line in done.err.splitlines() if "$.sources" not in line)
    assert first.startswith(f"warning: {file}:5:11: $.groups[0].rules[0].expr: parse error")
    assert second == (
        f"warning: $.alerts.rule_files[1]: {tmp_path}/none/*.yaml does not exist; it is read when it appears"
    )
