"""Label names, label values and series, from what the table knows about its streams: no row is read.

Streams only: fields are labels to a query, but not to these lists. A stream counts when one of its segments
holds lines of it in the range of time, judged by its first and last line there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from tailrace.batch import stream_labels
from tailrace.query.afresh import afresh
from tailrace.query.parser import parse_selector
from tailrace.query.streams import select

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tailrace.contracts import Table
    from tailrace.query.syntax import Selector


def label_names(table: Table, start_ns: int, end_ns: int, selector: Selector | str | None = None) -> list[str]:
    """Return the names of all labels of the streams, sorted."""
    return sorted({name for labels in _streams(table, start_ns, end_ns, [selector]) for name in labels})


def label_values(
    table: Table, name: str, start_ns: int, end_ns: int, selector: Selector | str | None = None
) -> list[str]:
    """Return the values of one label, sorted."""
    found = (labels.get(name) for labels in _streams(table, start_ns, end_ns, [selector]))
    return sorted({value for value in found if value is not None})


def series(
    table: Table, start_ns: int, end_ns: int, selectors: Sequence[Selector | str | None] = ()
) -> list[dict[str, str]]:
    """Return the label sets of the streams that any selector accepts (all, if there is none), sorted."""
    found = _streams(table, start_ns, end_ns, selectors or [None])
    return sorted((dict(labels) for labels in found), key=lambda labels: sorted(labels.items()))


def _streams(
    table: Table, start_ns: int, end_ns: int, selectors: Sequence[Selector | str | None]
) -> list[Mapping[str, str]]:
    held = afresh(lambda: table.snapshot().segments(start_ns, end_ns).streams())
    inside = held.filter((pl.col("max_time_ns") >= start_ns) & (pl.col("min_time_ns") < end_ns))
    texts = inside["_stream"].unique().to_list()
    chosen: set[str] = set()
    for selector in selectors:
        parsed = parse_selector(selector) if isinstance(selector, str) else selector
        chosen.update(texts if parsed is None else select(texts, parsed)["_stream"])
    return [stream_labels(text) for text in sorted(chosen)]
