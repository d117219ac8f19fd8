r"""LEEF 1.0 and 2.0, the format of IBM's QRadar: `LEEF:2.0|vendor|product|version|id|^|src=192.0.2.1^dst=…`.

Comes in and goes out as `contracts.Parser` says; a syslog header in front is read, too. Fields: `leefVersion
deviceVendor deviceProduct deviceVersion eventId` and every key, as text. Keys are divided by a tab, in 2.0 by the
character that the sixth field names, itself or in hex (`0x5E`, `x5E`); senders of 1.0 that write blanks for tabs are
understood. The time is `devTime`, read by `devTimeFormat` if there is one, else the syslog header's; the level is
that of `sev` (0 to 10, as in CEF). `_line` stays whole; a line that is no LEEF keeps `_error`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.parse import groups, pairs, timestamp
from tailrace.parse.cef import HOST, cut, severity_level, text_time
from tailrace.parse.outcome import empty, outcome
from tailrace.parse.time_format import formatted

if TYPE_CHECKING:
    from tailrace.contracts import Reading

ERROR: Final = "LeefParserErr"

_PREFIX: Final = r"^(?P<prefix>(?:<[0-9]{1,3}>|[^|{]*? )?)"
_FOUR: Final = (
    r"(?P<deviceVendor>[^|]*)\|(?P<deviceProduct>[^|]*)\|(?P<deviceVersion>[^|]*)\|(?P<eventId>[^|]*)(?:\||$)"
)
PATTERN: Final = (
    _PREFIX + r"LEEF: ?(?P<leefVersion>1(?:\.[0-9])?|2(?:\.[0-9])?)\|" + _FOUR + r"(?P<attributes>(?s:.*))$"
)
LOOKS: Final = r"^(?:<[0-9]{1,3}>|[^|{]*? )?LEEF: ?[12](?:\.[0-9])?\|(?:[^|]*\|){3}"
"""What a line looks like."""

_DELIMITER: Final = r"^(?:(?P<char>[^|])|0?x(?P<hex>[0-9A-Fa-f]{1,4}))?\|(?P<rest>(?s:.*))$"
_HEADER: Final = ("leefVersion", "deviceVendor", "deviceProduct", "deviceVersion", "eventId")
_JAVA: Final = {
    "yyyy": "%Y", "yy": "%y", "MMMM": "%B", "MMM": "%b", "MM": "%m", "M": "%m", "dd": "%d", "d": "%d", "EEEE": "%A",
    "EEE": "%a", "EE": "%a", "E": "%a", "HH": "%H", "H": "%H", "hh": "%I", "h": "%I", "mm": "%M", "ss": "%S", "a": "%p",
    "Z": "%z", "X": "%z", "XX": "%z", "XXX": "%:z",
}  # fmt: skip


class Leef:
    """Reads LEEF, with and without a syslog header."""

    name = "leef"

    def parse(self, lines: pl.DataFrame, reading: Reading, data: bytes | None = None) -> pl.DataFrame:  # noqa: ARG002  the seam
        """Return the rows with the header's fields and the keys."""
        found = groups.extract(lines["_line"], PATTERN)
        keys = _attributes(found)
        host = found["prefix"].str.extract(HOST).alias("hostname")
        taken = {*_HEADER, "hostname"}
        return outcome(
            lines,
            self.name,
            ERROR,
            fits=found["leefVersion"].is_not_null(),
            fields=[
                *(found[name] for name in _HEADER),
                host,
                *(series for series in keys.get_columns() if series.name not in taken),
            ],
            times=_times(keys, found["prefix"], lines["_observed_ns"], reading.timezone),
            levels=severity_level(keys["sev"]) if "sev" in keys.columns else empty(pl.String, len(keys)),
            text_level=False,
        )


def _attributes(found: pl.DataFrame) -> pl.DataFrame:
    """Return the keys as text columns; lines are taken together by their delimiter, of which there are a few."""
    rows = pl.int_range(len(found), dtype=pl.UInt32, eager=True)
    second = found["leefVersion"].str.starts_with("2").fill_null(value=False)
    given = groups.extract(found["attributes"], _DELIMITER)
    named = second & given["rest"].is_not_null()
    text = given["rest"].zip_with(named, found["attributes"])
    sign = pl.coalesce(pl.lit(given["char"]), "hex_char", pl.lit("\t"))
    hexes = given["hex"].unique().drop_nulls()
    chars = hexes.to_frame("hex").with_columns(
        pl.Series("hex_char", [_character(each) for each in hexes], dtype=pl.String)
    )
    frame = pl.DataFrame({"_row": rows, "text": text, "hex": given["hex"]}).join(
        chars, on="hex", how="left", maintain_order="left"
    )
    frame = frame.with_columns(sign=pl.when(named).then(sign).otherwise(pl.lit("\t"))).drop_nulls("text")
    blanks = (pl.col("sign") == "\t") & ~pl.col("text").str.contains("\t", literal=True)
    pieces = [cut(part["text"], part["_row"]) for part in [frame.filter(blanks)] if len(part)]
    for key, part in frame.filter(~blanks).partition_by("sign", as_dict=True).items():
        pieces.append(_split(part, str(key[0])))
    return pairs.spread(pl.concat([_NONE, *pieces]).sort("_row", maintain_order=True), rows)


def _character(digits: str) -> str:
    """Return the character of a hex number; half a surrogate pair is none, a tab is as good as anything."""
    return bytes.fromhex(digits.zfill(4)).decode("utf-16-be", errors="replace").replace("\ufffd", "\t")


_NONE: Final = pl.DataFrame(schema={"_row": pl.UInt32, "key": pl.String, "value": pl.String})


def _split(part: pl.DataFrame, sign: str) -> pl.DataFrame:
    """Return `_row`, `key`, `value` of texts divided by a sign; a piece without a key belongs to the one before."""
    pair = r"^(?P<key>[A-Za-z0-9_.-]+)=(?P<value>(?s:.*))$"
    tokens = part.select("_row", pl.col("text").str.split(sign).alias("token")).explode("token")
    tokens = tokens.with_columns(pl.col("token").str.extract_groups(pair).alias("pair")).unnest("pair")
    number = pl.col("key").is_not_null().cast(pl.UInt32).cum_sum().over("_row").alias("number")
    tokens = tokens.with_columns(number).filter(pl.col("number") > 0)
    if tokens["key"].null_count() == 0:
        return tokens.select("_row", "key", "value")
    joined = tokens.with_columns(pl.coalesce("value", "token").alias("value")).group_by(
        "_row", "number", maintain_order=True
    )
    return joined.agg(pl.col("key").first(), pl.col("value").str.join(sign)).select("_row", "key", "value")


def _times(keys: pl.DataFrame, prefix: pl.Series, observed_ns: pl.Series, timezone: str) -> pl.Series:
    times = empty(pl.Int64, len(prefix))
    if "devTime" in keys.columns:
        if "devTimeFormat" in keys.columns:
            for form in keys["devTimeFormat"].unique().drop_nulls():
                rows = (keys["devTimeFormat"] == form).fill_null(value=False).arg_true()
                times = times.scatter(rows, _declared(keys["devTime"][rows], form, observed_ns[rows], timezone))
        if times.null_count():
            times = times.zip_with(times.is_not_null(), text_time(keys["devTime"], observed_ns, timezone))
    if times.null_count():
        header = timestamp.leading(prefix.str.replace(r"^<[0-9]{1,3}>(?:1 )?", ""), observed_ns, timezone)
        times = times.zip_with(times.is_not_null(), header)
    return times


def _declared(text: pl.Series, form: str, observed_ns: pl.Series, timezone: str) -> pl.Series:
    """Return the times of one Java format; a format with parts that we do not know gives none.

    Zones by name are taken off: `UTC` and `GMT` are UTC, others are read in the zone of the source.
    """
    named = form.rstrip().endswith("z")
    if named:
        universal = bool(text.str.contains(r" (?:UTC|GMT)$").all())
        text = text.str.replace(r" [A-Z]{2,5}$", "")
        form, timezone = form.rstrip().rstrip("z").rstrip(), "UTC" if universal else timezone
    pattern = re.sub(r"'([^']*)'|([A-Za-z])\2*", lambda part: part[1] if part[2] is None else _part(part[0]), form)
    if "?" in pattern:
        return empty(pl.Int64, len(text))
    return formatted(text, pattern.replace(".%f", "%.f"), observed_ns, timezone)


def _part(letters: str) -> str:
    return "%f" if set(letters) == {"S"} else _JAVA.get(letters, "?")
