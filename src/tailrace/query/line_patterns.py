"""Patterns of literals and captures over columns of lines: `<ip> - <_> "<method> <path>"`.

`extract` takes captures from lines, as the stage `pattern` does; `holds` tests lines, as the filters `|>` and `!>` do.
Both look for each literal from where the one before it ended, first place first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from tailrace.patterns.capture import ANONYMOUS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tailrace.patterns.capture import Part


def extract(line: pl.Series, pattern: Sequence[Part]) -> dict[str, pl.Series]:
    """Return the captures of lines by name; null where the text before a capture is not there.

    A capture whose next literal is missing takes the rest of the line, and ends the matching.
    """
    rest = line.to_frame("line").select(pl.when(pl.col("line") != "").then("line"))["line"]
    left = list(pattern)
    if not left[0].capture:
        start = left.pop(0).text
        begins = rest.str.starts_with(start)
        rest = pl.DataFrame({"rest": rest, "on": begins}).select(
            pl.when("on").then(pl.col("rest").str.slice(len(start)))
        )["rest"]
    found: dict[str, pl.Series] = {}
    while left:
        capture = left.pop(0)
        value, rest = _cut(rest, left.pop(0).text) if left else (rest, rest)
        if capture.text != ANONYMOUS:
            found[capture.text] = value
    return found


def holds(line: pl.Series, pattern: Sequence[Part]) -> pl.Series:
    """Return which lines fit a pattern of literals and unnamed captures; nothing fits an empty one but nothing."""
    if not pattern:
        return line == ""
    rest, fits = line, line != ""
    for index, part in enumerate(pattern):
        if part.capture:
            continue
        value, rest = _cut(rest, part.text)
        fits &= rest.is_not_null()
        if index:
            fits &= value != ""
    ended = rest == ""
    return (fits & (~ended if pattern[-1].capture else ended)).fill_null(value=False)


def _cut(text: pl.Series, literal: str) -> tuple[pl.Series, pl.Series]:
    """Return what stands before the first place of a literal (all if there is none) and after it (null then)."""
    halves = text.to_frame("text").select(pl.col("text").str.splitn(literal, 2).alias("halves")).unnest("halves")
    return halves["field_0"], halves["field_1"]
