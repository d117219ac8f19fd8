"""Answers in the shapes of Loki's HTTP API: streams, matrix, vector, scalar, and their statistics.

Entry times are strings of nanoseconds, sample times numbers of seconds with at most three decimals,
sample values strings. With *categorize*, entries are triples and streams carry stream labels only;
without, entries are pairs and streams carry every label. A decoder that asked for one breaks on the other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final  # Any: JSON of several shapes

import polars as pl

from tailrace.query.render.columns import present
from tailrace.query.render.series import value_text
from tailrace.query.result import META, PARSED, STREAM, Lines

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tailrace.query.result import Series, Stats

_NS_PER_S: Final = 1_000_000_000
_LEVEL: Final = "detected_level"
_PARTS: Final = ((META, "structuredMetadata"), (PARSED, "parsed"))


def loki_response(answer: Lines | Series, *, categorize: bool = False) -> dict[str, Any]:
    """Return the body of `query` and `query_range`."""
    if isinstance(answer, Lines):
        data = _streams(answer.frame, categorize)
        entries = answer.frame.height
    else:
        data = {"resultType": answer.kind, "result": _samples(answer)}
        entries = 0
    data["stats"] = _stats(answer, entries)
    body: dict[str, Any] = {"status": "success", "data": data}
    if answer.warnings:
        body["warnings"] = list(answer.warnings)
    return body


# --- lines ------------------------------------------------------------------------------------------


def loki_streams(frame: pl.DataFrame, *, categorize: bool, metadata: bool = True) -> list[dict[str, Any]]:
    """Return the streams of lines with their entries; without `metadata` that is left out."""
    if not metadata:
        frame = frame.drop(column for column in frame.columns if column.startswith(META))
    found: list[dict[str, Any]] = _streams(frame, categorize)["result"]
    return found


def _streams(frame: pl.DataFrame, categorize: bool) -> dict[str, Any]:
    frame = frame.with_row_index("row")
    columns: dict[str, list[str]] = {}
    for kind in (STREAM,) if categorize else (PARSED, META, STREAM):  # a parser that overwrites a label wins
        for name, column in present(frame, kind).items():
            columns.setdefault(name, []).append(column)
    entries: list[list[Any]] = [
        list(entry) for entry in frame.select(pl.col("_time_ns").cast(pl.String), pl.col("_line").fill_null("")).rows()
    ]
    if categorize:
        for entry, third in zip(entries, _thirds(frame), strict=True):
            entry.append(third)
    result = [{"stream": labels, "values": [entries[row] for row in rows]} for labels, rows in _grouped(frame, columns)]
    flags = {"encodingFlags": ["categorize-labels"]} if categorize else {}
    return {"resultType": "streams", **flags, "result": result}


def _grouped(frame: pl.DataFrame, columns: Mapping[str, list[str]]) -> list[tuple[dict[str, str], list[int]]]:
    """Return each distinct label set, sorted, with the numbers of its rows in their order."""
    if not columns:
        return [({}, frame["row"].to_list())] if frame.height else []
    names = sorted(columns)
    keys = [pl.coalesce(columns[name]).alias(f"label.{name}") for name in names]
    found = [
        ({name: text for name, text in zip(names, key, strict=True) if text is not None}, rows)
        for *key, rows in frame.group_by(keys, maintain_order=True).agg("row").iter_rows()
    ]
    return sorted(found, key=lambda group: tuple(group[0].items()))


def _thirds(frame: pl.DataFrame) -> list[dict[str, dict[str, str]]]:
    """Return the third element of every entry: its labels that are not the stream's; costs their number."""
    thirds: list[dict[str, dict[str, str]]] = [{} for _ in range(frame.height)]
    for prefix, part in _PARTS:
        columns = present(frame, prefix)
        if prefix == META and _LEVEL not in columns and "_level" in frame.columns:
            columns[_LEVEL] = "_level"
        for name in sorted(columns):
            held = frame.select("row", text=columns[name]).drop_nulls()
            for row, text in held.iter_rows():
                thirds[row].setdefault(part, {})[name] = text
    return thirds


# --- samples ----------------------------------------------------------------------------------------


def _samples(series: Series) -> list[Any]:
    frame = series.frame
    values = frame.select(value_text()).to_series().to_list()
    points = list(map(list, zip(_axis(frame["_time_ns"]), values, strict=True)))
    if series.kind == "scalar":
        return points[0]
    grouped: dict[int, list[list[Any]]] = {}
    for index, point in zip(frame["series"].to_list(), points, strict=True):
        grouped.setdefault(index, []).append(point)
    found = [(dict(labels), grouped[index]) for index, labels in enumerate(series.labels) if index in grouped]
    if series.kind == "vector":
        return [{"metric": labels, "value": points[0]} for labels, points in found]
    return [{"metric": labels, "values": points} for labels, points in found]


def _axis(times: pl.Series) -> list[Any]:
    """Return times in seconds; whole ones, which are the rule, without a call per point."""
    if (times % _NS_PER_S == 0).all():
        return (times // _NS_PER_S).to_list()
    return [_seconds(time_ns) for time_ns in times]


def _seconds(time_ns: int) -> int | float:
    """Return seconds as a JSON number with at most three decimals.

    >>> _seconds(1_700_000_000_000_000_000), _seconds(1_700_000_000_250_400_000)
    (1700000000, 1700000000.25)
    """
    seconds, millis = divmod(time_ns // 1_000_000, 1_000)
    return seconds + millis / 1_000 if millis else seconds


# --- statistics -------------------------------------------------------------------------------------


def _stats(answer: Lines | Series, entries: int) -> dict[str, Any]:
    stats: Stats = answer.stats
    seconds = stats.seconds or 1e-9
    return {
        "summary": {
            "bytesProcessedPerSecond": int(stats.bytes / seconds),
            "linesProcessedPerSecond": int(stats.rows / seconds),
            "totalBytesProcessed": stats.bytes,
            "totalLinesProcessed": stats.rows,
            "execTime": stats.seconds,
            "queueTime": stats.queue_seconds,
            "totalEntriesReturned": entries,
        },
        "tailrace": {
            "complete": answer.complete,
            "segmentsRead": stats.segments_read,
            "segmentsSkipped": stats.segments_skipped,
        },
    }
