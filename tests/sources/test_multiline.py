"""The settings of records of several lines: short forms, and what is refused, and how."""

from __future__ import annotations

import re
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from tailrace.contracts import Multiline
from tailrace.sources.multiline import MultilineRules, MultilineSettings, rules_of
from tailrace.sources.tail import TailSettings

RULES: TypeAdapter[tuple[MultilineSettings, ...]] = TypeAdapter(MultilineRules)


@pytest.mark.parametrize(
    ("given", "rules"),
    [
        ("java", [Multiline(presets=("java",))]),
        (["java", "go"], [Multiline(presets=("java", "go"))]),
        ({"start": "^x", "negate": True}, [Multiline(start="^x", negate=True)]),
        (
            [{"match": {"pod": "w-*", "container": "b"}, "end": ";$"}, {"preset": "auto", "wait_s": 9}],
            [Multiline(end=";$", match=(("container", "b"), ("pod", "w-*"))), Multiline(presets=("auto",), wait_s=9)],
        ),
        ([], []),
    ],
)
def test_forms(given: Any, rules: list[Multiline]) -> None:
    assert list(rules_of(RULES.validate_python(given))) == rules


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("cobol", "Input should be 'auto', 'java'"),
        ({}, "needs exactly one of preset, start, end, continues, has none"),
        ({"start": "a", "end": "b"}, "has start and end"),
        ({"preset": "java", "negate": True}, "a preset cannot be turned round"),
        ({"start": "a(b"}, "column 2: unclosed group"),
        ({"continues": r"^(?=a)"}, "column 2: looking ahead needs backtracking"),
        ({"start": r"(a)\1"}, "a back-reference needs backtracking"),
        ({"preset": "java", "max_lines": 1}, "greater than or equal to 2"),
        ({"preset": "java", "wait_s": 0}, "greater than 0"),
        ({"presets": "java"}, "Extra inputs are not permitted"),
    ],
)
def test_refusals(given: Any, message: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(message)):
        RULES.validate_python(given)


def test_a_source_of_files_hands_the_rules_on() -> None:
    settings = TailSettings(paths=("/x",), multiline="python")  # type: ignore[arg-type]  the short form
    assert settings.reading().multiline == (Multiline(presets=("python",)),)
    assert TailSettings(paths=("/x",)).reading().multiline == ()
