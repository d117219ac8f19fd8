"""Join the parts of container records: what the runtime cut at 16 KiB becomes one line again.

Comes in: rows of `Cri.unwrap` or `Docker.unwrap`, without the malformed ones. Goes out: one row per record, at the
place of its first part, with the time and offset of that part. Parts belong together per file chain and output, never
per file alone: stdout and stderr interleave. A record without its last part is held until that comes, in a later turn,
from the next file of the chain or after a restart. When it does not come within `limits.PART_WAIT_S`, what is there
goes out as part 1 with `_error`; what comes later is linked to it.

A CRI runtime may let a line break of the program through: the line after a part then has no header at all. `adopt`
takes it into the record of that part, with its line break, and marks the record.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.limits import LINE_BYTES, PART_WAIT_S
from tailrace.parse.assemble import Assembler
from tailrace.parse.held import chain_of, rows_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tailrace.contracts import Origin
    from tailrace.parse.held import Held, Key

CUT: Final = "CutRecord"
"""`_error` of a record whose last part did not come."""

RAW: Final = "RawNewline"
"""`_error` of a record with a line break that its runtime did not wrap."""

_STAMPED: Final = r"^\d{4}-\d\d-\d\dT"  # a line that begins so has a header, if a wrong one
_NEXT: Final = "next"  # note with an open record: its part was the last line of its file
_PIECES: Final = 1_000_000  # no bound of its own: the parts of a record are bounded in bytes


class Joiner:
    """Joins parts; the open records are in `held`."""

    def __init__(self, held: Held) -> None:
        self._held = held
        self._assembler = Assembler(held, glue="")

    def adopt(
        self, lines: pl.DataFrame, origins: Sequence[Origin], wrapper: str
    ) -> tuple[pl.DataFrame, dict[str, str]]:
        """Return unwrapped lines, those without a header that stand right behind a part as parts, too.

        And the chains of files that end in a part, with its output.
        """
        plain = lines["_final"].null_count() == 0 and lines["_final"].all()
        if plain and not len(self._held):
            return lines, {}
        chains, numbers = chains_of(origins)
        lines = lines.with_columns(_chain=pl.Series(numbers, dtype=pl.UInt32)[lines["_origin"]])
        present = lines["_chain"].unique().to_list()
        before = {number: output for number in present for output in self._last_part(chains[number])}
        if wrapper == "cri" and lines["_final"].null_count():
            lines = _adopted(lines, before)
        for number, output in before.items():
            record = self._held.get((chains[number], output))
            assert record is not None
            self._held.put((chains[number], output), replace(record, note=""))
        ends = lines.group_by("_chain").agg(pl.col("_final", "stream").last()).filter(~pl.col("_final"))
        return lines.drop("_chain"), {chains[number]: output for number, _, output in ends.iter_rows()}

    def _last_part(self, chain: str) -> list[str]:
        """Return the output whose open part was the last line of the chain, if there is one."""
        records = ((output, self._held.get((chain, output))) for output in ("stdout", "stderr"))
        return [output for output, record in records if record is not None and record.note == _NEXT]

    def join(
        self, rows: pl.DataFrame, origins: Sequence[Origin], wrapper: str, last: Mapping[str, str]
    ) -> pl.DataFrame:
        """Return the records; parts of too long ones have `_part`. `last` tells chains that end in a part."""
        if rows["_final"].all() and not len(self._held):
            return rows.drop("_final")
        keys, rows = with_keys(rows, origins)
        held = [index for index, key in enumerate(keys) if self._held.get(key) is not None]
        first = pl.col("_key").is_in(held)
        rows = rows.with_columns(
            _start=pl.col("_final").shift(1).over("_key").fill_null(~first), _done=pl.col("_final")
        )
        notes = {index: _NEXT for index, (chain, output) in enumerate(keys) if last.get(chain) == output}
        alone = pl.col("_start") & pl.col("_final")
        single = rows.filter(alone).drop("_final", "_key", "_start", "_done")
        if len(single) == len(rows):
            return single
        parts = rows.filter(~alone).drop("_final").sort("_key", maintain_order=True)
        joined = self._assembler.run(
            parts,
            keys,
            origins,
            max_bytes=LINE_BYTES,
            max_pieces=_PIECES,
            wait_s=PART_WAIT_S,
            wrapper=wrapper,
            notes=notes,
        )
        return pl.concat([single, joined.drop("_linked")], how="diagonal").sort("_row", maintain_order=True)

    def cut(self, keys: Sequence[Key], *, first: int = 0) -> tuple[pl.DataFrame, list[Origin]]:
        """Return the records of the keys as they are, without their last part, numbered from `first` on."""
        records = [(key, record) for key in keys if (record := self._held.get(key)) is not None]
        for key, record in records:
            given = replace(record, line="", raw=None, lines=0, bytes=0, parts=record.parts + 1, flaw=None)
            self._held.put(key, given)
        found = [record for _, record in records]
        frame = rows_of(found, first).with_columns(
            pl.Series("_part", [record.parts + 1 for record in found], dtype=pl.Int32),
            pl.lit(value=False).alias("_part_last"),
            pl.lit(CUT).alias("_error"),
        )
        return frame, [record.origin() for record in found]


def _adopted(lines: pl.DataFrame, before: Mapping[int, str]) -> pl.DataFrame:
    """Take lines without a header for parts, where the line before is one; `before` tells it of earlier turns."""
    bare = pl.col("_final").is_null() & ~pl.col("_line").str.contains(_STAMPED)
    after = pl.when(~bare).then(pl.when(~pl.col("_final")).then("stream").otherwise(pl.lit("")).fill_null(""))
    known = pl.col("_chain").replace_strict(before, default="", return_dtype=pl.String)
    lines = lines.with_columns(_after=after.forward_fill().over("_chain").fill_null(known))
    adopted = bare & (pl.col("_after") != "")
    return lines.with_columns(
        pl.when(adopted).then("_after").otherwise("stream").alias("stream"),
        pl.when(adopted).then(pl.lit(value=False)).otherwise("_final").alias("_final"),
        pl.when(adopted).then("\n" + pl.col("_line")).otherwise("_line").alias("_line"),
        pl.when(adopted).then(pl.lit(RAW)).otherwise("_error").alias("_error"),
    ).drop("_after")


def chains_of(origins: Sequence[Origin]) -> tuple[list[str], list[int]]:
    """Return the chains of files, and the index of each origin's."""
    numbers: dict[str, int] = {}
    places = [numbers.setdefault(chain_of(origin), len(numbers)) for origin in origins]
    return list(numbers), places


def with_keys(rows: pl.DataFrame, origins: Sequence[Origin]) -> tuple[list[Key], pl.DataFrame]:
    """Return the keys of the rows, and the rows with `_key`, the index of theirs."""
    output = pl.col("stream") if "stream" in rows.columns else pl.lit("")  # a plain file has one
    pairs = rows.lazy().select("_origin", output.alias("_output")).unique(maintain_order=True).collect()
    numbers: dict[Key, int] = {}
    places = [numbers.setdefault((chain_of(origins[index]), text), len(numbers)) for index, text in pairs.iter_rows()]
    if len(numbers) == 1:
        return list(numbers), rows.with_columns(_key=pl.lit(0, pl.UInt32))
    pairs = pairs.with_columns(_key=pl.Series(places, dtype=pl.UInt32))
    rows = rows.with_columns(output.alias("_output"))
    rows = rows.join(pairs, on=["_origin", "_output"], how="left", maintain_order="left")
    return list(numbers), rows.drop("_output")
