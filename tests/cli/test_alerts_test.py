"""`tailrace alerts test`, as a build server calls it."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest
from typer.testing import CliRunner

from tailrace.cli.app import app, execute

RULES = """
groups: [{name: g, rules: [{alert: A, expr: 'sum(count_over_time({app="x"}[1m])) > 1'}]}]
"""
GOOD = """
rule_files: [rules.yaml]
tests:
- name: two lines
  input_logs: [{stream: '{app="x"}', lines: [{text: a, count: 2, every: 1s}]}]
  alert_rule_test: [{eval_time: 1m, alertname: A}]
- name: one line
  input_logs: [{stream: '{app="x"}', lines: [{text: a, at: 1s}]}]
  alert_rule_test: [{eval_time: 1m, alertname: A}]
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rules.yaml").write_text(RULES)
    (tmp_path / "good.yaml").write_text(GOOD)
    (tmp_path / "bad.yaml").write_text(GOOD.replace("eval_time: 1m", "eval_time: 1s"))
    (tmp_path / "wrong.yaml").write_text("rules: []")
    return tmp_path


def invoke(*arguments: str):
    return CliRunner().invoke(app, ["alerts", "test", *arguments])


def test_a_good_file():
    done = invoke("good.yaml")
    assert (done.exit_code, done.stdout) == (0, "Unit Testing:  good.yaml\n  SUCCESS: 2 tests, 2 checks\n\n")


def test_all_files_are_tested_whatever_is_wrong_with_one(folder):
    (folder / "bad.yaml").write_text(
        GOOD.replace("{eval_time: 1m, alertname: A}", "{eval_time: 0, alertname: A, outcome: late}")
    )
    done = invoke("wrong.yaml", "bad.yaml", "good.yaml", "--junit", "out.xml")
    assert done.exit_code == 1
    said = done.stdout.split("Unit Testing:  ")
    assert said[1].startswith("wrong.yaml\n  FAILED:\nwrong.yaml:1:1: $.rules: ")
    assert said[2].startswith("bad.yaml\n  FAILED:\n    name: two lines,\n    alertname: A, time: 0s, outcome\n")
    assert said[3] == "good.yaml\n  SUCCESS: 2 tests, 2 checks\n\n"
    read = ET.parse("out.xml").getroot()
    assert [(one.get("name"), one.get("failures"), one.get("errors")) for one in read] == [
        ("wrong.yaml", "0", "1"),
        ("bad.yaml", "2", "0"),
        ("good.yaml", "0", "0"),
    ]


def test_tests_are_picked_by_name():
    done = invoke("good.yaml", "--run", "^one", "--verbose")
    assert done.exit_code == 0
    assert done.stdout.splitlines()[1].startswith("  one line: good, ")
    assert "SUCCESS: 1 test, 1 check" in done.stdout


def test_what_is_no_regular_expression_is_refused(capsys):
    assert execute(["alerts", "test", "good.yaml", "--run", "("]) == 2
    assert "is no regular expression" in capsys.readouterr().err


def test_a_report_that_cannot_be_written_is_said(capsys):
    assert execute(["alerts", "test", "good.yaml", "--run", "none", "--junit", "no/such/folder.xml"]) == 2
    assert "cannot be written" in capsys.readouterr().err
