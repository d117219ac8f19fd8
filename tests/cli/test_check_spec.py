"""`tailrace check spec`: exit codes, all mistakes, what a sample shows."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

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
    assert "did not fit, NoFormatFits: 1 rows (33.3 %)" in done.out
