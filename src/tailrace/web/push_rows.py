"""Pushed entries become rows of the table: one frame per request, built from columns.

Lines stay as they came. Structured metadata become string fields; what is no good as a column (too many
names, too long, or two names that are written alike) goes to the JSON column `_more`. Streams without
`service_name` get one from their other labels, as Loki does it; `_level` comes from labels, metadata or the line.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace import limits
from tailrace.batch import columns_for, field_column, sanitize_name, stream_text
from tailrace.clock import NS_PER_S
from tailrace.errors import DataError
from tailrace.parse import level

if TYPE_CHECKING:
    from tailrace.web.push_entries import Entries

SERVICE_LABELS: Final = (
    "service",
    "app",
    "application",
    "app_name",
    "name",
    "app_kubernetes_io_name",
    "container",
    "container_name",
    "k8s_container_name",
    "component",
    "workload",
    "job",
    "k8s_job_name",
)
"""Labels that name a service when `service_name` is absent; the first that is not empty."""

UNKNOWN_SERVICE: Final = "unknown_service"

LEVEL_NAMES: Final = (
    "level",
    "LEVEL",
    "Level",
    "log_level",
    "severity",
    "SEVERITY",
    "Severity",
    "SeverityText",
    "lvl",
    "LVL",
    "Lvl",
    "severity_text",
    "Severity_Text",
    "SEVERITY_TEXT",
    "detected_level",
)
"""Labels and metadata that hold a level; the first that is there."""

_MEMBER: Final = r'(?i)\b(?:level|severity|severity_text|lvl)"?\s*[:=]\s*"?([a-z]+)'
"""A level as a member of a JSON or logfmt line."""

_CRITICAL_WORD: Final = r"\b(?:CRITICAL|CRIT|critical|crit|Critical|Crit)\b"

_DAY_NS: Final = 86_400 * NS_PER_S


def rows(entries: Entries, now_ns: int) -> pl.DataFrame:
    """Return the frame of a request's entries, in their order."""
    streams = pl.DataFrame(
        {
            "_stream": [_text(tuple(labels.items())) for labels in entries.streams],
            "_level": [_level_of(labels) for labels in entries.streams],
            "count": entries.counts,
        },
        schema={"_stream": pl.String, "_level": pl.String, "count": pl.Int64},
    )
    repeated = streams.filter(pl.col("count") > 0).select(pl.exclude("count").repeat_by("count").explode())
    frame = pl.DataFrame({"_time_ns": _times(entries.times), "_line": _texts(entries.lines)})
    if (frame["_time_ns"] // _DAY_NS).n_unique() > limits.PUSH_DAYS:
        raise DataError(f"the lines are of more than {limits.PUSH_DAYS} days; send fewer days at once")
    frame = frame.with_columns(_observed_ns=pl.lit(now_ns, pl.Int64)).hstack(repeated)
    if entries.meta_rows:
        frame = frame.hstack(_metadata(entries, frame.height))
    return _with_level(frame)


def _times(times: list[str] | pl.Series) -> pl.Series:
    if isinstance(times, pl.Series):
        return times
    texts = pl.Series(times, dtype=pl.String)
    if not texts.str.contains(r"^[0-9]{1,19}$").all():
        raise DataError("a time is not a string of digits (Unix nanoseconds)")
    try:
        return texts.cast(pl.Int64)
    except pl.exceptions.InvalidOperationError:
        raise DataError("a time is out of range (years 1970 to 2262)") from None


def _texts(texts: list[str] | pl.Series) -> pl.Series:
    if isinstance(texts, pl.Series):
        return texts
    try:
        return pl.Series(texts, dtype=pl.String)
    except UnicodeEncodeError:  # JSON may spell half of a surrogate pair, which is no text
        return pl.Series([text.encode(errors="replace").decode() for text in texts], dtype=pl.String)


@lru_cache(maxsize=4_096)
def _text(labels: tuple[tuple[str, str], ...]) -> str:
    held = {name: value.encode(errors="replace").decode() for name, value in labels if value}
    if "service_name" not in held:
        held["service_name"] = next((held[name] for name in SERVICE_LABELS if name in held), UNKNOWN_SERVICE)
    return stream_text(held)


def _level_of(labels: dict[str, str]) -> str | None:
    return next((labels[name] for name in LEVEL_NAMES if labels.get(name)), None)


def _metadata(entries: Entries, height: int) -> pl.DataFrame:
    """Return one string column per name, in the rows that have it, and `_more` for the rest."""
    pairs = pl.DataFrame(
        {
            "row": pl.Series(entries.meta_rows, dtype=pl.UInt32),
            "name": _texts(entries.meta_names),
            "value": _texts(entries.meta_values),
        }
    ).filter(pl.col("value") != "", pl.col("name") != "")
    names = pairs["name"].unique(maintain_order=True).to_list()
    columns = _columns(names, columns_for(height))
    kept = pairs.filter(pl.col("name").is_in(list(columns)))
    column = kept["name"].replace_strict(columns, return_dtype=pl.String)
    wide = kept.with_columns(name=column).pivot(on="name", index="row", values="value", aggregate_function="last")
    rest = pairs.filter(~pl.col("name").is_in(list(columns)))
    if rest.height:
        wide = wide.join(_more(rest), on="row", how="full", coalesce=True)
    every = pl.DataFrame({"row": pl.Series(range(height), dtype=pl.UInt32)})
    return every.join(wide, on="row", how="left", maintain_order="left").drop("row")


def _columns(names: list[str], most: int) -> dict[str, str]:
    """Return name to column, for the names that get one of so many columns."""
    columns: dict[str, str] = {}
    taken: set[str] = set()
    for name in names:
        column = field_column(sanitize_name(name))
        fits = len(name.encode()) <= limits.FIELD_NAME_BYTES and len(taken) < most
        if fits and column and column not in taken:
            columns[name] = column
            taken.add(column)
    return columns


def _more(pairs: pl.DataFrame) -> pl.DataFrame:
    """Return row and JSON object of the pairs; a path for oddities, so a loop will do."""
    objects: dict[int, dict[str, str]] = {}
    for row, name, value in pairs.iter_rows():
        objects.setdefault(row, {})[name] = value
    texts = [json.dumps(found, ensure_ascii=False) for found in objects.values()]
    return pl.DataFrame({"row": pl.Series(list(objects), dtype=pl.UInt32), "_more": texts})


def _with_level(frame: pl.DataFrame) -> pl.DataFrame:
    """Set `_level`: from the labels, else metadata, else a level member in the line, else its first level word."""
    named = [pl.col(name) for name in LEVEL_NAMES if name in frame.columns]
    found = _levels(frame.select(pl.coalesce("_level", *named).alias("_level")).to_series())
    if found.null_count():
        found = found.zip_with(found.is_not_null(), _levels(frame["_line"].str.extract(_MEMBER, 1)))
    if found.null_count():
        worded = level.from_text(frame["_line"])
        severe = worded.eq_missing("fatal") & frame["_line"].str.contains(_CRITICAL_WORD).fill_null(value=False)
        found = found.zip_with(found.is_not_null(), _critical(worded, severe))
    return frame.with_columns(found.alias("_level"))


def _levels(words: pl.Series) -> pl.Series:
    """Return the levels that words mean; `critical` is one of its own here, as Loki has it."""
    severe = words.cast(pl.String).str.strip_chars().str.to_lowercase().is_in(["critical", "crit"])
    return _critical(level.from_value(words), severe.fill_null(value=False))


def _critical(levels: pl.Series, here: pl.Series) -> pl.Series:
    """Return the levels with `critical` in some rows."""
    return levels.zip_with(~here, pl.Series(["critical"]).new_from_index(0, len(levels))) if here.any() else levels
