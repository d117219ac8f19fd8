"""Headers of files whose first line, or last `#Fields:` line, names the columns of all others: see `delimited`.

Comes in: the lines of a turn, in the order of the turns. Goes out: the same lines with the column `_header`, the
header that counts for each row, if any file of the turn has such a format. What is known of each file is carried over
turns and restarts: `mark` and `restore`, one text per file. Cost: nothing for other formats.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.limits import HEADERS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tailrace.contracts import Origin
    from tailrace.parse.turn import Group

HEADER: Final = "_header"
"""The column with the header of each row's file."""

FIRST_LINE: Final = ("csv", "tsv")
"""Formats whose header is the first line of a file."""

DIRECTIVE: Final = "w3c"
"""The format whose header is a line of its own that may come again."""

_FIELDS: Final = "#Fields:"
_MARK: Final = "header:"


class Headers:
    """The headers of the files of one source, by the key of their origin."""

    def __init__(self) -> None:
        self._known: dict[str, str] = {}
        self._changed: set[str] = set()

    def restore(self, state: Mapping[str, object]) -> dict[str, object]:
        """Take back what `mark` gave; returns what of the state is not ours."""
        rest: dict[str, object] = {}
        for name, value in state.items():
            if name.startswith(_MARK) and isinstance(value, str):
                self._known[name.removeprefix(_MARK)] = value
            else:
                rest[name] = value
        return rest

    def formats(self) -> dict[str, str]:
        """Return the formats of the files whose header is known: one that is read on from its middle shows none."""
        return {
            key: DIRECTIVE if header.startswith(_FIELDS) else "tsv" if "\t" in header else "csv"
            for key, header in self._known.items()
        }

    def mark(self) -> dict[str, object]:
        """Return what changed since the last mark; null forgets a file."""
        changed, self._changed = self._changed, set()
        return {f"{_MARK}{key}": self._known.get(key) for key in changed}

    def add(self, lines: pl.DataFrame, groups: Sequence[Group], origins: Sequence[Origin]) -> pl.DataFrame:
        """Return the lines with the header of each row, and remember the last one of each file."""
        first = [index for group in groups if group.format in FIRST_LINE for index in group.origins]
        named = [index for group in groups if group.format == DIRECTIVE for index in group.origins]
        if not first and not named:
            return lines
        text, origin = pl.col("_line").str.strip_prefix("\ufeff"), pl.col("_origin")
        own = (pl.col("_offset") == 0) & origin.is_in(first) | text.str.starts_with(_FIELDS) & origin.is_in(named)
        known = {
            index: self._known[origins[index].key] for index in (*first, *named) if origins[index].key in self._known
        }
        before = (
            origin.replace_strict(known, default=None, return_dtype=pl.String) if known else pl.lit(None, pl.String)
        )
        lines = lines.with_columns(
            pl.coalesce(pl.when(own).then(text).forward_fill().over("_origin"), before).alias(HEADER)
        )
        for index, header in lines.filter(own).group_by("_origin").agg(pl.col(HEADER).last()).iter_rows():
            self._learn(origins[index].key, header)
        return lines

    def _learn(self, key: str, header: str) -> None:
        if self._known.pop(key, None) != header:
            self._changed.add(key)
        self._known[key] = header
        while len(self._known) > HEADERS:
            oldest = next(iter(self._known))
            del self._known[oldest]
            self._changed.add(oldest)
