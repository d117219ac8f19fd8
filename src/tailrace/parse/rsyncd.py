r"""The log of an rsync daemon: `2026/03/05 10:00:00 [7] rsync on pub/a from client.example (192.0.2.1)`, or in syslog.

Comes in and goes out as `contracts.Parser` says. `kind` says what a line is; the fields depend on it:

=================  ==================================================================
kind               fields
=================  ==================================================================
`start`            `version`, `port`
`connect`          `host`, `ip`
`list`             `host`, `ip`
`allowed`          `module`, `host`, `ip`
`denied`           `reason` (acl, unknown_module, auth, max_connections, proxy), and what the line has of
                   `module`, `host`, `ip`, `user`, `limit`
`request`          `direction` (download, upload), `module`, `path`, `user`, `host`, `ip`
`phase`            `phase` (building, receiving)
`transfer`         `operation` (send, recv, del), `module`, `user`, `path`, `length`, `host`, `ip`: of the
                   default `log format`; of another one, declared as `rsyncd:<log format>`, what it has
                   (see `rsyncd_format`)
`end`              `sent`, `received`, `total_size`
`error`            `code`, `role`: the end of a run that failed
`warning`          `code`, `role`: the end of a run that left something out
`detail`           `role`: one thing that went wrong, not an end
`other`            none
=================  ==================================================================

All of them have `pid`. Bytes that rsync writes as `\#ooo` are put back in `module` and `path`; `_line` stays whole. A
host that rsync did not look up or did not find (`UNDETERMINED`, `UNKNOWN`) is none. Each pattern is anchored to the
whole message: a refusal holds `connect`, and an error `rsync`, as parts. rsync cuts a message at 2,047 bytes together
with its newline; the next record then stands on the same line. Such a line has the fields of its first record and the
error `RsyncdJoinedErr`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.parse import groups, timestamp
from tailrace.parse.outcome import outcome
from tailrace.parse.rsyncd_format import transfer_pattern
from tailrace.parse.stamp_shapes import BY_NAME, MONTH, without_groups

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tailrace.contracts import Reading

ERROR: Final = "RsyncdParserErr"
JOINED: Final = "RsyncdJoinedErr"
_MESSAGE_BYTES: Final = 2_047

_FILE: Final = r"(?P<base>[0-9]{4}/[0-9]{2}/[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}) \[(?P<pid>[0-9]{1,10})\] "
_SYSLOG: Final = (
    rf"(?:<[0-9]{{1,3}}>)?(?P<stamp>{MONTH} [ 0-9][0-9] [0-9:]{{8}}|[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}T[^ ]+) [^ ]+ "
    r"rsyncd?\[(?P<syslog_pid>[0-9]{1,10})\]: "
)
_SECOND: Final = r"^.{1000,}[0-9]{4}/[0-9]{2}/[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2} \[[0-9]{1,10}\] "
_HEADER: Final = rf"^(?:{_FILE}|{_SYSLOG})(?P<message>(?s:.*))$"

_PEER: Final = r"(?P<host>[^ ()]+)(?: \((?P<ip>[^)]*)\))?"
_SIGNS: Final = (
    r"connect from |module-list request from |rsync (?:on|to|denied|allowed|error:|warning:)|unknown module '|"
    r"auth failed on|rsyncd version |sent [0-9,.]+[KMGTP]? bytes  received |(?:building|receiving) file list|"
    r"max connections \(|rsync: |(?:send|recv|del\.) [^ ]+ \["
)
LOOKS: Final = without_groups(rf"^(?:{_FILE}|{_SYSLOG})(?:{_SIGNS})")
"""What a line looks like."""

_COUNT: Final = r"[0-9][0-9,.]*[KMGTP]?"
_ROLE: Final = r"(?: (?:at|in) [^ ]+\([0-9]+\))?(?: \[(?P<role>[A-Za-z]+)=[^\]]*\])?"
KINDS: Final = {
    "connect": rf"^connect from {_PEER}$",
    "request": rf"^rsync (?P<direction>on|to) (?P<target>.*) from (?:(?P<user>[^ @]+)@)?{_PEER}$",
    "end": rf"^sent (?P<sent>{_COUNT}) bytes  received (?P<received>{_COUNT}) bytes  "
    rf"total size (?P<total_size>{_COUNT})$",
    "transfer": r"^(?P<operation>send|recv|del\.) (?P<host>[^ ]+) \[(?P<ip>[^\]]*)\] (?P<module>[^ ]+) "
    r"\((?P<user>[^)]*)\) (?P<path>.*) (?P<length>[0-9]+)$",
    "phase": r"^(?P<phase>building|receiving) file list$",
    "allowed": rf"^rsync allowed access on module (?P<module>.+) from {_PEER}$",
    "error": rf"^rsync error: .*\(code (?P<code>[0-9]{{1,3}})\){_ROLE}$",
    "warning": rf"^rsync warning: .*\(code (?P<code>[0-9]{{1,3}})\){_ROLE}$",
    "acl": rf"^rsync denied on module (?P<module>.+) from {_PEER}$",
    "unknown_module": rf"^unknown module '(?P<module>.*)' tried from {_PEER}$",
    "auth": rf"^auth failed on module (?P<module>.+?) from {_PEER}(?: for (?P<user>[^:]+))?: .*$",
    "max_connections": r"^max connections \((?P<limit>[0-9]+)\) reached.*$",
    "proxy": rf"^proxy protocol rejected from untrusted peer {_PEER}$",
    "list": rf"^module-list request from {_PEER}$",
    "start": r"^rsyncd version (?P<version>[^ ]+) starting, listening on port (?P<port>[0-9]{1,5})$",
    "detail": r"^rsync: (?:\[(?P<role>[A-Za-z]+)\] )?.*$",
}
"""What each kind of message looks like; a line is the first that it fits."""

_REFUSALS: Final = ("acl", "unknown_module", "auth", "max_connections", "proxy")
_INTEGERS: Final = ("code", "limit", "port", "uid", "gid", "process")
_COUNTS: Final = ("sent", "received", "total_size", "length", "transferred", "checksum_bytes")
_NO_HOST: Final = ("UNDETERMINED", "UNKNOWN")
_LEVELS: Final = {"error": "error", "denied": "warn", "warning": "warn", "detail": "error"}
_DIRECTIONS: Final = {"on": "download", "to": "upload"}
_OCTAL: Final = re.compile(rb"\\#([0-3][0-7]{2})")


class Rsyncd:
    """Reads the log of an rsync daemon."""

    name = "rsyncd"

    def __init__(self, log_format: str = "") -> None:
        self._kinds = kinds_of(log_format)

    def parse(self, lines: pl.DataFrame, reading: Reading, data: bytes | None = None) -> pl.DataFrame:  # noqa: ARG002  the seam
        """Return the rows with the fields of their kind."""
        head = groups.extract(lines["_line"], _HEADER)
        times = timestamp.of_parts(BY_NAME["slash"], head, lines["_observed_ns"], reading.timezone)
        if head["stamp"].null_count() < len(head):
            sent = timestamp.leading(head["stamp"], lines["_observed_ns"], reading.timezone)
            times = times.zip_with(times.is_not_null(), sent)
        found = messages(head["message"], self._kinds)
        pid = pl.coalesce(pl.lit(head["pid"]), pl.lit(head["syslog_pid"])).str.to_integer(strict=False)
        fields = found.select(pid.alias("pid"), pl.all())
        frame = outcome(
            lines,
            self.name,
            ERROR,
            fits=times.is_not_null(),
            fields=fields.get_columns(),
            times=times,
            levels=found["kind"].replace_strict(_LEVELS | {None: None}, default="info", return_dtype=pl.String),
            text_level=False,
        )
        return _mark_joined(frame)


def _mark_joined(frame: pl.DataFrame) -> pl.DataFrame:
    """Mark the lines that hold a second record."""
    if not (frame["_line"].str.len_bytes() > _MESSAGE_BYTES).any():
        return frame
    joined = (pl.col("_line").str.len_bytes() > _MESSAGE_BYTES) & pl.col("_line").str.contains(_SECOND)
    error = pl.col("_error") if "_error" in frame.columns else pl.lit(None, pl.String)
    return frame.with_columns(pl.when(joined).then(pl.lit(JOINED)).otherwise(error).alias("_error"))


def kinds_of(log_format: str) -> Mapping[str, str]:
    """Return what each kind of message looks like; what another `log format` makes fits much, so it comes last."""
    if not log_format:
        return KINDS
    return {kind: pattern for kind, pattern in KINDS.items() if kind != "transfer"} | {
        "transfer": transfer_pattern(log_format)
    }


def messages(text: pl.Series, kinds: Mapping[str, str] = KINDS) -> pl.DataFrame:
    """Return `kind` and the fields of messages: lines without stamp and process id."""
    rows = pl.int_range(len(text), dtype=pl.UInt32, eager=True).filter(text.is_not_null())
    pieces: list[pl.DataFrame] = []
    for kind, pattern in kinds.items():
        if not len(rows):
            break
        part = text[rows]
        hit = part.str.contains(pattern)
        if hit.any():
            found = _typed(groups.extract(part.filter(hit), pattern), kind)
            pieces.append(found.with_columns(rows.filter(hit).alias("_at")))
            rows = rows.filter(~hit)
    pieces.append(pl.DataFrame({"_at": rows}).with_columns(kind=pl.lit("other")))
    nothing = pl.int_range(len(text), dtype=pl.UInt32, eager=True).filter(text.is_null())
    pieces.append(pl.DataFrame({"_at": nothing}).with_columns(kind=pl.lit(None, pl.String)))
    return pl.concat(pieces, how="diagonal").sort("_at").drop("_at")


def _typed(found: pl.DataFrame, kind: str) -> pl.DataFrame:
    """Return the groups of one kind of message as fields."""
    refused = kind in _REFUSALS
    columns = [pl.lit("denied" if refused else kind).alias("kind")]
    if refused:
        columns.append(pl.lit(kind).alias("reason"))
    columns += [pl.col(name).str.to_integer(strict=False) for name in _INTEGERS if name in found.columns]
    columns += [_count(pl.col(name)).alias(name) for name in _COUNTS if name in found.columns]
    if "host" in found.columns and "ip" not in found.columns:  # of another log format
        columns.append(pl.when(~pl.col("host").is_in(_NO_HOST)).then("host").alias("host"))
    elif "host" in found.columns:
        bare = pl.col("ip").is_null()  # an older log, or an edited one, has only the address
        host = pl.when(~bare & ~pl.col("host").is_in(_NO_HOST)).then("host")
        columns += [
            host.alias("host"),
            pl.coalesce("ip", pl.when(~pl.col("host").is_in(_NO_HOST)).then("host")).alias("ip"),
        ]
    columns += [pl.col(name).replace("", None) for name in ("user", "link") if name in found.columns]
    if "operation" in found.columns:
        columns.append(pl.col("operation").str.strip_suffix("."))
    if "direction" in found.columns:
        columns.append(pl.col("direction").replace_strict(_DIRECTIONS, default=None, return_dtype=pl.String))
    found = found.with_columns(columns)
    if "target" in found.columns:
        cut = groups.extract(found["target"], r"^(?P<module>[^/]*)(?P<path>(?s:/.*)?)$")
        found = found.drop("target").with_columns(cut["module"], cut["path"].str.strip_prefix("/").replace("", None))
    restored = [_restored(found[name]) for name in ("module", "path", "name") if name in found.columns]
    return found.with_columns(restored)


def _count(text: pl.Expr) -> pl.Expr:
    """Return byte counts: plain digits, with separators, or with a unit of 1000 as `--human-readable` writes them."""
    digits = text.str.replace_all("[.,]", "").str.to_integer(strict=False)
    unit = text.str.extract("([KMGTP])$").replace_strict(
        {"K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "P": 10**15}, default=None, return_dtype=pl.Int64
    )
    scaled = text.str.strip_chars_end("KMGTP").str.replace(",", ".", literal=True).cast(pl.Float64, strict=False) * unit
    return pl.when(unit.is_null()).then(digits).otherwise(scaled.round().cast(pl.Int64, strict=False))


def _restored(text: pl.Series) -> pl.Series:
    r"""Return names with the bytes that rsync wrote as `\#ooo` put back; only names that have some are touched.

    Half a character may stand escaped and half of it not, so it is bytes that are put together.
    """
    rows = text.str.contains(r"\#", literal=True).fill_null(value=False).arg_true()
    if not len(rows):
        return text
    return text.scatter(rows, [_bytes_back(name) for name in text[rows].to_list()])


def _bytes_back(name: str) -> str:
    return _OCTAL.sub(lambda found: bytes([int(found[1], 8)]), name.encode()).decode(errors="backslashreplace")
