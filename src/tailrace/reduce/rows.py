"""Rows that a step holds back, as JSON and back again: single ones, never a whole frame."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import polars as pl

from tailrace.batch import ENVELOPE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Row = dict[str, Any]  # column to value: whatever a cell holds


def as_json(row: Mapping[str, Any]) -> Row:  # see `Row`
    """Return a row as JSON takes it, without its nulls."""
    return {
        name: base64.b64encode(value).decode() if isinstance(value, bytes) else value
        for name, value in row.items()
        if value is not None
    }


def as_frame(rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:  # see `Row`
    """Return rows as a frame; a field whose values differ in type is text."""
    names = dict.fromkeys(name for row in rows for name in row)
    return pl.DataFrame([_column(name, [row.get(name) for row in rows]) for name in names])


def _column(name: str, values: list[Any]) -> pl.Series:  # see `Row`
    if name == "_raw":
        return pl.Series(name, [None if value is None else base64.b64decode(value) for value in values], pl.Binary)
    if name in ENVELOPE:
        return pl.Series(name, values, ENVELOPE[name])
    kinds = {type(value) for value in values if value is not None}
    if kinds == {int, float}:
        return pl.Series(name, values, pl.Float64, strict=False)
    if len(kinds) > 1:
        return pl.Series(name, [None if value is None else str(value) for value in values], pl.String)
    return pl.Series(name, values)
