"""Durations of rule files, read without the parser of queries."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from tailrace.alerts.durations import Span

SPAN = TypeAdapter(Span)


@pytest.mark.parametrize(
    ("text", "ns"), [("0", 0), (0, 0), ("5m", 300 * 10**9), ("1h30m", 5400 * 10**9), ("100ms", 10**8)]
)
def test_durations(text: object, ns: int) -> None:
    assert SPAN.validate_python(text) == ns


@pytest.mark.parametrize(("text", "said"), [(5, "5 has no unit"), ("5 m", "no duration"), ("-1m", "no duration")])
def test_what_is_no_duration_is_said(text: object, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        SPAN.validate_python(text)
