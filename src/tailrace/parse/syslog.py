r"""Syslog, as it stands in files and as it is sent: RFC 3164 and RFC 5424, with and without `<PRI>`.

Comes in and goes out as `contracts.Parser` says. Fields: `hostname`, `app`, `procid`; with RFC 5424 `msgid`, `sd`
(the structured data as written) and each of its parameters as `<SD-ID>_<name>`, a repeated one as a JSON list;
`facility` and `severity` when there is a PRI of 0 to 191; `repeated` of `last message repeated 3 times`; `mnemonic`
of Cisco's `%FACILITY-SEVERITY-MNEMONIC`. `_line` stays whole. `-` is null. A line without a header keeps `_error`,
except a blank one.

Senders leave the host out, write ISO stamps or a year, and put the length in front (octet counting):
all of that is read. A stamp without a year is of the latest year that does not put it more than a day after its
reading.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.parse import groups, level, pairs, timestamp
from tailrace.parse.outcome import empty, outcome
from tailrace.parse.stamp_shapes import MONTH

if TYPE_CHECKING:
    from tailrace.contracts import Reading

ERROR: Final = "SyslogParserErr"

_COUNT: Final = r"(?:[0-9]{1,7} )"  # octets, in front of a PRI only
_PRI: Final = rf"(?:{_COUNT}?<(?P<pri>[0-9]{{1,3}})>)"
_BSD_TIME: Final = rf"{MONTH} [ 0-9]?[0-9](?: [0-9]{{4}})? [0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}}(?:[.,][0-9]{{1,9}})?"
_ISO_TIME: Final = (
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:[.,][0-9]{1,9})?(?:Z|[+-][0-9]{2}:?[0-9]{2})"
)
_HOST: Final = r"(?:[^\s:\[\]]+|[0-9A-Fa-f]{0,4}:[0-9A-Fa-f:.]+)"
_TAG: Final = r"[^\s:\[\]]+"
_PROCID: Final = r"[^\]\s]{1,64}"
BSD: Final = (
    rf"^{_PRI}?(?P<time>{_BSD_TIME}|{_ISO_TIME}) (?:(?P<hostname>{_HOST})"
    rf"(?: +(?P<app>{_TAG}(?: {_TAG}){{0,3}}?)(?:\[(?P<procid>{_PROCID})\])?"
    r"(?: \([^)]*\)(?:\[[0-9]+\])?)?:(?: |$)| )"
    rf"|(?P<only_app>{_TAG})(?:\[(?P<only_procid>{_PROCID})\])?:(?: |$))"
)
IETF: Final = (
    rf"^{_PRI}1 (?P<time>-|{_ISO_TIME}) (?P<hostname>\S{{1,255}}) (?P<app>\S{{1,48}}) (?P<procid>\S{{1,128}}) "
    r'(?P<msgid>\S{1,32}) (?P<sd>-|(?:\[[^\s\]="]+(?: [^\s\]="]+="(?:[^"\\\]]|\\.)*")*\])+)(?: |$)'
)
CISCO: Final = (
    rf"^{_PRI}?(?:[0-9]{{1,10}}: )?(?:(?P<hostname>{_HOST}): )?(?:[0-9]{{1,10}}: )?"
    rf"(?:[*.]?(?P<time>{_BSD_TIME})(?: [A-Z]{{3,4}})?: )?(?:[A-Za-z0-9/]+: )?%[A-Z]"
)
LOOKS: Final = (
    rf"^(?:(?:{_COUNT}?<[0-9]{{1,3}}>)?{_BSD_TIME} (?:[^\s:\[\]]+ |[0-9A-Fa-f]{{0,4}}:[0-9A-Fa-f:.]+ |"
    rf"{_TAG}(?:\[[0-9]+\])?: )|{_COUNT}?<[0-9]{{1,3}}>1 \S+ \S|"
    rf"{_ISO_TIME} [^\s:\[\]]+ (?:[^\s:\[\]]+\[[0-9]+\]|kernel): |"
    r"<[0-9]{1,3}>(?:[0-9]{1,10}: )?(?:[^ ]+: )?[*.]?[A-Z][a-z]{2} .{8,40}: %[A-Z0-9_]+-[0-7]-)"
)
"""What a line of either looks like; an ISO time needs a tag, since much else begins with one and a word."""

_MNEMONIC: Final = r"%(?P<mnemonic>[A-Z][A-Z0-9_]*(?:-[A-Z0-9_]+)*-(?P<digit>[0-7])-[A-Z0-9_]+):"
_MARKER: Final = r"^-- .* --$"  # of journalctl: `-- Boot 3f… --`, `-- No entries --`
_REPEATED: Final = r"[ :](?:last )?message repeated ([0-9]{1,9}) times?(?:$|:| ---)"
_PARAM: Final = r'\[[^\s\]="]+|[^\s\[\]="]+="(?:[^"\\\]]|\\.)*"'
_BOTH: Final = ("pri", "time", "hostname", "app", "procid")
_FIELDS: Final = ("hostname", "app", "procid", "msgid", "sd", "facility", "severity", "repeated", "mnemonic")


class Syslog:
    """Reads both syslog formats; each line says which one it is."""

    name = "syslog"

    def parse(self, lines: pl.DataFrame, reading: Reading, data: bytes | None = None) -> pl.DataFrame:  # noqa: ARG002  the seam
        """Return the rows with the header's fields, time and level."""
        text = lines["_line"]
        parts = _cisco(text, _headers(text))
        good = parts["time"].is_not_null()
        marker = text.str.contains(_MARKER)
        fields = _named(text, parts)
        more = [] if "sd" not in fields.columns else _parameters(fields["sd"]).get_columns()
        frame = outcome(
            lines,
            self.name,
            ERROR,
            fits=good,
            fields=[*(fields[name] for name in _FIELDS if name in fields.columns), *more],
            times=empty(pl.Int64, len(text))
            if "_time_ns" in lines.columns
            else timestamp.leading(parts["time"], lines["_observed_ns"], reading.timezone),
            levels=level.from_value(fields["severity"]),
        )
        if marker.any() and "_error" in frame.columns:
            frame = frame.with_columns(pl.when(~pl.lit(marker)).then("_error").alias("_error"))
        return frame


def _headers(text: pl.Series) -> pl.DataFrame:
    """Return the groups of the header that each line has; `time` is null where it has none."""
    parts = groups.extract(text, BSD)
    if parts["time"].null_count():
        ietf = groups.extract(text, IETF)
        if ietf["time"].null_count() < len(ietf):
            both = pl.col("time").is_null()
            parts = pl.concat([parts, ietf.select(pl.all().name.prefix("i_"))], how="horizontal").select(
                *(pl.coalesce(name, f"i_{name}") if name in _BOTH else name for name in parts.columns),
                *(pl.when(both).then(f"i_{name}").alias(name) for name in ("msgid", "sd")),
            )
    if parts["only_app"].null_count() < len(parts):
        parts = parts.with_columns(app=pl.coalesce("app", "only_app"), procid=pl.coalesce("procid", "only_procid"))
    return parts.drop("only_app", "only_procid")


def _cisco(text: pl.Series, parts: pl.DataFrame) -> pl.DataFrame:
    """Add `mnemonic` and `digit`, and the header of lines that only Cisco writes so."""
    none = pl.lit(None, pl.String)
    rows = text.str.contains("%", literal=True)
    if rows.any():
        found = groups.extract(text, _MNEMONIC)
        rows = found["mnemonic"].is_not_null()
    if not rows.any():
        return parts.with_columns(none.alias("mnemonic"), none.alias("digit"))
    parts = pl.concat([parts, found], how="horizontal")
    own = groups.extract(text, CISCO)
    counter = pl.col("mnemonic").is_not_null() & pl.col("app").str.contains(r"^[0-9]+$|^%|\*")
    parts = parts.with_columns(app=pl.when(~counter.fill_null(value=False)).then("app"))
    missing = parts["time"].is_null() & own["time"].is_not_null() & rows
    return parts.with_columns(
        own[name].zip_with(missing, parts[name]).alias(name) for name in ("pri", "time", "hostname")
    )


def _named(text: pl.Series, parts: pl.DataFrame) -> pl.DataFrame:
    """Return the groups as fields: `-` is null, PRI is facility and severity."""
    pri = pl.col("pri").str.to_integer(strict=False)
    valid = pri.is_between(0, 191)
    fields = parts.with_columns(
        facility=pl.when(valid).then(pri // 8),
        severity=pl.coalesce(pl.when(valid).then(pri % 8), pl.col("digit").str.to_integer(strict=False)),
    ).with_columns(
        pl.when(pl.col(name) != "-").then(pl.col(name)).alias(name)
        for name in parts.columns
        if name not in ("pri", "time", "digit")
    )
    if text.str.contains("message repeated ", literal=True).any():
        repeated = pl.lit(text.str.extract(_REPEATED).str.to_integer(strict=False))
        fields = fields.with_columns(
            repeated=repeated,
            hostname=pl.when(repeated.is_null() | ~pl.col("hostname").is_in(["last", "---"])).then("hostname"),
        )
    return fields


def _parameters(data: pl.Series) -> pl.DataFrame:
    r"""Return the parameters of structured data; in values `\"`, `\\` and `\]` are escapes, nothing else is."""
    rows = pl.int_range(len(data), dtype=pl.UInt32, eager=True)
    tokens = pl.DataFrame({"_row": rows, "token": data.str.extract_all(_PARAM)}).explode("token").drop_nulls("token")
    if not len(tokens):
        return pl.DataFrame()
    token = pl.col("token")
    tokens = tokens.with_columns(
        pl.when(token.str.starts_with("[")).then(token.str.slice(1)).forward_fill().alias("id")
    )
    cut = token.str.split_exact("=", 1).struct.field("field_0")
    value = token.str.slice(cut.str.len_chars() + 2).str.strip_suffix('"')
    found = tokens.filter(~token.str.starts_with("[")).select(
        "_row",
        pl.concat_str("id", pl.lit("_"), cut).alias("key"),
        value.str.replace_many(["\\\\", '\\"', "\\]"], ["\\", '"', "]"]).alias("value"),
    )
    return pairs.spread(pairs.lists(found), rows)
