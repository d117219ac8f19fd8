"""What the watchywatchy condenser did is done, each by tests that exist; what it did wrong is not."""

from __future__ import annotations

import ast
import tomllib
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
BOXES = tomllib.loads((Path(__file__).parent / "boxes.toml").read_text())


@cache
def functions(path: Path) -> set[str]:
    return {node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("box", BOXES)
def test_it_is_held(box: str) -> None:
    assert BOXES[box]["tests"]
    for test in BOXES[box]["tests"]:
        path, name = test.split("::")
        assert name in functions(TESTS / path), test
