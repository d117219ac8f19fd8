r"""Apache's error log, of 2.2 and 2.4: `[Thu Mar 05 10:00:00.123456 2026] [core:error] [pid 7:tid 8] AH…: …`.

Comes in and goes out as `contracts.Parser` says. Fields, each where it stands: `module pid tid file line errno client
client_port code referer`; the level is the word in brackets (`trace1` to `trace8` are trace). `_line` stays whole.
Times are in the zone of the source: Apache writes none. Other lines (what a script wrote to stderr) keep `_error`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.parse import groups, level, timestamp
from tailrace.parse.outcome import outcome
from tailrace.parse.stamp_shapes import BY_NAME

if TYPE_CHECKING:
    from tailrace.contracts import Reading

ERROR: Final = "ApacheErrorParserErr"

_STAMP: Final = BY_NAME["ctime"].pattern + r"\] "
_MODULE: Final = (
    r"\[(?:(?P<module>[A-Za-z0-9_]*):)?(?P<level>emerg|alert|crit|error|warn|notice|info|debug|trace)[1-8]?\]"
)
LOOKS: Final = _STAMP + _MODULE
"""What a line looks like."""

PATTERN: Final = (
    LOOKS + r"(?: \[pid (?P<pid>[0-9]{1,10})(?::tid (?P<tid>[0-9]{1,20}))?\])?"
    r"(?: (?P<file>[A-Za-z0-9_.-]+\.c(?:pp)?)\((?P<line>[0-9]{1,9})\):)?"
    r"(?: \((?P<errno>-?[0-9]{1,9})\)[^:]{0,200}:)?"
    r"(?: \[(?:remote|client) (?P<client>[^\]\s]+?)(?::(?P<client_port>[0-9]{1,5}))?\])?"
    r"(?: \((?P<errno2>-?[0-9]{1,9})\)[^:]{0,200}:)?"
    r"(?: (?P<code>AH[0-9]{5}):)?"
)
_REFERER: Final = r", referer: (?P<referer>[^\s,]+)$"
_NUMBERS: Final = ("pid", "tid", "line", "errno", "client_port")
_TEXTS: Final = ("module", "file", "client", "code")


class ApacheError:
    """Reads Apache's error log."""

    name = "apache_error"

    def parse(self, lines: pl.DataFrame, reading: Reading, data: bytes | None = None) -> pl.DataFrame:  # noqa: ARG002  the seam
        """Return the rows with the fields of the header."""
        text = lines["_line"]
        found = _whole_addresses(groups.extract(text, PATTERN))
        times = timestamp.of_parts(BY_NAME["ctime"], found, lines["_observed_ns"], reading.timezone)
        found = found.with_columns(pl.coalesce("errno", "errno2").alias("errno"))
        numbers = [found[name].str.to_integer(strict=False) for name in _NUMBERS]
        texts = [found[name].replace("", None) for name in _TEXTS]
        return outcome(
            lines,
            self.name,
            ERROR,
            fits=times.is_not_null(),
            fields=[*numbers, *texts, text.str.extract(_REFERER).alias("referer")],
            times=times,
            levels=level.from_value(found["level"]),
        )


def _whole_addresses(found: pl.DataFrame) -> pl.DataFrame:
    """Return the groups with IPv6 addresses whole: without brackets, `2001:db8::1` (2.2) has no port.

    2.4 writes `2001:db8::1:5000`, which is ambiguous on its own; it always writes a port, and 2.2 never does.
    """
    old = pl.col("module").is_null() & pl.col("client_port").is_not_null() & pl.col("client").str.contains(":")
    return found.with_columns(
        client=pl.when(old)
        .then(pl.concat_str("client", pl.lit(":"), "client_port"))
        .otherwise(pl.col("client").str.strip_prefix("[").str.strip_suffix("]")),
        client_port=pl.when(~old).then("client_port"),
    )
