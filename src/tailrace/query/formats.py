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
    from collections.abc import Iterator

    from tailrace.contracts import Engine, Segments

KNOWN_SEGMENTS: Final = 100_000
"""Segments whose formats are remembered: a few hundred bytes each."""

SMALL_ROWS: Final = 100_000
GROUP: Final = 64
"""Smaller segments are looked at in groups of this many: one scan costs about 2 ms, however few its rows."""

_known: OrderedDict[str, frozenset[str | None]] = OrderedDict()
_lock = threading.Lock()


def formats(segments: Segments, engine: Engine) -> dict[str, frozenset[str | None]]:
    """Return the values of `_format`, null included, per path; of a small segment perhaps its neighbours' too."""
    paths: list[str] = segments.frame["path"].to_list()
    with _lock:
        found = {path: _known[path] for path in paths if path in _known}
    for some in _looks(segments.frame.filter(~pl.col("path").is_in(list(found)))):
        scan = engine.scan(segments.only(some), {"_format": pl.String()})
        values = engine.collect(scan.select(nw.col("_format")).unique())
        found |= dict.fromkeys(some, frozenset(values["_format"].to_list()))
    with _lock:
        _known.update(found)
        while len(_known) > KNOWN_SEGMENTS:
            _known.popitem(last=False)
    return found


def _looks(unknown: pl.DataFrame) -> Iterator[list[str]]:
    """Return paths to look at together: large segments alone, small ones in groups."""
    small = unknown.filter(pl.col("rows") < SMALL_ROWS)["path"].to_list()
    yield from ([path] for path in unknown.filter(pl.col("rows") >= SMALL_ROWS)["path"])
    yield from (small[at : at + GROUP] for at in range(0, len(small), GROUP))
