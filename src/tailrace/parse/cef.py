r"""CEF, the format of security devices: `CEF:0|vendor|product|version|id|name|severity|src=192.0.2.1 msg=a b`.

Comes in and goes out as `contracts.Parser` says; a syslog header in front is read, too. Fields: `cefVersion
deviceVendor deviceProduct deviceVersion deviceEventClassId name severity` and every key of the extension, as text. A
key with a label (`cs1=x cs1Label=Rule Name`) is also a field under that name (`Rule_Name`). The time is `rt`, `end`
or `start` (milliseconds, or text), else the syslog header's. The level is the severity's: 0-3 or Low info, 4-6 or
Medium warn, 7-8 or High error, 9-10 or Very-High fatal. `_line` stays whole; a line that is no CEF keeps `_error`.

Escapes: `\|` and `\\` in the header, `\=`, `\\`, `\n`, `\r` in the extension. Blanks in values are not escaped: a value
ends where ` key=` starts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.parse import groups, pairs, timestamp
from tailrace.parse.outcome import empty, outcome

if TYPE_CHECKING:
    from tailrace.contracts import Reading

ERROR: Final = "CefParserErr"

_PART: Final = r"(?:[^|\\]|\\.)*"
PATTERN: Final = (
    r"^(?P<prefix>(?:<[0-9]{1,3}>|[^|{]*? )?)CEF: ?(?P<cefVersion>[0-9.]+)\|"
    rf"(?P<deviceVendor>{_PART})\|(?P<deviceProduct>{_PART})\|(?P<deviceVersion>{_PART})\|"
    rf"(?P<deviceEventClassId>{_PART})\|(?P<name>{_PART})\|(?P<severity>{_PART})\|(?P<extension>(?s:.*))$"
)
LOOKS: Final = rf"^(?:<[0-9]{{1,3}}>|[^|{{]*? )?CEF: ?[0-9.]+\|(?:{_PART}\|){{6}}"
"""What a line looks like."""

_HEADER: Final = (
    "cefVersion", "deviceVendor", "deviceProduct", "deviceVersion", "deviceEventClassId", "name", "severity",
)  # fmt: skip
HOST: Final = (
    r"^(?:<[0-9]{1,3}>)?(?:1 )?(?:[A-Z][a-z]{2} [ 0-9][0-9] [0-9:]{8}|[0-9]{4}-[0-9]{2}-[0-9]{2}T[^ ]+) "
    r"(?P<hostname>[^ ]+)"
)
"""The host in a syslog header in front."""

_KEY: Final = r"(?:^|[ \t])([A-Za-z0-9_.\[\]-]+)="
_CUT, _SET = "\ufdd0", "\ufdd1"  # non-characters: no text has them
_TIMES: Final = ("rt", "end", "start")
_TEXT_TIME: Final = r"^([A-Z][a-z]{2} [ 0-9]?[0-9] [0-9]{4} [0-9:]{8}(?:\.[0-9]{1,9})?)"
_LABELLED: Final = r"^(?:c[a-z0-9]*|device[A-Za-z]*|flex[A-Za-z0-9]*|ad\..*)Label$"


class Cef:
    """Reads CEF, with and without a syslog header."""

    name = "cef"

    def parse(self, lines: pl.DataFrame, reading: Reading, data: bytes | None = None) -> pl.DataFrame:  # noqa: ARG002  the seam
        """Return the rows with the header's fields and the extension's keys."""
        found = groups.extract(lines["_line"], PATTERN)
        header = [_unescaped(found[name], "|") for name in _HEADER]
        keys = extension(found["extension"])
        times = _times(keys, found["prefix"], lines["_observed_ns"], reading.timezone)
        host = found["prefix"].str.extract(HOST).alias("hostname")
        taken = {*_HEADER, "hostname"}
        fields = [*header, host, *(series for series in keys.get_columns() if series.name not in taken)]
        return outcome(
            lines,
            self.name,
            ERROR,
            fits=found["cefVersion"].is_not_null(),
            fields=fields,
            times=times,
            levels=severity_level(header[-1]),
            text_level=False,
        )


def extension(text: pl.Series) -> pl.DataFrame:
    """Return the keys of extensions as text columns, and those with a label also under their label."""
    rows = pl.int_range(len(text), dtype=pl.UInt32, eager=True)
    found = cut(text, rows)
    value = pl.col("value").str.replace_many(["\\\\", "\\=", "\\n", "\\r", "\\|"], ["\\", "=", "\n", "\r", "|"])
    found = found.with_columns(value)
    return pairs.spread(pl.concat([found, _labelled(found)]), rows)


def cut(text: pl.Series, rows: pl.Series) -> pl.DataFrame:
    """Return `_row`, `key`, `value` of texts of `key=value with blanks key=value`."""
    marked = text.str.replace_all(_KEY, f"{_CUT}${{1}}{_SET}")
    tokens = pl.DataFrame({"_row": rows, "token": marked.str.split(_CUT)}).explode("token")
    parts = pl.col("token").str.split_exact(_SET, 1).struct.rename_fields(["key", "value"])
    return (
        tokens.select("_row", parts.alias("pair"))
        .unnest("pair")
        .drop_nulls("value")
        .with_columns(pl.col("value").str.strip_chars_end(" \t"))
    )


def _labelled(found: pl.DataFrame) -> pl.DataFrame:
    """Return the values of keys with a label, under the label."""
    labels = found.filter(pl.col("key").str.contains(_LABELLED))
    if not len(labels):
        return labels
    labels = labels.select("_row", pl.col("key").str.strip_suffix("Label"), pl.col("value").alias("label"))
    both = found.join(labels, on=["_row", "key"], how="inner", maintain_order="left")
    return both.filter(pl.col("label") != "").select("_row", pl.col("label").alias("key"), "value")


def severity_level(severity: pl.Series) -> pl.Series:
    """Return the levels of severities: numbers from 0 to 10, or words."""
    number = severity.str.to_integer(strict=False)
    word = severity.str.to_lowercase().str.replace("[ _]", "-")
    frame = pl.DataFrame({"n": number, "w": word})
    return frame.select(
        pl.when(pl.col("n").is_between(0, 3) | pl.col("w").is_in(["low", "unknown"]))
        .then(pl.lit("info"))
        .when(pl.col("n").is_between(4, 6) | (pl.col("w") == "medium"))
        .then(pl.lit("warn"))
        .when(pl.col("n").is_between(7, 8) | (pl.col("w") == "high"))
        .then(pl.lit("error"))
        .when(pl.col("n").is_between(9, 10) | (pl.col("w") == "very-high"))
        .then(pl.lit("fatal"))
    ).to_series()


def _unescaped(text: pl.Series, sign: str) -> pl.Series:
    return text.str.replace_many(["\\\\", f"\\{sign}"], ["\\", sign])


def _times(keys: pl.DataFrame, prefix: pl.Series, observed_ns: pl.Series, timezone: str) -> pl.Series:
    """Return the times of events, from the first key that has a usable one, else from the syslog header."""
    times = empty(pl.Int64, len(prefix))
    for name in _TIMES:
        if name in keys.columns and times.null_count():
            found = text_time(keys[name], observed_ns, timezone)
            times = times.zip_with(times.is_not_null(), found)
    if times.null_count():
        header = timestamp.leading(prefix.str.replace(r"^<[0-9]{1,3}>(?:1 )?", ""), observed_ns, timezone)
        times = times.zip_with(times.is_not_null(), header)
    return times


def text_time(text: pl.Series, observed_ns: pl.Series, timezone: str) -> pl.Series:
    """Return the times of digits since 1970, or of any shape that a line may begin with."""
    times = timestamp.epoch_text(text)
    if times.null_count() > text.null_count():
        times = times.zip_with(times.is_not_null(), timestamp.leading(text, observed_ns, timezone))
    return times
