"""The shipped profiles on lines as their programs write them; values worked out by hand, in `tests/cases/export`."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from export.counted import counted, values
from tailrace.errors import ConfigError
from tailrace.export import load_profile, shipped

CASES = sorted((Path(__file__).parents[1] / "cases" / "export").glob("*.toml"))


@pytest.mark.parametrize("pieces", [1, 1000])
@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_values(path: Path, pieces: int) -> None:
    case: dict[str, Any] = tomllib.loads(path.read_text())
    found = values(counted(load_profile(case["profile"]), case["lines"].lstrip("\n"), pieces=pieces))
    for name, expected in case["values"].items():
        assert found.get(name, {}) == pytest.approx(expected), name


def test_every_shipped_profile_has_a_case() -> None:
    told = {tomllib.loads(path.read_text())["profile"] for path in CASES}
    assert set(shipped()) - {"rsync"} == told  # rsync is a part of rsyncd


def test_a_profile_may_extend_a_shipped_one(tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text(
        "extends: rsync\nmetrics:\n- {name: rsync_connections_total, type: counter, help: All lines.}\n"
        "- {name: own_total, type: counter, help: Ends., where: kind = 'end'}\n"
    )
    profile = load_profile(str(own))
    assert [metric.name for metric in profile.metrics][:2] == ["rsync_connections_total", "rsync_executions_total"]
    assert (profile.metrics[0].where, profile.metrics[-1].name, profile.prefix) == ("", "own_total", "rsync")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "metrics: [{name: a, type: counter, help: A.}]",
            "$.metrics[0].name: a counter's name ends in '_total': write a_total",
        ),
        ("metrics: [{name: a_ms_total, type: counter, help: A., unit: milliseconds}]", "write seconds"),
        ("metrics: [{name: a_total, type: counter, help: A., where: 'x ='}]", "where: column 4"),
        ("metrics: [{name: a_total, type: counter, help: A., from: 'fields(x)'}]", "did you mean 'field'?"),
        (
            "metrics: [{name: a_total, type: counter, help: A., of: sesion}]\nsessions: [{name: session, key: p, start: a = 1, end: a = 2}]",
            "did you mean 'session'?",
        ),
        (
            "metrics: [{name: a, type: histogram, help: A., from: 'field(x)', buckets: [2, 1]}]",
            "bounds are numbers that rise",
        ),
        (
            "metrics: [{name: a, type: histogram, help: A., from: 'field(x)', labels: {le: x}}]",
            "a label 'le' of its own",
        ),
        ("metrics: [{name: a_total, type: counter, help: A., lables: {a: b}}]", "did you mean 'labels'?"),
        ("patterns: [{regex: '(?<=a)(?P<x>b)'}]", "looking behind needs backtracking"),
        ("patterns: [{regex: '(?P<x>b)', types: {y: int}}]", "the pattern has no group 'y'"),
        ("extends: rsincd", "there is no shipped profile 'rsincd'"),
        ("unmatched: 'a and'", "$.unmatched"),
        ("format: syslogg", "$.format: there is no format 'syslogg' (did you mean 'syslog'?)"),
        ("[1]", "$"),
    ],
)
def test_mistakes_are_said_with_their_place(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as refused:
        load_profile(str(path))
    assert said in str(refused.value)


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="did you mean 'rsyncd'"):
        load_profile("rsyncdd")
