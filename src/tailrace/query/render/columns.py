"""What the columns of an answer's frame mean, and the expressions that all renderers share."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.query.result import META, PARSED, STREAM

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PIECE_ROWS: Final = 50_000
"""Rows of one piece of text: large enough for frames to pay, small enough for a pipe."""

_FIELDS: Final = (PARSED, META)


def pieces(frame: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Yield the frame in slices."""
    for start in range(0, frame.height, PIECE_ROWS):
        yield frame.slice(start, PIECE_ROWS)


def present(frame: pl.DataFrame, prefix: str) -> dict[str, str]:
    """Return name and column of the labels of one kind that some row has, sorted by name."""
    found = {name.removeprefix(prefix): name for name in frame.columns if name.startswith(prefix)}
    return {name: found[name] for name in sorted(found) if frame[found[name]].null_count() < frame.height}


def stream_labels(frame: pl.DataFrame) -> dict[str, pl.Expr]:
    """Return the stream labels of the rows by name."""
    return {name: pl.col(column) for name, column in present(frame, STREAM).items()}


def fields(frame: pl.DataFrame) -> dict[str, pl.Expr]:
    """Return metadata and parsed labels by name, parsed ones first; `level` is `_level` if nothing has it."""
    found: dict[str, list[str]] = {}
    for prefix in _FIELDS:
        for name, column in present(frame, prefix).items():
            found.setdefault(name, []).append(column)
    if "_level" in frame.columns and frame["_level"].null_count() < frame.height:
        found.setdefault("level", []).append("_level")
    return {name: pl.coalesce(found[name]) for name in sorted(found)}


def time_text(column: str = "_time_ns", digits: int = 9) -> pl.Expr:
    """Return times as RFC 3339 in UTC."""
    return pl.from_epoch(pl.col(column), "ns").dt.strftime(f"%Y-%m-%dT%H:%M:%S%.{digits}fZ")


def json_text(text: pl.Expr) -> pl.Expr:
    """Return strings as JSON strings, null as null."""
    whole = pl.struct(text.alias("v")).struct.json_encode()
    return pl.when(text.is_not_null()).then(whole.str.strip_prefix('{"v":').str.strip_suffix("}"))


def json_object(members: Mapping[str, pl.Expr]) -> pl.Expr:
    """Return one JSON object per row; members that are null are left out."""
    parts = [pl.lit(f",{json.dumps(name, ensure_ascii=False)}:") + json_text(text) for name, text in members.items()]
    inside = pl.concat_str(parts, ignore_nulls=True).str.strip_prefix(",") if parts else pl.lit("")
    return pl.concat_str(pl.lit("{"), inside, pl.lit("}"))


def joined(frame: pl.DataFrame, text: pl.Expr) -> str:
    """Return one text of all rows, each with its newline."""
    return str(frame.select(text.str.join("\n")).item()) + "\n"
