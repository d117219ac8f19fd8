"""The configuration language, tested by data: what is refused in which words, and what is understood."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from tailrace.config.load import parse
from tailrace.errors import ConfigError

CASES = Path(__file__).parent.parent / "cases" / "config"


def cases(name: str) -> list[Any]:
    loaded = tomllib.loads((CASES / f"{name}.toml").read_text(encoding="utf-8"))["case"]
    return [pytest.param(case, id=case["name"]) for case in loaded]


@pytest.mark.parametrize("case", cases("mistakes"))
def test_mistakes(case: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(case["text"], case.get("env", {}))
    assert [str(problem) for problem in caught.value.problems] == case["problems"]


@pytest.mark.parametrize("case", cases("good"))
def test_good(case: dict[str, Any]) -> None:
    dumped = parse(case["text"], case.get("env", {})).model_dump(mode="json")
    for path, expected in case.get("values", {}).items():
        assert value_at(dumped, path) == expected, path
    for path in case.get("unset", []):
        assert value_at(dumped, path) is None, path


def value_at(value: Any, path: str) -> Any:
    for step in path.split("."):
        value = value[int(step)] if isinstance(value, list) else value[step]
    return value
