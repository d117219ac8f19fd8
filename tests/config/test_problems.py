"""Plain words for errors that no case of the configuration happens to raise."""

from __future__ import annotations

from typing import Annotated

import pytest
from pydantic import Field, ValidationError

from tailrace.config.document import read_document
from tailrace.config.problems import explain, found_text
from tailrace.settings import Settings


class Inner(Settings):
    size: int | bool = 1
    """A union of scalars."""

    name: Annotated[str, Field(pattern="^[a-z]+$")] = "a"
    """A pattern."""

    level: Annotated[float, Field(lt=2.5)] = 1.0
    """A bound that is no whole number."""


class Outer(Settings):
    inner: tuple[Inner, ...] = ()
    """A list of models."""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{size: x}", "1:16: $.inner[0].size: expected a whole number or true or false, got 'x'"),
        ("{name: A1}", "1:16: $.inner[0].name: expected text like ^[a-z]+$, got 'A1'"),
        ("{level: 3}", "1:17: $.inner[0].level: expected less than 2.5, got 3"),
        ("{sise: 3}", "1:10: $.inner[0].sise: unknown key 'sise' (did you mean 'size'?)"),
    ],
)
def test_words(text: str, expected: str) -> None:
    document = read_document(f"inner: [{text}]", {})
    with pytest.raises(ValidationError) as caught:
        Outer.model_validate(document.value)
    ((_, problem),) = explain(caught.value.errors(), document.value, document, Outer)
    assert str(problem) == expected


def test_long_values_are_cut() -> None:
    assert found_text("x" * 500) == "'" + "x" * 59 + "…"
