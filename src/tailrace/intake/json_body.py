"""A body that is one JSON document, read whole, with a bound on what it becomes.

Comes in: bytes. Goes out: the values of Python. Refuses by `DataError`: what is no JSON, what is nested too deep, and
a document of very many values: `{}` takes three bytes there and 72 here, so its size alone bounds nothing.
"""

from __future__ import annotations

import json
from typing import Any, Final

import polars as pl

from tailrace import limits
from tailrace.errors import DataError

_SIGNS: Final = (b"{", b"[", b",")
_STRING: Final = r'(?s)"(?:[^"\\]|\\.)*"'


def load(body: bytes) -> Any:  # Any: JSON, checked by who asks
    """Return the document."""
    if _signs(body) > limits.JSON_SIGNS and _signs(_without_strings(body)) > limits.JSON_SIGNS:
        raise DataError(f"the body has more than {limits.JSON_SIGNS} values; send fewer at once")
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise DataError(f"the body is no JSON: {error}") from None


def _without_strings(body: bytes) -> bytes:
    """Return a document without its strings; as columns, since `re` would make an object of each piece."""
    try:
        rest = pl.Series([body], dtype=pl.Binary).cast(pl.String).str.replace_all(_STRING, "")
    except pl.exceptions.PolarsError:
        raise DataError("the body is not UTF-8") from None
    return bytes(rest.cast(pl.Binary)[0])


def _signs(body: bytes) -> int:
    """Return how many values there may be; more than there are where texts hold such signs."""
    return sum(body.count(sign) for sign in _SIGNS)
