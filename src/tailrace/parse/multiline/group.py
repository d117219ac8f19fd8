"""Group lines into records, per stream: bounded, and carried over turns.

Comes in: lines, or the content of container records, of streams that one `Multiline` is for. Goes out: one row per
record, at the place of its first line, with the time and offset of that line. The last record of a stream is held while
a line may still go on with it, up to its wait. A record over the bounds goes out in linked parts.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import polars as pl

from tailrace.parse.assemble import Assembler
from tailrace.parse.held import rows_of
from tailrace.parse.join import with_keys
from tailrace.parse.multiline.borders import borders, rule_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tailrace.contracts import Multiline, Origin
    from tailrace.parse.held import Held, Key
    from tailrace.parse.multiline.borders import Rule


def multiline_of(origin: Origin) -> Multiline | None:
    """Return the first rule that is for a file, by its labels."""
    return next((rule for rule in origin.reading.multiline if _fits(rule, origin.labels)), None)


def _fits(rule: Multiline, labels: Mapping[str, str]) -> bool:
    return all(fnmatchcase(labels.get(name, ""), pattern) for name, pattern in rule.match)


class Grouper:
    """Groups lines; the open records are in `held`."""

    def __init__(self, held: Held) -> None:
        self._held = held
        self._assembler = Assembler(held, glue="\n")

    def group(
        self,
        rows: pl.DataFrame,
        multiline: Multiline,
        origins: Sequence[Origin],
        *,
        rule: Rule | None = None,
        wrapper: str = "",
    ) -> pl.DataFrame:
        """Return the records; rows that have `_part` already stay alone. `rule` is instead of that of `multiline`."""
        keys, rows = with_keys(rows, origins)
        if len(keys) > 1:
            rows = rows.sort("_key", maintain_order=True)
        held = {index: record for index, key in enumerate(keys) if (record := self._held.get(key)) is not None}
        found = borders(rows, rule or rule_of(multiline), {index: record.note for index, record in held.items()})
        rows = _with_borders(rows, found.joins, [key for key, closed in found.closed.items() if closed])
        new_key = pl.col("_key") != pl.col("_key").shift(1)
        first = new_key.fill_null(value=True) & pl.col("_key").is_in(list(held))
        last = (pl.col("_key") != pl.col("_key").shift(-1)).fill_null(value=True)
        next_starts = pl.col("_start").shift(-1, fill_value=True) | last
        rows = rows.with_columns(_alone=pl.col("_start") & next_starts & ~first & (pl.col("_done") | ~last))
        single = rows.filter("_alone").drop("_alone", "_key", "_start", "_done")
        if "_part" in single.columns:
            single = single.with_columns(_linked=pl.col("_part").is_not_null())
        if len(single) == len(rows):
            return single.sort("_row")
        joined = self._assembler.run(
            rows.filter(~pl.col("_alone")).drop("_alone"),
            keys,
            origins,
            max_bytes=multiline.max_bytes,
            max_pieces=multiline.max_lines,
            wait_s=multiline.wait_s,
            wrapper=wrapper,
            notes=found.notes,
        )
        frame = pl.concat([joined, single], how="diagonal").sort("_row", maintain_order=True)
        return frame.with_columns(pl.col("_linked").fill_null(value=False))

    def complete(self, keys: Sequence[Key]) -> tuple[pl.DataFrame, list[Origin]]:
        """Return the records of the keys, with no wait for more of them, and where they come from."""
        records = [record for key in keys if (record := self._held.get(key)) is not None]
        for key in keys:
            self._held.put(key, None)
        linked = pl.Series([record.parts > 0 for record in records], dtype=pl.Boolean)
        frame = rows_of(records).with_columns(
            pl.when(linked).then(pl.Series([record.parts + 1 for record in records], dtype=pl.Int32)).alias("_part"),
            pl.when(linked).then(pl.lit(value=True)).alias("_part_last"),
            linked.alias("_linked"),
        )
        return frame, [record.origin() for record in records]


def _with_borders(rows: pl.DataFrame, joins: pl.Series, closed: Sequence[int]) -> pl.DataFrame:
    """Return the rows with `_start` and `_done`; a part of an over-long line is a record of its own."""
    start, done = ~pl.lit(joins), pl.col("_key").is_in(list(closed))
    if "_part" in rows.columns:
        part = pl.col("_part").is_not_null()
        start, done = start | part | part.shift(1, fill_value=False), done | part
    return rows.with_columns(_start=start, _done=done)
