"""Rows that were told and are not in the table yet: what is known of files lags behind by them.

Comes in: the rows of every reading, and up to which number they are durable. Goes out: what was known (`diff.LEAN`),
made honest about them, so that a walk tells too much rather than too little; to tell a thing twice changes nothing:

- of a path that was told as living nothing is known but that it may be there: it is told anew, or that it is gone;
- where something was removed, and where a folder was renamed to, another thing is now than what was known: the walk
  tells that it is gone and, if there is a folder, everything in it.

What is held is paths, of so many rows at most; of older ones it is taken that they are durable.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.sources.file_events import diff

if TYPE_CHECKING:
    from collections.abc import Iterator

ROWS: Final = 1_000_000
"""Rows that are held at most; a turn, the batch that is gathered and those that are being stored have fewer."""


class OnTheirWay:
    """Paths of rows between the source and the table, oldest first."""

    def __init__(self, rows: int = ROWS) -> None:
        self._most = rows
        self._pieces: deque[tuple[int, pl.DataFrame]] = deque()  # with the number after the last row
        self._durable = 0
        self._kept = False
        self.height = 0

    def add(self, frame: pl.DataFrame, number: int) -> None:
        """Take rows that are told; `number` is the one after the last of them."""
        if "file_mode" in frame.columns:
            self._pieces.append((number, frame.select(_path(frame, "file_path"), *_held(frame))))
            self.height += frame.height
            self._forget()

    def stored(self, number: int) -> None:
        """Take that all rows before a number are durable; from any thread."""
        self._durable = number

    def keep(self, *, kept: bool) -> None:
        """Hold what becomes durable, too, while an answer of the table is still to be used."""
        self._kept = kept
        self._forget()

    def blurred(self, known: pl.DataFrame, root: str) -> pl.DataFrame:
        """Return what is known (lean) at or below a root, with what the rows on their way make doubtful of it."""
        if not self.height:
            return known
        told = pl.concat([piece for _, piece in self._pieces])
        removed = pl.concat([told.filter("torn")["file_path"], told["file_old_path"].drop_nulls()]).unique()
        inside = (pl.col("file_path") == root) | diff.below([root])
        alive = told.filter(pl.col("lives") & inside).select("file_path").unique()
        there = pl.concat([known.select("file_path"), alive])
        torn = removed.alias("file_path").to_frame().filter(inside).join(there, on="file_path", how="semi")
        if removed.is_in(list(_above(root))).any():
            torn = pl.DataFrame({"file_path": [root]})
        alive = alive.join(torn, on="file_path", how="anti")
        certain = known.join(pl.concat([alive, torn]), on="file_path", how="anti")
        return pl.concat([certain, diff.bare(alive["file_path"]), diff.bare(torn["file_path"], another=True)])

    def _forget(self) -> None:
        while self._pieces and (self.height > self._most or (not self._kept and self._pieces[0][0] <= self._durable)):
            self.height -= self._pieces.popleft()[1].height


def _held(frame: pl.DataFrame) -> list[pl.Expr]:
    old, lives = _path(frame, "file_old_path"), pl.col("file_mode").is_not_null()
    moved = old.is_not_null() & (pl.col("file_type") == "dir")
    torn = ~lives | moved | pl.col("event_action").str.contains("deleted", literal=True)
    return [old, lives.alias("lives"), torn.fill_null(value=False).alias("torn")]


def _path(frame: pl.DataFrame, name: str) -> pl.Expr:
    return pl.col(name) if name in frame.columns else pl.lit(None, pl.String).alias(name)


def _above(path: str) -> Iterator[str]:
    """Yield the folders above a path."""
    while path := path.rpartition("/")[0]:
        yield path
    yield "/"
