r"""Headers behind a time that only one product writes, for lines of which the general pattern makes nothing.

Comes in: texts of one shape of time, and the fields that `header` found. Goes out: the fields with what these lines
have of their own: PostgreSQL's `[7] user@database LOG:  `, Redis' mark of the level, MongoDB's letter and component,
MySQL's codes, Envoy, Go's `file.go:12:`, Heroku; the logger at the end of Kafka's lines and the node in
Elasticsearch's. Each line is judged by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.parse import groups, level
from tailrace.parse.stamp_shapes import without_groups

if TYPE_CHECKING:
    from tailrace.parse.stamp_shapes import Shape

NO_LEVEL: Final = ""
"""The level of lines that say that they have none: words in them count for nothing."""

_NUMBER: Final = "[0-9]{1,10}"
PRODUCTS: Final = (
    # PostgreSQL, as it is shipped and as Debian sets it up.
    (
        rf"(?: [A-Z]{{3,5}})? \[(?P<pid>{_NUMBER})(?:-[0-9]+)?\](?: \[[0-9]+-[0-9]+\])?:? "
        r"(?:(?P<user>[^ @]+)@(?P<database>[^ ]+) )?"
        r"(?P<word>LOG|DETAIL|HINT|STATEMENT|CONTEXT|QUERY|LOCATION|NOTICE|INFO|WARNING|ERROR|FATAL|PANIC|DEBUG[1-5]?)"
        r":  "
    ),
    # MySQL 8, its forerunners and MariaDB.
    rf" (?P<tid>{_NUMBER}) \[(?P<word>[A-Za-z]+)\] \[(?P<code>MY-[0-9]{{6}})\] \[(?P<component>[^\]]+)\] ",
    rf" (?P<pid>{_NUMBER}) \[(?P<word>Note|System)\] (?:(?P<component>[A-Za-z]+): )?",
    # MongoDB before 4.4.
    r" (?P<letter>[FEWID])[1-5]? +(?P<component>[A-Z]+|-) +\[(?P<thread>[^\]]+)\] ",
    # Envoy: what it does, and what it was asked.
    (
        rf"\]\[(?P<tid>{_NUMBER})\]\[(?P<word>[a-z]+)\]\[(?P<component>[^\]]+)\]"
        rf"(?: \[(?P<file>[^:\]]+):(?P<line>{_NUMBER})\])? "
    ),
    r'\] "(?P<method>[A-Z]+) (?P<path>[^ "]+) (?P<proto>HTTP/[0-9.]+)" (?P<status>[0-9]{3}) ',
    # Go's log with a place.
    r" (?P<file>[A-Za-z0-9_./+-]+\.[a-z]{1,4}):(?P<line>[0-9]{1,6}): ",
    # Heroku: source and dyno.
    r" (?P<component>[a-z]+)\[(?P<thread>[a-z_-]+(?:\.[0-9]{1,6})?)\]: ",
)
"""What may stand behind a time, the first that fits counts."""

_OWN: Final = {"redis": (r" (?P<mark>[.*#-]) ",)}
_MARKS: Final = {".": "debug", "-": "debug", "*": "info", "#": "warn"}
_WORDS: Final = {
    "log": "info",
    "system": "info",
    **dict.fromkeys(("detail", "hint", "statement", "context", "query", "location"), NO_LEVEL),
    **{f"debug{number}": "debug" for number in range(1, 6)},
}
_INTEGERS: Final = ("pid", "tid", "line", "status")
_LOGGER_LAST: Final = r"^\[.* \(([A-Za-z_][A-Za-z0-9_$]*(?:\.[A-Za-z0-9_$]+)+)\)$"
_PLACE: Final = r"^(?P<file>[^ :]+\.[a-z]{1,4}):(?P<line>[0-9]{1,6})$"
_NODE: Final = r"^\[[^\]]*\]\[[A-Z ]+\]\[[^\[\]]+\] \[([^\[\]]+)\](?: |$)"


def more(shape: Shape, text: pl.Series, fields: pl.DataFrame, *, general: bool) -> pl.DataFrame:
    """Return the fields with those of products; `fields` has `_level`, `component` and `thread`."""
    if not general and shape.name not in _OWN:
        return fields
    numbered = pl.col("thread").str.starts_with("MY-").fill_null(value=False)
    poor = (pl.col("_level").is_null() & pl.col("component").is_null()) | numbered
    rows = fields.select(poor).to_series().arg_true()
    patterns = _OWN.get(shape.name, PRODUCTS)
    if len(rows):  # without groups, all of them together cost less than one with groups
        rows = rows.filter(text[rows].str.contains(without_groups(f"{shape.pattern}(?:{'|'.join(patterns)})")))
    for pattern in patterns:
        if not len(rows):
            break
        found = groups.extract(text[rows], shape.pattern + pattern)
        hit = found["base"].is_not_null()
        if hit.any():
            fields = _with(fields, rows.filter(hit), found.filter(hit))
            rows = rows.filter(~hit)
    return _with_place(_with_node(_with_last(fields, text), text))


def _with(fields: pl.DataFrame, rows: pl.Series, found: pl.DataFrame) -> pl.DataFrame:
    """Return the fields with the groups of a pattern at some rows, where they replace what was there."""
    own = found.select(
        *(pl.col(name).str.to_integer(strict=False) for name in _INTEGERS if name in found.columns),
        *(
            pl.col(name)
            for name in ("component", "thread", "user", "database", "code", "file", "method", "path", "proto")
            if name in found.columns
        ),
        *([pl.lit(levels).alias("_level")] if (levels := _levels(found)) is not None else []),
    )
    if "code" in own.columns:  # it was taken for a thread, and the connection for a process
        none = pl.lit(None)
        own = own.with_columns(none.cast(pl.String).alias("thread"), none.cast(pl.Int64).alias("pid"))
    return _scattered(fields, rows, own)


def _scattered(fields: pl.DataFrame, rows: pl.Series, own: pl.DataFrame) -> pl.DataFrame:
    """Return the fields with values at some rows."""
    whole = pl.DataFrame(
        {name: pl.Series([None], dtype=own[name].dtype).new_from_index(0, len(fields)) for name in own.columns}
    )
    columns = [
        (fields[name] if name in fields.columns else whole[name]).scatter(rows, own[name]).alias(name)
        for name in own.columns
    ]
    return fields.with_columns(columns)


def _levels(found: pl.DataFrame) -> pl.Series | None:
    if "mark" in found.columns:
        return found["mark"].replace_strict(_MARKS, default=None, return_dtype=pl.String)
    if "letter" in found.columns:
        return level.from_letter(found["letter"])
    if "word" not in found.columns:
        return None
    words = found["word"].str.to_lowercase().replace_strict(_WORDS, default=None, return_dtype=pl.String)
    return words.zip_with(words.is_not_null(), level.from_value(found["word"]))


def _with_place(fields: pl.DataFrame) -> pl.DataFrame:
    """Return the fields with a place in code, as zap's console writes it, as `file` and `line` and not as a logger."""
    rows = fields["component"].str.contains(_PLACE).fill_null(value=False).arg_true()
    if not len(rows):
        return fields
    found = groups.extract(fields["component"][rows], _PLACE).select(
        "file", pl.col("line").str.to_integer(strict=False), pl.lit(None, pl.String).alias("component")
    )
    return _scattered(fields, rows, found)


def _with_last(fields: pl.DataFrame, text: pl.Series) -> pl.DataFrame:
    """Return the fields with the logger that stands at the end; what stands in brackets there begins the message."""
    open_ = pl.col("component").is_null() & pl.col("_level").is_not_null() & pl.lit(text).str.ends_with(")")
    rows = fields.select(open_ & pl.lit(text).str.starts_with("[")).to_series().arg_true()
    logger = text[rows].str.extract(_LOGGER_LAST)
    if not len(rows) or logger.null_count() == len(logger):
        return fields
    found = logger.is_not_null()
    at = rows.filter(found)
    return fields.with_columns(
        fields["component"].scatter(at, logger.filter(found)),
        fields["thread"].scatter(at, pl.Series([None], dtype=pl.String)),
    )


def _with_node(fields: pl.DataFrame, text: pl.Series) -> pl.DataFrame:
    """Return the fields with the node that Elasticsearch and OpenSearch put behind the logger."""
    rows = fields.select(pl.col("component").is_not_null() & pl.lit(text).str.starts_with("[")).to_series().arg_true()
    node = text[rows].str.extract(_NODE)
    if not len(rows) or node.null_count() == len(node):
        return fields
    found = node.is_not_null()
    return _scattered(fields, rows.filter(found), node.filter(found).alias("node").to_frame())
