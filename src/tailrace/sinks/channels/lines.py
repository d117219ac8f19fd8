"""Rows as text for people and programs: lines, JSON objects, or blocks of events.

A JSON object has `time` (RFC 3339, nanoseconds), `labels`, `line`, `level` and `fields`, as query results have;
alerts have `count`, how many events they stand for, and maybe `passed` and `value`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from tailrace.batch import column_field, is_field, stream_labels

if TYPE_CHECKING:
    from collections.abc import Iterator

_ALERT: Final = {"_count": "count", "_passed": "passed", "_value": "value"}


def encoded(rows: pl.DataFrame, form: str) -> bytes:
    """Return the rows in one of the forms `text`, `json` and `events`, each ended by a newline."""
    match form:
        case "json":
            text = "".join(f"{json.dumps(one, ensure_ascii=False)}\n" for one in objects(rows))
        case "events":
            counts = rows["_count"].to_list() if "_count" in rows.columns else [1] * len(rows)
            pairs = zip(counts, rows["_line"].to_list(), strict=True)
            text = "".join(f"COUNT: {1 if count is None else count}\nEVENT: {line}\n\n" for count, line in pairs)
        case _:
            text = "".join(f"{line}\n" for line in rows["_line"].to_list() if line is not None)
    return text.encode("utf-8", "surrogateescape")


def objects(rows: pl.DataFrame) -> Iterator[dict[str, Any]]:
    """Yield the rows as JSON objects."""
    times = _times(rows)
    for time, row in zip(times, rows.iter_rows(named=True), strict=True):
        one: dict[str, Any] = {
            "time": time,
            "labels": dict(stream_labels(row.get("_stream") or "{}")),
            "line": row.get("_line"),
        }
        if row.get("_level"):
            one["level"] = row["_level"]
        one["fields"] = {
            column_field(name): value for name, value in row.items() if value is not None and is_field(name)
        }
        yield one | {name: row[column] for column, name in _ALERT.items() if row.get(column) is not None}


def _times(rows: pl.DataFrame) -> list[str | None]:
    if "_time_ns" not in rows.columns:
        return [None] * len(rows)
    return rows.select(pl.from_epoch("_time_ns", "ns").dt.strftime("%Y-%m-%dT%H:%M:%S%.9fZ")).to_series().to_list()
