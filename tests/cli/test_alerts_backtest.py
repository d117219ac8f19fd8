"""`tailrace alerts backtest` on the table of a folder."""

from __future__ import annotations

import json

import polars as pl
import pytest
from typer.testing import CliRunner

from tailrace.batch import Batch
from tailrace.cli.app import app, execute
from tailrace.store.table import LogTable

S = 10**9
START = 1_767_225_600 * S  # 2026-01-01T00:00:00Z
RULES = """
groups:
- name: g
  rules:
  - {alert: A, expr: 'sum(count_over_time({app="x"}[1m])) > 3'}
  - {alert: Twice, expr: 'sum(count_over_time({app="x"}[1m])) > 3', labels: {n: a}}
  - {alert: Twice, expr: 'sum(count_over_time({app="x"}[1m])) > 3', labels: {n: b}}
  - {record: 'a:b', expr: 'sum(count_over_time({app="x"}[1m]))'}
"""
SPAN = ["--from", "2026-01-01T00:00:00Z", "--to", "2026-01-01T01:00:00Z"]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Five lines in the tenth minute."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TAILRACE_CONFIG", raising=False)
    table = LogTable.open(tmp_path / "data", create=True)
    times = [START + (9 * 60 + second) * S for second in range(1, 6)]
    frame = pl.DataFrame({"_time_ns": times, "_observed_ns": times, "_stream": '{app="x"}', "_line": "boom"})
    table.commit([Batch(frame, "test", 5, 25)])
    (tmp_path / "rules.yaml").write_text(RULES)
    return tmp_path


def invoke(*arguments: str):
    return CliRunner().invoke(app, ["alerts", "backtest", *arguments, *SPAN, "--data", "data"])


def test_a_rule_of_a_file():
    done = invoke("A", "--file", "rules.yaml")
    assert done.exit_code == 0
    assert done.stdout.splitlines()[1:3] == [
        "  fired 1 time, 1m in all, longest 1m, 2 notices, 0 flaps",
        '    2026-01-01T00:10:00Z  1m         {alertname="A"} 5',
    ]


def test_a_rule_of_the_configuration(folder):
    (folder / "tailrace.yaml").write_text("alerts: {rule_files: [rules.yaml]}\nsources: []")
    done = invoke("A", "--config", "tailrace.yaml", "--json", "--sweep", "threshold=4,5", "--against", "rules.yaml")
    assert done.exit_code == 0
    found = json.loads(done.stdout)
    assert (found["fired"], found["difference"]) == (1, {"only_before": [], "only_after": [], "both": 1})
    assert [(one["settings"], one["fired"]) for one in found["sweep"]] == [("threshold=4", 1), ("threshold=5", 0)]


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["B", "--file", "rules.yaml"], "there is no rule 'B'"),
        (["Twice", "--file", "rules.yaml"], "there are 2 rules 'Twice' (name one by its id: "),
        (["a:b", "--file", "rules.yaml"], "never fires"),
        (["A", "--file", "rules.yaml", "--sweep", "limit=1"], "is no sweep"),
        (["A", "--file", "none.yaml"], "there is no such file"),
        (["A"], "there is no rule 'A' (name a rule file with --file)"),
    ],
)
def test_what_cannot_be_tested_is_said(arguments, what, capsys):
    assert execute(["alerts", "backtest", *arguments, *SPAN, "--data", "data"]) == 2
    assert what in capsys.readouterr().err
