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

from tailrace.contracts import Work
from tailrace.limits import SCAN_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tailrace.contracts import Engine, Segments

KNOWN_SEGMENTS: Final = 100_000
"""Segments whose formats are remembered: a few hundred bytes each."""

SMALL_ROWS: Final = 100_000
GROUP: Final = 64
"""Smaller segments are looked at in groups of this many: one scan costs about 2 ms, however few its rows; on a cluster
ten times as much and more, so that all are small there."""

_known: OrderedDict[str, frozenset[str | None]] = OrderedDict()
_lock = threading.Lock()


def formats(segments: Segments, engine: Engine) -> dict[str, frozenset[str | None]]:
    """Return the values of `_format`, null included, per path; of a small segment perhaps its neighbours' too."""
    paths: list[str] = segments.frame["path"].to_list()
    with _lock:
        found = {path: _known[path] for path in paths if path in _known}
    unknown = segments.frame.filter(~pl.col("path").is_in(list(found)))
    rows, size = int(unknown["rows"].sum()), int(unknown["bytes"].sum())
    suited = engine.suited(Work(rows, size, reduced=True, portable=True)).engine if rows else engine
    for some in _looks(unknown, SMALL_ROWS * max(1, suited.scan_bytes // SCAN_BYTES)):
        scan = suited.scan(segments.only(some), {"_format": pl.String()})
        values = engine.collect(scan.select(nw.col("_format")).unique())
        found |= dict.fromkeys(some, frozenset(values["_format"].to_list()))
    with _lock:
        _known.update(found)
        while len(_known) > KNOWN_SEGMENTS:
            _known.popitem(last=False)
    return found


def _looks(unknown: pl.DataFrame, large_rows: int) -> Iterator[list[str]]:
    """Return paths to look at together: large segments alone, small ones in groups."""
    small = unknown.filter(pl.col("rows") < large_rows)["path"].to_list()
    yield from ([path] for path in unknown.filter(pl.col("rows") >= large_rows)["path"])
    yield from (small[at : at + GROUP] for at in range(0, len(small), GROUP))
