"""Decode JSON objects that all have the same members, none of them nested, as a program of ours writes them.

Comes in: texts, the same as bytes if they are at hand, and the types of the members that may occur. Goes out: a column
per member of the first text, or None if it is not proven that nothing else is in any text: then `json_decode` reads
them, which takes any shape and four times as long.

The proof is that of `json_decode`, with less to look at. A text without backslashes has no `":` but at the ends of its
keys. If it has as many of them as there are columns, and no null among its values, each key came out. A null may also
be a key that is not there, in whose place another one is: so nulls are counted in the text too.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Mapping

_KEY_END: Final = '":'
_NULL: Final = '":null'
_UNLIKE: Final = (b"\\", b"\t", b"\r")  # escapes, and blanks that may stand between a key and its colon


def decode(text: pl.Series, data: bytes | None, types: Mapping[str, pl.DataType]) -> pl.DataFrame | None:
    """Return the texts as columns named as the members of the first one, None if that may lose anything."""
    if not len(text):
        return None
    names = _names(text[0])
    if not names or not names <= types.keys():
        return None
    data = text.str.join("\n").cast(pl.Binary)[0] if data is None else data
    if any(mark in data for mark in _UNLIKE) or text.str.contains('" ', literal=True).any():
        return None
    try:
        frame = pl.read_ndjson(data, schema={name: dtype for name, dtype in types.items() if name in names})
    except pl.exceptions.PolarsError:
        return None
    return frame if frame.height == len(text) and _whole(text, frame) else None


def _names(text: str) -> set[str]:
    try:
        document = json.loads(text)
    except ValueError:
        return set()
    return set(document) if isinstance(document, dict) else set()


def _whole(text: pl.Series, frame: pl.DataFrame) -> bool:
    """Tell whether all keys of all texts came out."""
    if (text.str.count_matches(_KEY_END) != frame.width).any():
        return False
    nulls = [column.is_null() for column in frame if column.null_count()]
    if not nulls:
        return True
    absent = pl.select(pl.sum_horizontal(nulls)).to_series()
    return bool((text.str.count_matches(_NULL) == absent).all())
