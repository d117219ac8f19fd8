"""Make a column of lines from bytes, whatever encoding they have.

Comes in: pieces of bytes of one encoding, each of whole lines and closed by a delimiter. Goes out: `_line` (UTF-8,
without delimiter; with newlines as delimiter also without one trailing carriage return), `_raw` if some line's bytes
are no text in that encoding, and the bytes that each line takes in its file, delimiter included.

Cost: a pass over the bytes for UTF-8 lines that end in newlines; other encodings and delimiters, and pieces with
carriage returns or bad bytes, take a slower way of some passes, still without a Python object per line. Only three
kinds of pieces are cut line by line: of encodings with shift sequences, of delimiters that may overlap, and of UTF-16
and UTF-32 with bad bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.encoding import UTF8

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tailrace.encoding import Encoding

_REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}"
_PACKED: Final = (b"x", b"(", b"\x1f")  # first bytes of zlib, zstd and gzip
_ASTRAL: Final = "[\U00010000-\U0010ffff]"  # characters of two code units in UTF-16


@dataclass(frozen=True, slots=True)
class Split:
    """Lines and the bytes of each; `text` is the column `_line` as bytes, ended by newlines, if that is at hand."""

    frame: pl.DataFrame
    sizes: pl.Series
    text: bytes | None = None


def split(pieces: Sequence[bytes], encoding: Encoding = UTF8) -> Split:
    """Return the lines of pieces.

    Pieces that are not of the encoding are found by halving, so that one bad byte does not slow down the whole turn.
    """
    if encoding.kind == "stateful" or encoding.overlaps:
        return _joined([_one_by_one(piece, encoding) for piece in pieces])
    data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
    if encoding.plain and b"\r" not in data:
        plain = _split_plain(data)
        if plain is not None:
            return Split(plain, _lengths(plain) + 1, data)
    try:
        text = data.decode(encoding.codec)
        frame, utf8 = _lines(text, encoding)
    except UnicodeError:
        if len(pieces) == 1:
            return _split_lossy(data, encoding)
        middle = len(pieces) // 2
        return _joined([split(pieces[:middle], encoding), split(pieces[middle:], encoding)])
    sizes = _sizes(data, text, frame["_line"], encoding)
    if len(sizes) != len(frame):
        return _joined([_one_by_one(piece, encoding) for piece in pieces])
    return Split(_without_cr(frame, encoding), sizes, utf8)


def _joined(parts: Sequence[Split]) -> Split:
    if len(parts) == 1:
        return parts[0]
    return Split(pl.concat([part.frame for part in parts], how="diagonal"), pl.concat([part.sizes for part in parts]))


def _split_plain(data: bytes) -> pl.DataFrame | None:
    """Return the lines of UTF-8 without carriage returns, or None if it is not UTF-8."""
    # The reader unpacks what begins like compressed data, and `x^` begins like zlib: a blank line in front hides it.
    hidden = data[:1] in _PACKED
    try:
        return pl.read_lines(b"\n" + data if hidden else data, name="_line")[int(hidden) :]
    except pl.exceptions.ComputeError:  # says only that something is not UTF-8
        return None


def _lengths(frame: pl.DataFrame) -> pl.Series:
    return frame["_line"].str.len_bytes().cast(pl.Int64)


def _lines(text: str, encoding: Encoding) -> tuple[pl.DataFrame, bytes | None]:
    """Return the lines of a text, carriage returns included, and the text as UTF-8 if it has none."""
    if encoding.delimiter == "\n" and "\r" not in text:
        utf8 = text.encode()
        plain = _split_plain(utf8)
        if plain is not None:
            return plain, utf8
    return _pieces(text, encoding.delimiter).to_frame(), None


def _pieces(text: str, delimiter: str) -> pl.Series:
    """Return the lines of a text that ends in a delimiter."""
    return pl.Series("_line", [text[: -len(delimiter)]]).str.split(delimiter).explode()


def _sizes(data: bytes, text: str, lines: pl.Series, encoding: Encoding) -> pl.Series:
    """Return the bytes that each line takes, delimiter included; `lines` is the text between the delimiters."""
    end = len(encoding.end)
    if encoding.kind == "utf-8":
        return lines.str.len_bytes().cast(pl.Int64) + end
    if encoding.kind == "units":
        units = lines.str.len_chars().cast(pl.Int64)
        if len(text) * encoding.unit != len(data):  # surrogate pairs
            units += lines.str.count_matches(_ASTRAL).cast(pl.Int64)
        return units * encoding.unit + end
    if encoding.kind == "single" and len(encoding.delimiter) == 1:
        return lines.str.len_chars().cast(pl.Int64) + end
    return _byte_sizes(data, encoding)


def _byte_sizes(data: bytes, encoding: Encoding) -> pl.Series:
    """Return the same from the bytes alone: Latin-1 has one character per byte."""
    lines = _pieces(data.decode("latin-1"), encoding.end.decode("latin-1"))
    return lines.str.len_chars().cast(pl.Int64) + len(encoding.end)


def _split_lossy(data: bytes, encoding: Encoding) -> Split:
    """Split bytes that are not of the encoding: `_line` shows them with U+FFFD, `_raw` has the bytes of the bad lines.

    A delimiter is no part of a broken sequence, except where a decoder swallows it: then the numbers differ, or it is
    the last one that is gone.
    """
    if encoding.kind == "units":
        return _one_by_one(data, encoding)
    text = data.decode(encoding.codec, "replace")
    if not text.endswith(encoding.delimiter):
        return _one_by_one(data, encoding)
    lines, sizes = _pieces(text, encoding.delimiter), _byte_sizes(data, encoding)
    if len(lines) != len(sizes):
        return _one_by_one(data, encoding)
    starts = sizes.cum_sum() - sizes
    suspects = lines.str.contains(_REPLACEMENT, literal=True).arg_true()
    rows: list[int] = []
    raws: list[bytes] = []
    for row, start, size in zip(suspects, starts[suspects], sizes[suspects], strict=True):
        raw = data[start : start + size - len(encoding.end)]
        if _decode(raw, encoding)[1] is not None:
            rows.append(row)
            raws.append(raw)
    bad = pl.DataFrame({"row": pl.Series(rows, dtype=pl.UInt32), "_raw": pl.Series(raws, dtype=pl.Binary)})
    index = pl.DataFrame({"row": pl.int_range(len(lines), dtype=pl.UInt32, eager=True)})
    column = index.join(bad, on="row", how="left", maintain_order="left")["_raw"]
    return Split(_without_cr(lines.to_frame().with_columns(column), encoding), sizes)


def _one_by_one(piece: bytes, encoding: Encoding) -> Split:
    """Split one piece line by line; its last delimiter closes it, wherever others may seem to be."""
    lines: list[str] = []
    raws: list[bytes | None] = []
    sizes: list[int] = []
    at, stop, end = 0, len(piece) - len(encoding.end), len(encoding.end)
    while at <= stop:
        found = encoding.find(piece, at, stop)
        behind = found if found >= 0 else stop
        line, raw = _decode(piece[at:behind], encoding)
        lines.append(line)
        raws.append(raw)
        sizes.append(behind + end - at)
        at = behind + end
    frame = pl.DataFrame({"_line": pl.Series(lines, dtype=pl.String)})
    if any(raw is not None for raw in raws):
        frame = frame.with_columns(pl.Series("_raw", raws, dtype=pl.Binary))
    return Split(_without_cr(frame, encoding), pl.Series(sizes, dtype=pl.Int64))


def _decode(data: bytes, encoding: Encoding) -> tuple[str, bytes | None]:
    """Return the text of a line and, if its bytes are not of the encoding, those."""
    try:
        text = data.decode(encoding.codec)
        text.encode()
    except UnicodeError:
        text = data.decode(encoding.codec, "replace")
        return text.encode("utf-8", "replace").decode(), data
    return text, None


def _without_cr(frame: pl.DataFrame, encoding: Encoding) -> pl.DataFrame:
    if encoding.delimiter != "\n":
        return frame
    return frame.with_columns(pl.col("_line").str.strip_suffix("\r"))
