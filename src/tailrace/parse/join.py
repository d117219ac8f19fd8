"""Join the parts of container records: what the runtime cut at 16 KiB becomes one line again.

Comes in: rows of `Cri.unwrap` or `Docker.unwrap`, without the malformed ones. Goes out: one row per record, in the
order of the first parts, with the time and offset of the first part. Parts belong together per file chain and output
(`_stream`, `stream`), never per file alone: stdout and stderr interleave. A record whose last part is not in the same
turn is not held back: its parts stay rows, linked by `_part` and `_part_last`; the numbers go on in the next turn.
So do the parts of a record longer than `limits.LINE_BYTES`.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from tailrace.limits import LINE_BYTES

_KEY: Final = ("_stream", "stream")
_OPEN_RECORDS: Final = 65_536  # streams with an open record that are remembered


class Joiner:
    """Joins parts; remembers how many parts of an open record each stream has given out."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, str], int] = {}

    def join(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Return the records."""
        if rows["_final"].all() and not self._open:
            return rows.drop("_final")
        marked = self._number(rows)
        self._remember(marked)
        alone = pl.col("size") == 1
        whole = pl.col("complete") & (pl.col("before") == 0)
        single = marked.filter(whole & alone)
        linked = marked.filter(~whole).with_columns(
            _part=(pl.col("before") + pl.col("index") + 1).cast(pl.Int32), _part_last=pl.col("_final")
        )
        joined = _join(marked.filter(whole & ~alone))
        result = pl.concat([single, joined, linked], how="diagonal").sort("_row")
        return result.drop("_final", "record", "size", "index", "complete", "before")

    def _number(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Add to each row its record, its place in it, and how many parts of it went out before."""
        ended = pl.col("_final").cast(pl.UInt32).cum_sum().over(_KEY)
        rows = rows.with_columns(record=ended - pl.col("_final").cast(pl.UInt32))
        record = (*_KEY, "record")
        open_rows = pl.DataFrame(
            [(*key, count) for key, count in self._open.items()],
            schema={"_stream": pl.String, "stream": pl.String, "before": pl.Int64},
            orient="row",
        )
        rows = rows.join(open_rows, on=list(_KEY), how="left", maintain_order="left")
        return rows.with_columns(
            before=pl.when(pl.col("record") == 0).then(pl.col("before")).fill_null(0),
            size=pl.len().over(record),
            index=pl.int_range(pl.len()).over(record),
            complete=pl.col("_final").any().over(record)
            & (pl.col("_line").str.len_bytes().cast(pl.Int64).sum().over(record) <= LINE_BYTES),
        )

    def _remember(self, marked: pl.DataFrame) -> None:
        last = marked.group_by(_KEY, maintain_order=True).last()
        for stream, output, final, before, index in last.select(*_KEY, "_final", "before", "index").iter_rows():
            self._open.pop((stream, output), None)
            if not final:
                self._open[stream, output] = before + index + 1
        while len(self._open) > _OPEN_RECORDS:
            del self._open[next(iter(self._open))]


def _join(parts: pl.DataFrame) -> pl.DataFrame:
    """Return one row per record: the first part's columns and the text of all parts."""
    if not len(parts):
        return parts
    others = [name for name in parts.columns if name not in {*_KEY, "record", "_line", "_raw"}]
    records = parts.group_by((*_KEY, "record"), maintain_order=True).agg(
        pl.col(others).first(),
        pl.col("_line").str.join("").alias("text"),
        pl.col("_line").alias("pieces"),
        *([pl.col("_raw")] if "_raw" in parts.columns else []),
    )
    if "_raw" not in parts.columns:
        return records.rename({"text": "_line"}).select(parts.columns)
    lines: list[str] = []
    raws: list[bytes | None] = []
    for text, pieces, raw in records.select("text", "pieces", "_raw").iter_rows():
        data = b"".join(bad or good.encode() for good, bad in zip(pieces, raw, strict=True)) if any(raw) else None
        line, raw_line = _decode(data) if data is not None else (text, None)
        lines.append(line)
        raws.append(raw_line)
    return records.with_columns(
        pl.Series("_line", lines, dtype=pl.String), pl.Series("_raw", raws, dtype=pl.Binary)
    ).select(parts.columns)


def _decode(data: bytes) -> tuple[str, bytes | None]:
    """Return the text and, if it is not UTF-8, the bytes: a character cut between two parts is whole again."""
    try:
        return data.decode(), None
    except UnicodeDecodeError:
        return data.decode(errors="replace"), data
