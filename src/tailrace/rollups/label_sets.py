"""Label sets as one text each, as rows of the table have them: a JSON object, names in order, absent labels left out.

Python runs once per label set, not per row.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import polars as pl

from tailrace.query.samples import LABEL

if TYPE_CHECKING:
    from collections.abc import Sequence


def columns(frame: pl.DataFrame) -> list[str]:
    """Return the label columns of a frame."""
    return [column for column in frame.columns if column.startswith(LABEL)]


def to_text(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the frame with a column `labels` in the place of its label columns."""
    names = columns(frame)
    if not names:
        return frame.with_columns(labels=pl.lit("{}"))
    sets = frame.select(names).unique()
    texts = [_text(names, row) for row in sets.iter_rows()]
    found = frame.join(sets.with_columns(labels=pl.Series(texts, dtype=pl.String)), on=names, nulls_equal=True)
    return found.drop(names)


def of_text(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the frame with label columns in the place of `labels`."""
    texts = frame["labels"].unique()
    found = [json.loads(text) for text in texts]
    names = sorted({name for labels in found for name in labels})
    sets = {LABEL + name: [labels.get(name) for labels in found] for name in names}
    schema = {"labels": pl.String(), **dict.fromkeys(sets, pl.String())}
    table = pl.DataFrame({"labels": texts, **sets}, schema=schema)
    return frame.join(table, on="labels", how="left").drop("labels")


def _text(names: Sequence[str], row: Sequence[str | None]) -> str:
    found = {name.removeprefix(LABEL): value for name, value in zip(names, row, strict=True) if value is not None}
    return json.dumps(found, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
