"""Pieces become records: the parts of a container's line, the lines of a stack trace.

Comes in: rows in order, those of one key (file chain and output) beside each other, with `_key` (index into `keys`),
`_start` (it begins a record) and `_done` (nothing can follow in its record). Goes out: one row per record that came to
its end, with the columns of its first piece, the text of all of them, the sums of `_in_lines` and `_in_bytes`, and the
first `_flaw` of a piece. The last record of a key stays in `Held` unless it is done; it is taken up again before the
next rows of the key. So the records are the same however the input is cut into turns.

A record that grows over a bound goes out in stretches of that size, linked by `_part` and `_part_last`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl

from tailrace.batch import is_field
from tailrace.parse.held import Held, Key, Open

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tailrace.contracts import Origin

_HELD: Final = {  # what a held record has of its own; the other columns are as the row after it has them
    "_key": pl.UInt32,
    "_stream": pl.String,
    "_line": pl.String,
    "_raw": pl.Binary,
    "_time_ns": pl.Int64,
    "_observed_ns": pl.Int64,
    "_offset": pl.Int64,
    "_in_lines": pl.Int64,
    "_in_bytes": pl.Int64,
    "_flaw": pl.String,
    "_size": pl.Int64,
    "_pieces": pl.Int64,
    "_chunk": pl.Int64,
    "_given": pl.Int64,
    "_last_ns": pl.Int64,
    "_held": pl.Boolean,
}
_LINK: Final = ("_part", "_part_last")  # of a piece that is a part already, and stays alone
_RARE: Final = ("_raw", "_flaw")  # they are there when a row needs them
_MEMORY: Final = -1  # stretch of a record of which only the number of its parts is left


class Assembler:
    """Makes records of pieces that are joined by `glue`."""

    def __init__(self, held: Held, *, glue: str) -> None:
        self._held = held
        self._glue = glue

    def run(
        self,
        rows: pl.DataFrame,
        keys: Sequence[Key],
        origins: Sequence[Origin],
        *,
        max_bytes: int,
        max_pieces: int,
        wait_s: float,
        wrapper: str = "",
        notes: Mapping[int, str] | None = None,
    ) -> pl.DataFrame:
        """Return the records that ended; `notes` is what to remember with the record that a key leaves open."""
        columns = [name for name in rows.columns if name not in {"_key", "_start", "_done", *_LINK}]
        present = rows["_key"].unique().to_list()
        held = {index: record for index in present if (record := self._held.get(keys[index])) is not None}
        for name in _RARE:
            if name not in columns and any(getattr(record, name[1:]) is not None for record in held.values()):
                columns.append(name)
        stretches = self._stretches(self._after_held(rows, held), max_bytes, max_pieces)
        for index in held:
            self._held.put(keys[index], None)
        for row in stretches.filter("_open").iter_rows(named=True):
            index = row["_key"]
            note = notes.get(index, "") if notes else ""
            self._held.put(keys[index], _open(row, origins[row["_origin"]], round(wait_s * 1e9), wrapper, note))
        ended = stretches.filter(~pl.col("_open") & (pl.col("_chunk") != _MEMORY))
        return ended.select(*columns, *_LINK, "_linked")

    def _after_held(self, rows: pl.DataFrame, held: Mapping[int, Open]) -> pl.DataFrame:
        """Return the rows with the open record of each key in front of its own."""
        first = pl.col("_key") != pl.col("_key").shift(1)
        rows = rows.with_columns(
            _start=pl.col("_start") | first.fill_null(value=True) & ~pl.col("_key").is_in(list(held)),
            _size=pl.col("_line").str.len_bytes().cast(pl.Int64) + len(self._glue),
            _pieces=pl.lit(1, pl.Int64),
            _chunk=pl.lit(None, pl.Int64),
            _given=pl.lit(0, pl.Int64),
            _last_ns=pl.col("_observed_ns"),
            _held=pl.lit(value=False),
        )
        if not held:
            return rows
        table = pl.DataFrame([_row(index, record) for index, record in held.items()], schema=_HELD)
        rare = [name for name in _RARE if table[name].null_count() < len(table)]
        table = table.select(name for name in _HELD if name in rows.columns or name in rare)
        own = {*table.columns, *_LINK, "_start", "_done"} - {"_key"}
        following = rows.filter(first.fill_null(value=True)).drop(own, strict=False)
        table = table.join(following, on="_key", how="left").with_columns(
            _row=pl.col("_row") - 1, _start=pl.lit(value=True), _done=pl.lit(value=False)
        )
        both = pl.concat([table, rows], how="diagonal", rechunk=True)
        return both if both["_key"].is_sorted() else both.sort("_key", maintain_order=True)

    def _stretches(self, rows: pl.DataFrame, max_bytes: int, max_pieces: int) -> pl.DataFrame:
        """Return one row per stretch of a record, with `_part`, `_part_last` and whether it stays `_open`."""
        rows = rows.with_columns(_record=pl.col("_start").cum_sum())
        last_byte = (_before("_size") + pl.col("_size") - 1).clip(lower_bound=0)  # an empty piece needs no new stretch
        chunk = last_byte // max_bytes + _before("_pieces") // max_pieces
        rows = rows.with_columns(_chunk=pl.coalesce("_chunk", chunk))
        news = pl.any_horizontal(pl.col("_record", "_chunk") != pl.col("_record", "_chunk").shift(1))
        rows = rows.with_columns(_stretch=news.fill_null(value=True).cum_sum())
        stretches = self._joined(rows)
        last = (pl.col("_record") != pl.col("_record").shift(-1)).fill_null(value=True)
        last_of_key = (pl.col("_key") != pl.col("_key").shift(-1)).fill_null(value=True)
        stretches = stretches.with_columns(_last=last, _open=last_of_key & ~pl.col("_done"))
        real = (pl.col("_chunk") != _MEMORY).cast(pl.Int64)
        given, number = pl.col("_given").first(), real.cum_sum()
        total = pl.col("_size").cum_sum(), pl.col("_pieces").cum_sum()
        stretches = stretches.with_columns(
            _number=(given + number).over("_record"),
            _size=total[0].over("_record"),
            _pieces=total[1].over("_record"),
        )
        alone = pl.col("_last") & (pl.col("_number") == 1)
        part = pl.when(~alone).then(pl.col("_number")).otherwise(None).cast(pl.Int32)
        part_last = pl.when(~alone).then(pl.col("_last")).otherwise(None)
        linked = part.is_not_null() if self._glue == "" else part > 1  # the first lines are a text of their own
        if "_part" in stretches.columns:
            linked = pl.col("_part").is_not_null() | linked
            part, part_last = pl.coalesce("_part", part), pl.coalesce("_part_last", part_last)
        return stretches.with_columns(
            part.alias("_part"), part_last.alias("_part_last"), linked.fill_null(value=False).alias("_linked")
        )

    def _joined(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Return one row per `_stretch`: the columns of the first row, the text of all."""
        summed = ["_in_lines", "_in_bytes", "_size", "_pieces"]
        special = {"_stretch", "_line", "_raw", "_flaw", "_done", "_last_ns", *summed}
        raw = "_raw" in rows.columns
        joined = rows.group_by("_stretch", maintain_order=True).agg(
            pl.col([name for name in rows.columns if name not in special]).first(),
            pl.col(summed).sum(),
            pl.col("_done", "_last_ns").last(),
            pl.col("_line").str.join(self._glue),
            *([pl.col("_flaw").drop_nulls().first()] if "_flaw" in rows.columns else []),
            *([pl.col("_line").alias("_texts"), pl.col("_raw")] if raw else []),
        )
        return self._with_raw(joined) if raw else joined

    def _with_raw(self, joined: pl.DataFrame) -> pl.DataFrame:
        """Put the exact bytes together where some are not UTF-8: a character cut between two parts is whole again."""
        lines: list[str] = []
        raws: list[bytes | None] = []
        for text, texts, raw in joined.select("_line", "_texts", "_raw").iter_rows():
            if any(bad is not None for bad in raw):
                pieces = (good.encode() if bad is None else bad for good, bad in zip(texts, raw, strict=True))
                line, exact = _decode(self._glue.encode().join(pieces))
            else:
                line, exact = text, None
            lines.append(line)
            raws.append(exact)
        return joined.drop("_texts").with_columns(
            pl.Series("_line", lines, dtype=pl.String), pl.Series("_raw", raws, dtype=pl.Binary)
        )


def _before(name: str) -> pl.Expr:
    """Return the sum of a column over the rows of the same record before each; `over` takes five times as long."""
    sums = pl.col(name).cum_sum() - pl.col(name)
    return sums - sums.filter(pl.col("_start")).gather(pl.col("_record") - 1)


def _decode(data: bytes) -> tuple[str, bytes | None]:
    """Return the text and, if it is not UTF-8, the bytes."""
    try:
        return data.decode(), None
    except UnicodeDecodeError:
        return data.decode(errors="replace"), data


def _row(index: int, record: Open) -> dict[str, Any]:
    """Return a held record as a row."""
    return {
        "_key": index,
        "_stream": record.stream,
        "_line": record.line,
        "_raw": record.raw,
        "_time_ns": record.time_ns,
        "_observed_ns": record.observed_ns,
        "_offset": record.offset,
        "_in_lines": record.lines,
        "_in_bytes": record.bytes,
        "_flaw": record.flaw,
        "_size": record.size,
        "_pieces": record.pieces,
        "_chunk": record.chunk if record.lines else _MEMORY,
        "_given": record.parts,
        "_last_ns": record.last_ns,
        "_held": True,
    }


def _open(row: dict[str, Any], origin: Origin, wait_ns: int, wrapper: str, note: str) -> Open:
    """Return the record that a stretch leaves open."""
    return Open(
        stream=row["_stream"],
        line=row["_line"],
        raw=row.get("_raw"),
        time_ns=row.get("_time_ns"),
        observed_ns=row["_observed_ns"],
        offset=row["_offset"],
        lines=row["_in_lines"],
        bytes=row["_in_bytes"],
        size=row["_size"],
        pieces=row["_pieces"],
        chunk=row["_chunk"],
        parts=row["_number"] - 1,
        last_ns=row["_last_ns"],
        wait_ns=wait_ns,
        file=origin.key,
        format=origin.reading.format,
        raw_mode=origin.reading.raw,
        timezone=origin.reading.timezone,
        wrapper=wrapper,
        note=note,
        flaw=row.get("_flaw"),
        columns={name: value for name, value in row.items() if is_field(name) and value is not None},
    )
