"""Several formats in order: each line is read by the first one that it fits.

Comes in and goes out as `contracts.Parser` says. A line that fits none is left as it came, with `_error`. The order is
the declared one, whatever fits most often: what a line means must not depend on the lines before it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.batch import stack
from tailrace.parse import timestamp
from tailrace.parse.tally import unfit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tailrace.contracts import Parser, Reading

ERROR: Final = "NoFormatFits"
_NUMBER: Final = "_first_match_row"


class FirstMatch:
    """Reads lines by the first of several parsers that they fit."""

    def __init__(self, parsers: Sequence[Parser]) -> None:
        self.name = "|".join(parser.name for parser in parsers)
        self._parsers = parsers

    def parse(self, lines: pl.DataFrame, reading: Reading, data: bytes | None = None) -> pl.DataFrame:
        """Return the rows as the parser that they fit returns them."""
        left = lines.with_row_index(_NUMBER)
        taken: list[pl.DataFrame] = []
        for parser in self._parsers:
            frame = parser.parse(left, reading, data)
            data = None  # it is the first parser's only: the others see fewer lines
            wrong = unfit(frame)
            if wrong is None:
                taken.append(frame)
                left = left.clear()
                break
            taken.append(frame.filter(~wrong))
            left = left.filter(wrong)
        if len(left):
            taken.append(left.with_columns(pl.lit(ERROR).alias("_error"), *timestamp.no_time(left)))
        taken = [frame for frame in taken if len(frame)] or taken[:1]
        together = taken[0] if len(taken) == 1 else stack(taken).sort(_NUMBER)
        return together.drop(_NUMBER)
