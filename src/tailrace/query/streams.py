"""Which streams a selector means: matchers over the few distinct label sets of the pruned segments."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from tailrace.query.load import stream_table
from tailrace.query.matching import matches
from tailrace.query.result import STREAM

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tailrace.query.syntax import Selector


def select(texts: Iterable[str], selector: Selector) -> pl.DataFrame:
    """Return the stream table (`_stream`, `stream.<label>`) of the streams that all matchers accept."""
    table = stream_table(texts)
    for matcher in selector.matchers:
        column = STREAM + matcher.name
        label = pl.col(column) if column in table.columns else pl.lit(None, pl.String)
        table = table.filter(matches(matcher, label))
    empty = [name for name in table.columns if name != "_stream" and table[name].null_count() == table.height]
    return table.drop(empty)
