"""Which formats the lines of a segment have: known before a scan, so that `| json` can be left out of it.

A segment never changes, so what was found is kept; the first look at one reads a single column that
compresses to almost nothing.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

import narwhals as nw
import polars as pl

if TYPE_CHECKING:
    from tailrace.contracts import Engine, Segments

KNOWN_SEGMENTS: Final = 100_000
"""Segments whose formats are remembered: a few hundred bytes each."""

_known: OrderedDict[str, frozenset[str | None]] = OrderedDict()
_lock = threading.Lock()


def formats(segments: Segments, engine: Engine) -> dict[str, frozenset[str | None]]:
    """Return the values of `_format`, null included, per path."""
    paths: list[str] = segments.frame["path"].to_list()
    with _lock:
        found = {path: _known[path] for path in paths if path in _known}
    for path in paths:
        if path in found:
            continue
        scan = engine.scan(segments.only([path]), {"_format": pl.String()})
        values = engine.collect(scan.select(nw.col("_format")).unique())
        found[path] = frozenset(values["_format"].to_list())
    with _lock:
        _known.update(found)
        while len(_known) > KNOWN_SEGMENTS:
            _known.popitem(last=False)
    return found
