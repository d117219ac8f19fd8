"""Every scenario of tailing is held by tests that exist, or it is said why by none."""

from __future__ import annotations

import ast
import tomllib
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
SCENARIOS = tomllib.loads((Path(__file__).parent / "scenarios.toml").read_text())


@cache
def functions(path: Path) -> set[str]:
    return {node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)}


def test_there_is_an_entry_for_each() -> None:
    assert list(SCENARIOS) == [f"T{number}" for number in range(1, 107)]
    assert all(set(entry) in ({"tests"}, {"why"}) for entry in SCENARIOS.values())


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_its_tests_exist(scenario: str) -> None:
    for test in SCENARIOS[scenario].get("tests", []):
        path, name = test.split("::")
        assert (TESTS / path).exists(), test
        assert name in functions(TESTS / path), test
