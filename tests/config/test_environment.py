"""Variables in scalars."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tailrace.config.environment import escape, substitute

ENVIRON = {"A": "1", "EMPTY": "", "TRICKY": "${A} $$"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("${A}", "1"),
        ("x${A}y${A}", "x1y1"),
        ("${EMPTY}", ""),
        ("${EMPTY:-d}", "d"),
        ("${NONE:-}", ""),
        ("${NONE:-a:-b}", "a:-b"),
        ("$$", "$"),
        ("$${A}", "${A}"),
        ("$$$${A}", "$${A}"),
        ("$A ^x$ a$b", "$A ^x$ a$b"),
        ("${TRICKY}", "${A} $$"),  # what a variable holds is not looked at again
    ],
)
def test_text(text: str, expected: str) -> None:
    result = substitute(text, ENVIRON)
    assert result.text == expected
    assert result.mistakes == ()


def test_variables_are_named_in_order() -> None:
    assert substitute("${A}${NONE:-x}$${A}", ENVIRON).variables == ("A", "NONE")


def test_a_mistake_leaves_the_text() -> None:
    result = substitute("${NONE}/${A}", ENVIRON)
    assert result.text == "${NONE}/1"
    assert [what for what, _ in result.mistakes] == ["the environment variable NONE is not set"]


@settings(deadline=None)  # a busy machine is no bug
@given(st.text(alphabet="${}A:-x", max_size=12))
def test_escape_is_the_inverse(text: str) -> None:
    result = substitute(escape(text), ENVIRON)
    assert result.text == text
    assert result.mistakes == ()
    assert result.variables == ()
