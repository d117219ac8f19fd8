"""Answers in the shapes of Loki's HTTP API: streams, matrix, vector, scalar, and their statistics; as JSON text.

Entry times are strings of nanoseconds, sample times numbers of seconds with at most three decimals,
sample values strings. With *categorize*, entries are triples and streams carry stream labels only;
without, entries are pairs and streams carry every label. A decoder that asked for one breaks on the other.

Entries and samples become text by expressions; only label sets, statistics and times that are no whole seconds pass
through Python.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final  # Any: JSON of several shapes

import polars as pl

from tailrace.query.render.columns import json_object, json_text, present
from tailrace.query.render.series import value_text
from tailrace.query.result import META, PARSED, STREAM, Lines

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tailrace.query.result import Series, Stats

_NS_PER_S: Final = 1_000_000_000
_LEVEL: Final = "detected_level"
_PARTS: Final = ((META, "structuredMetadata"), (PARSED, "parsed"))
_FLAGS: Final = '"encodingFlags":["categorize-labels"]'


def loki_response(answer: Lines | Series, *, categorize: bool = False, stats: bool = True) -> str:
    """Return the body of `query` and `query_range`, with statistics unless they are not wanted."""
    if isinstance(answer, Lines):
        flags = f"{_FLAGS}," if categorize else ""
        data = f'"resultType":"streams",{flags}"result":{_streams(answer.frame, categorize)}'
        entries = answer.frame.height
    else:
        data = f'"resultType":"{answer.kind}","result":{_samples(answer)}'
        entries = 0
    if stats:
        data += f',"stats":{_json(_stats(answer, entries))}'
    warnings = f',"warnings":{_json(list(answer.warnings))}' if answer.warnings else ""
    return f'{{"status":"success","data":{{{data}}}{warnings}}}'


def loki_frame(frame: pl.DataFrame, *, categorize: bool, metadata: bool = True) -> str:
    """Return a message of a live tail, open for more members; without `metadata` that is left out."""
    if not metadata:
        frame = frame.drop(column for column in frame.columns if column.startswith(META))
    return f'{{"streams":{_streams(frame, categorize)}' + (f",{_FLAGS}" if categorize else "")


# --- lines ------------------------------------------------------------------------------------------


def _streams(frame: pl.DataFrame, categorize: bool) -> str:
    if frame.is_empty():
        return "[]"
    columns: dict[str, list[str]] = {}
    for kind in (STREAM,) if categorize else (PARSED, META, STREAM):  # a parser that overwrites a label wins
        for name, column in present(frame, kind).items():
            columns.setdefault(name, []).append(column)
    line = json_text(pl.col("_line").fill_null(""))
    third = [pl.lit(","), _third(frame)] if categorize else []
    entry = pl.concat_str(pl.lit('["'), pl.col("_time_ns").cast(pl.String), pl.lit('",'), line, *third, pl.lit("]"))
    found = _grouped(frame.with_columns(_entry=entry), columns)
    return "[" + ",".join(f'{{"stream":{_json(labels)},"values":[{entries}]}}' for labels, entries in found) + "]"


def _grouped(frame: pl.DataFrame, columns: Mapping[str, list[str]]) -> list[tuple[dict[str, str], str]]:
    """Return each distinct label set, sorted, with the text of its entries in their order."""
    joined = pl.col("_entry").str.join(",")
    if not columns:
        return [({}, str(frame.select(joined).item()))]
    names = sorted(columns)
    keys = [pl.coalesce(columns[name]).alias(f"label.{name}") for name in names]
    found = [
        ({name: text for name, text in zip(names, key, strict=True) if text is not None}, entries)
        for *key, entries in frame.group_by(keys, maintain_order=True).agg(joined).iter_rows()
    ]
    return sorted(found, key=lambda group: tuple(group[0].items()))


def _third(frame: pl.DataFrame) -> pl.Expr:
    """Return the third element of every entry: its labels that are not the stream's; parts without any are left out."""
    parts = []
    for prefix, part in _PARTS:
        columns = present(frame, prefix)
        if prefix == META and _LEVEL not in columns and "_level" in frame.columns:
            columns[_LEVEL] = "_level"
        if columns:
            text = json_object({name: pl.col(columns[name]) for name in sorted(columns)})
            parts.append(pl.when(text != "{}").then(pl.lit(f'"{part}":') + text))
    inside = pl.concat_str(parts, separator=",", ignore_nulls=True) if parts else pl.lit("")
    return pl.concat_str(pl.lit("{"), inside, pl.lit("}"))


# --- samples ----------------------------------------------------------------------------------------


def _samples(series: Series) -> str:
    frame = series.frame
    point = pl.concat_str(pl.lit("["), _axis(frame["_time_ns"]), pl.lit(',"'), value_text(), pl.lit('"]'))
    points = frame.select("series", point=point)
    if series.kind == "scalar":
        return str(points["point"][0])
    name = "value" if series.kind == "vector" else "values"
    text = pl.col("point").first() if series.kind == "vector" else pl.lit("[") + pl.col("point").str.join(",") + "]"
    grouped = points.group_by("series", maintain_order=True).agg(text)
    found = (f'{{"metric":{_json(dict(series.labels[index]))},"{name}":{one}}}' for index, one in grouped.iter_rows())
    return "[" + ",".join(found) + "]"


def _axis(times: pl.Series) -> pl.Expr:
    """Return times in seconds; whole ones, which are the rule, without a call per point."""
    if (times % _NS_PER_S == 0).all():
        return pl.lit((times // _NS_PER_S).cast(pl.String))
    distinct = times.unique()
    texts = pl.Series([_json(_seconds(time_ns)) for time_ns in distinct], dtype=pl.String)
    return pl.lit(times.replace_strict(distinct, texts, return_dtype=pl.String))


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
            "segmentsSkippedByIndex": stats.segments_skipped_by_index,
            "linesSkippedByIndex": stats.rows_skipped_by_index,
            "bucketsRead": stats.buckets,
        },
    }


def _json(value: Any) -> str:  # Any: label sets, statistics, numbers
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
