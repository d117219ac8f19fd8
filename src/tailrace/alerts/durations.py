"""Durations as rule files and `alertmanager.yml` write them; settings read them without the parser of queries."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, WithJsonSchema

from tailrace.query.literals import range_duration
from tailrace.settings import Mistake


def _span(value: object) -> object:
    if isinstance(value, int) and not isinstance(value, bool):
        if value == 0:
            return 0
        raise Mistake(f"{value} has no unit", f"write {value}s for seconds")
    if isinstance(value, str):
        span = 0 if value == "0" else range_duration(value)
        if span is None:
            raise Mistake(f"{value!r} is no duration", "whole numbers with units, as 30s, 5m or 1h30m")
        return span
    return value


Span = Annotated[int, BeforeValidator(_span), WithJsonSchema({"type": "string", "examples": ["5m", "1h30m"]})]
"""A duration as Prometheus writes it; nanoseconds when it is read."""
