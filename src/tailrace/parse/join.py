"""Join the parts of container records: what the runtime cut at 16 KiB becomes one line again.

Comes in: rows of `Cri.unwrap` or `Docker.unwrap`, without the malformed ones. Goes out: one row per record, at the
place of its first part, with the time and offset of that part. Parts belong together per file chain and output
(`_stream`, `stream`), never per file alone: stdout and stderr interleave. A record without its last part is held until
that comes, in a later turn, from the next file of the chain or after a restart. When it does not come within
`limits.PART_WAIT_S`, what is there goes out as part 1 with `_error`; what comes later is linked to it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.limits import LINE_BYTES
from tailrace.parse.assemble import Assembler

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tailrace.contracts import Origin
    from tailrace.parse.held import Held, Key, Open

CUT: Final = "CutRecord"
"""`_error` of a record whose last part did not come."""

_PIECES: Final = 1_000_000  # no bound of its own: the parts of a record are bounded in bytes


class Joiner:
    """Joins parts; the open records are in `held`."""

    def __init__(self, held: Held) -> None:
        self._held = held
        self._assembler = Assembler(held, glue="")

    def join(self, rows: pl.DataFrame, origins: Sequence[Origin]) -> pl.DataFrame:
        """Return the records; parts of too long ones have `_part`."""
        if rows["_final"].all() and not len(self._held):
            return rows.drop("_final")
        keys, rows = with_keys(rows)
        held = [index for index, key in enumerate(keys) if self._held.get(key) is not None]
        first = pl.col("_key").is_in(held)
        rows = rows.with_columns(
            _start=pl.col("_final").shift(1).over("_key").fill_null(~first), _done=pl.col("_final")
        )
        alone = pl.col("_start") & pl.col("_final")
        single = rows.filter(alone).drop("_final", "_key", "_start", "_done")
        if len(single) == len(rows):
            return single
        parts = rows.filter(~alone).drop("_final").sort("_key", maintain_order=True)
        joined = self._assembler.run(parts, keys, origins, max_bytes=LINE_BYTES, max_pieces=_PIECES)
        return pl.concat([single, joined], how="diagonal").sort("_row", maintain_order=True)

    def cut(self, now_ns: int, wait_ns: int) -> list[pl.DataFrame]:
        """Return the records whose wait for the last part is over, as they are."""
        return [self._cut(key, record) for key, record in self._held.due(now_ns, wait_ns)]

    def _cut(self, key: Key, record: Open) -> pl.DataFrame:
        stream, output = key
        self._held.put(key, replace(record, line="", raw=None, lines=0, bytes=0, parts=record.parts + 1, error=None))
        row = frame_of(stream, record).with_columns(
            pl.lit(record.parts + 1, pl.Int32).alias("_part"),
            pl.lit(value=False).alias("_part_last"),
            pl.lit(CUT).alias("_error"),
        )
        return row if not output else row.with_columns(pl.lit(output).alias("stream"))


def frame_of(stream: str, record: Open) -> pl.DataFrame:
    """Return a held record as a row."""
    return pl.DataFrame(
        {
            "_row": pl.Series([0], dtype=pl.UInt32),
            "_line": pl.Series([record.line], dtype=pl.String),
            "_raw": pl.Series([record.raw], dtype=pl.Binary),
            "_time_ns": pl.Series([record.time_ns], dtype=pl.Int64),
            "_observed_ns": pl.Series([record.observed_ns], dtype=pl.Int64),
            "_offset": pl.Series([record.offset], dtype=pl.Int64),
            "_stream": pl.Series([stream], dtype=pl.String),
            "_in_lines": pl.Series([record.lines], dtype=pl.Int64),
            "_in_bytes": pl.Series([record.bytes], dtype=pl.Int64),
            **{name: [value] for name, value in record.fields.items()},
        }
    )


def with_keys(rows: pl.DataFrame) -> tuple[list[Key], pl.DataFrame]:
    """Return the keys of the rows, and the rows with `_key`, the index of theirs."""
    output = pl.col("stream") if "stream" in rows.columns else pl.lit("")
    table = rows.group_by("_origin", output.alias("output"), maintain_order=True).agg(pl.col("_stream").first())
    numbered = table.with_columns(_key=pl.struct("_stream", "output").rank("dense") - 1)
    keys: dict[int, Key] = {}
    for stream, text, number in numbered.select("_stream", "output", "_key").iter_rows():
        keys[number] = (stream, text)
    rows = rows.with_columns(output.alias("_output")).join(
        numbered.select("_origin", "output", "_key"),
        left_on=["_origin", "_output"],
        right_on=["_origin", "output"],
        how="left",
        maintain_order="left",
    )
    return [keys[number] for number in range(len(keys))], rows.drop("_output")
