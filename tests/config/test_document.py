"""Values and their places."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tailrace.config.document import plain_value, read_document
from tailrace.limits import CONFIG_NODES

TEXT = """\
a: 1
b:
  - x
  - c: ${V}
    'd e': null
"""


def test_values() -> None:
    assert read_document(TEXT, {"V": "2.5"}).value == {"a": 1, "b": ["x", {"c": 2.5, "d e": None}]}


def test_places_of_values_and_keys() -> None:
    document = read_document(TEXT, {"V": "v"})
    assert document.places[("a",)] == (1, 4)
    assert document.keys[("a",)] == (1, 1)
    assert document.places[("b",)] == (3, 3)
    assert document.places[("b", 0)] == (3, 5)
    assert document.places[("b", 1, "c")] == (4, 8)
    assert document.keys[("b", 1, "d e")] == (5, 5)
    assert document.variables == {("b", 1, "c"): ("V",)}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("-12", -12),
        ("+3", 3),
        ("007", 7),
        ("0o17", 15),
        ("0xff", 255),
        ("1.", 1.0),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("True", True),
        ("FALSE", False),
        ("Null", None),
        ("", None),
        ("yes", "yes"),
        ("off", "off"),
        ("12:30", "12:30"),
        ("1_000", "1_000"),
        ("2024-01-02", "2024-01-02"),
        (".", "."),
        ("1.2.3", "1.2.3"),
        ("１", "１"),
    ],
)
def test_plain_values_are_those_of_yaml_1_2(text: str, value: object) -> None:
    found = plain_value(text)
    assert found == value
    assert type(found) is type(value)


def test_anchors_that_multiply_are_stopped() -> None:
    rows = ["a0: &a0 [x]"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    document = read_document("\n".join(rows), {})
    (problem,) = document.problems[()]
    assert problem.what == f"more than {CONFIG_NODES:,} values"


def test_deep_nesting_is_a_mistake_and_no_crash() -> None:
    document = read_document("[" * 5_000, {})
    (problem,) = document.problems[()]
    assert problem.what == "the values are nested too deeply"


SCALARS = (
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(alphabet=" abc:#-'\"$[]{}0.\n\té", max_size=8)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(alphabet="abc d:", max_size=4), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(deadline=None)  # a busy machine is no bug
@given(VALUES)
def test_whatever_yaml_writes_is_read_back(value: object) -> None:
    def escaped(part: object) -> object:
        if isinstance(part, str):
            return part.replace("$", "$$")
        if isinstance(part, list):
            return [escaped(item) for item in part]
        return {key: escaped(item) for key, item in part.items()} if isinstance(part, dict) else part

    document = read_document(yaml.safe_dump(escaped(value), allow_unicode=True), {})
    assert not document.problems
    assert document.value == value


@settings(deadline=None)  # a busy machine is no bug
@given(st.text(alphabet="ab:-[]{}#'\"&*!|>%@`? \n\t$,\\", max_size=40))
def test_any_text_gives_values_or_problems_and_no_exception(text: str) -> None:
    document = read_document(text, {})
    for group in document.problems.values():
        for problem in group:
            assert problem.what
