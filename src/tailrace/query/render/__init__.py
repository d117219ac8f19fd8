"""Answers as text: for terminals, files, pipes and Loki's clients.

Each writer takes an answer of either kind (`result.Lines`, `result.Series`) and yields text in large
pieces, every piece ending with a newline; nothing is done per row in Python for lines. `loki_response`
gives the body of Loki's HTTP API, `loki_frame` a message of its live tail.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tailrace.query.render import lines, series, sheets
from tailrace.query.render.loki import loki_frame, loki_response
from tailrace.query.result import Lines

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tailrace.query.result import Series

__all__ = ["loki_frame", "loki_response", "to_csv", "to_jsonl", "to_parquet", "to_raw", "to_text"]


def to_jsonl(answer: Lines | Series) -> Iterator[str]:
    """Yield one JSON object a line: `time`, `labels`, `line`, `fields`, or `time`, `labels`, `value`."""
    return lines.jsonl(answer.frame) if isinstance(answer, Lines) else series.jsonl(answer)


def to_text(answer: Lines | Series, *, colour: bool = False, labels: Sequence[str] | None = None) -> Iterator[str]:
    """Yield lines for a person to read, or a table of numbers.

    `labels` names the stream labels to show; by default those that differ within the answer.
    """
    if isinstance(answer, Lines):
        return lines.text(answer.frame, colour=colour, labels=labels)
    return series.text(answer)


def to_raw(answer: Lines | Series) -> Iterator[str]:
    """Yield nothing but the lines, or the values."""
    return lines.raw(answer.frame) if isinstance(answer, Lines) else series.raw(answer)


def to_csv(answer: Lines | Series) -> Iterator[str]:
    """Yield a table with a header; a cell that a spreadsheet would run as a formula gets a `'` in front."""
    return sheets.csv(sheets.sheet(answer))


def to_parquet(answer: Lines | Series) -> bytes:
    """Return the answer as a Parquet file."""
    return sheets.parquet(sheets.sheet(answer))
