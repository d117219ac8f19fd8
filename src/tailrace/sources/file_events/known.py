"""What is known of one tree while it is walked: finds the children of directories among a million paths.

Comes in: lean rows (`diff.LEAN`), then the directories that a step listed. Goes out: the rows of their entries.

To ask the table costs the more the longer it is, and little more for a hundred small trees than for one. So one
question is about several that are to be walked; what is told in between counts as on its way until all are used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from tailrace.sources.file_events import diff

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tailrace.sources.file_events.backend import Known
    from tailrace.sources.file_events.on_their_way import OnTheirWay


class Answers:
    """What is known of roots, asked of several at once."""

    def __init__(self, known: Known, on_their_way: OnTheirWay | None) -> None:
        self._known = known
        self._on_their_way = on_their_way
        self._waiting: set[str] = set()  # roots that the last answer is about, too
        self._rows = pl.DataFrame(schema=diff.LEAN)

    def of(self, root: str, others: Sequence[str]) -> pl.DataFrame:
        """Return the lean rows at or below a root; `others` are asked about in the same question."""
        if self._on_their_way is not None:
            self._on_their_way.keep(kept=True)  # before the question: what is durable later is not in the answer
        if root in self._waiting:
            self._waiting.discard(root)
            rows = _at(self._rows, root)
        else:
            wanted = [root] if self._waiting else list(dict.fromkeys((root, *others)))
            rows = diff.lean(self._known.known(wanted))
            if len(wanted) > 1:
                self._rows, self._waiting = rows, set(wanted[1:])
                rows = _at(rows, root)
        if not self._waiting:
            self._rows = self._rows.clear()
        if self._on_their_way is not None:
            rows = self._on_their_way.blurred(rows, root)
            self._on_their_way.keep(kept=bool(self._waiting))
        return rows


def _at(rows: pl.DataFrame, root: str) -> pl.DataFrame:
    """Return the rows at or below a root."""
    return rows.filter((pl.col("file_path") == root) | diff.below([root]))


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
