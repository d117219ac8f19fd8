"""Lines as JSON lines, as text for a terminal, and raw."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.query.render.columns import fields, joined, json_object, json_text, pieces, stream_labels, time_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_COLOURS: Final = {
    "trace": "\x1b[2m",
    "debug": "\x1b[2m",
    "info": "\x1b[32m",
    "warn": "\x1b[33m",
    "error": "\x1b[31m",
    "critical": "\x1b[31m",
    "fatal": "\x1b[35m",
}
_DIM: Final = "\x1b[2m"
_OFF: Final = "\x1b[0m"
_LEVEL_WIDTH: Final = 5
_CONTROL: Final = "[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f]"
"""Characters that could move the cursor or change a terminal; tab and newline are not among them."""


def jsonl(frame: pl.DataFrame) -> Iterator[str]:
    """Yield `{"time", "labels", "line", "fields"}` per row."""
    for piece in pieces(frame):
        row = pl.concat_str(
            pl.lit('{"time":"'),
            time_text(),
            pl.lit('","labels":'),
            json_object(stream_labels(piece)),
            pl.lit(',"line":'),
            json_text(pl.col("_line").fill_null("")),
            pl.lit(',"fields":'),
            json_object(fields(piece)),
            pl.lit("}"),
        )
        yield joined(piece, row)


def text(frame: pl.DataFrame, *, colour: bool, labels: Sequence[str] | None) -> Iterator[str]:
    """Yield time, level, labels and line per row; control characters are replaced, further lines indented."""
    known = stream_labels(frame)
    names = [name for name in labels if name in known] if labels is not None else _varying(frame, known)
    leveled = "_level" in frame.columns and frame["_level"].null_count() < frame.height
    for piece in pieces(frame):
        parts = [_painted(time_text(digits=3), _DIM, colour)]
        if leveled:
            parts.append(_level(colour))
        if names:
            parts.append(_painted(_shown(names), _DIM, colour))
        parts.append(_harmless(pl.col("_line").fill_null("")))
        yield joined(piece, pl.concat_str(parts, separator=" "))


def raw(frame: pl.DataFrame) -> Iterator[str]:
    """Yield the lines as they are."""
    for piece in pieces(frame):
        yield joined(piece, pl.col("_line").fill_null(""))


def _varying(frame: pl.DataFrame, known: dict[str, pl.Expr]) -> list[str]:
    """Return the stream labels that tell the rows apart."""
    return [name for name, column in known.items() if frame.select(column.n_unique()).item() > 1]


def _shown(names: Sequence[str]) -> pl.Expr:
    parts = [pl.lit(f" {name}=") + _harmless(pl.col(f"stream.{name}")) for name in names]
    return pl.concat_str(parts, ignore_nulls=True).str.strip_prefix(" ")


def _level(colour: bool) -> pl.Expr:
    level = pl.col("_level").fill_null("-").str.pad_end(_LEVEL_WIDTH)
    if not colour:
        return level
    paint = pl.col("_level").replace_strict(_COLOURS, default="", return_dtype=pl.String).fill_null("")
    return pl.concat_str(paint, level, pl.lit(_OFF))


def _painted(expression: pl.Expr, paint: str, colour: bool) -> pl.Expr:
    return pl.concat_str(pl.lit(paint), expression, pl.lit(_OFF)) if colour else expression


def _harmless(expression: pl.Expr) -> pl.Expr:
    return expression.str.replace_all(_CONTROL, "\N{REPLACEMENT CHARACTER}").str.replace_all(
        "\n", "\n    ", literal=True
    )
