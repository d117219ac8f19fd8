"""What is known of one tree while it is walked: finds the children of directories among a million paths.

Comes in: lean rows (`diff.LEAN`), then the directories that a step listed. Goes out: the rows of their entries.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from tailrace.sources.file_events import diff

if TYPE_CHECKING:
    from collections.abc import Sequence


class Children:
    """The known rows of a tree, by their directory."""

    def __init__(self, rows: pl.DataFrame) -> None:
        self._rows = rows.sort("parent")

    def __len__(self) -> int:
        return len(self._rows)

    def at(self, paths: Sequence[str]) -> pl.DataFrame:
        """Return the rows of some paths themselves."""
        return self._rows.filter(pl.col("file_path").is_in(list(paths)))

    def of(self, folders: pl.Series) -> pl.DataFrame:
        """Return the rows of the entries of directories."""
        keys = diff.folder_keys(folders).unique()
        parents = self._rows["parent"]
        first = parents.search_sorted(keys, "left")
        last = parents.search_sorted(keys, "right")
        spans = pl.DataFrame({"first": first, "last": last}).filter(pl.col("first") < pl.col("last"))
        return self._rows[spans.select(pl.int_ranges("first", "last").explode()).to_series()]

    def drop_below(self, folders: Sequence[str]) -> None:
        """Forget what was known below directories that are others now."""
        if folders:
            self._rows = self._rows.filter(~diff.below(folders))
