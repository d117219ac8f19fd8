"""Frames as they reach the metrics: fields, and the envelope that they need."""

from __future__ import annotations

from typing import Any

import polars as pl

SECOND = 1_000_000_000


def rows(*records: dict[str, Any], at_s: float = 100.0, stream: str = '{host="a"}') -> pl.DataFrame:
    """Return a frame; `t` and `o` of a record are its event and reading time in seconds."""
    times = [round(record.get("t", at_s) * SECOND) for record in records]
    read = [round(record.get("o", record.get("t", at_s)) * SECOND) for record in records]
    names = list(dict.fromkeys(name for record in records for name in record if name not in {"t", "o"}))
    fields = {name: [record.get(name) for record in records] for name in names}
    lines = fields.pop("_line", [f"line {i}" for i in range(len(records))])
    return pl.DataFrame(
        {"_time_ns": times, "_observed_ns": read, "_stream": [stream] * len(records), "_line": lines, **fields},
        schema_overrides={"_time_ns": pl.Int64, "_observed_ns": pl.Int64},
    )
