"""Tell the format of lines by looking at them.

Comes in: some lines of several groups (files), as one frame. Goes out: for each group the number of lines that are not
blank and how many of them each format fits. `choose` turns that into a name. The costs are one pass of a few patterns
over at most `limits.DETECT_LINES` lines per group.

CSV is what almost any text with commas might be, so it needs two things: most lines have as many separators as the
first, and the first line of all is one of names (`header`). That is seen at the start of a file only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.parse import timestamp
from tailrace.parse.access import PATTERN as ACCESS
from tailrace.parse.apache_error import LOOKS as APACHE_ERROR
from tailrace.parse.cef import LOOKS as CEF
from tailrace.parse.cri import PATTERN as CRI
from tailrace.parse.delimited import LOOKS as W3C
from tailrace.parse.file_integrity import LOOKS as FILE_INTEGRITY
from tailrace.parse.klog import LOOKS as KLOG
from tailrace.parse.leef import LOOKS as LEEF
from tailrace.parse.logfmt import LOOKS as LOGFMT
from tailrace.parse.nginx_error import HEADER as NGINX_ERROR
from tailrace.parse.rsyncd import LOOKS as RSYNCD
from tailrace.parse.syslog import LOOKS as SYSLOG

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

SHARE: Final = 0.5
"""Share of the lines that a format must fit, at least."""

STANZA_SHARE: Final = 0.3
"""The same for lines that begin with a time: stack traces and stanzas have lines between that do not."""

_LINE: Final = pl.col("_line")
_JSON: Final = _LINE.str.contains(r"(?s)^\s*\{.*\}\s*$")
_SAYS, _ACTION, _PATH = (_LINE.str.contains(looks) for looks in FILE_INTEGRITY)
_FILE_INTEGRITY: Final = (_SAYS & _LINE.str.contains(r'"(?:event\.)?action":')) | (_ACTION & _PATH)
_DOCKER: Final = _JSON & _LINE.str.contains(r'"log":\s*"') & _LINE.str.contains(r'"stream":\s*"std(?:out|err)"')


def _even(sign: str) -> pl.Expr:
    """Tell whether a line has as many separators outside quotes as the first one of its group, and at least two."""
    count = _LINE.str.replace_all(r'"(?:[^"]|"")*"', "").str.count_matches(sign, literal=True)
    return (count == count.first()) & (count > 1)


TESTS: Final[Mapping[str, pl.Expr]] = {
    "docker": _DOCKER & _LINE.str.contains(r'"time":\s*"\d{4}-'),
    "cri": _LINE.str.contains(CRI),
    "file_integrity": _JSON & _FILE_INTEGRITY,
    "json": _JSON,
    "access": _LINE.str.contains(ACCESS),
    "cef": _LINE.str.contains(CEF),
    "leef": _LINE.str.contains(LEEF),
    "nginx_error": _LINE.str.contains(NGINX_ERROR),
    "apache_error": _LINE.str.contains(APACHE_ERROR),
    "klog": _LINE.str.contains(KLOG),
    "rsyncd": _LINE.str.contains(RSYNCD),
    "syslog": _LINE.str.contains(SYSLOG),
    "w3c": _LINE.str.contains(W3C),
    "csv": _even(",") | _even(";"),
    "tsv": _even("\t"),
    "timestamped": _LINE.str.contains(timestamp.LEADING),
    "logfmt": _LINE.str.contains(LOGFMT),
}
"""What a line of each format looks like, the most particular first."""


_NAME: Final = r'"?[A-Za-z_@#][A-Za-z0-9_ .@#/()-]{0,60}"?'
_HEADER: Final = rf"^\x{{feff}}?{_NAME}(?:(?:,{_NAME}){{2,}}|(?:;{_NAME}){{2,}}|(?:\t{_NAME}){{2,}})$"
_TABLES: Final = ("csv", "tsv")
_TABLE_SHARE: Final = 0.6  # of the lines have as many cells as the first; cells in quotes may go on over lines


def count(lines: pl.DataFrame, group: str, head: int, formats: Collection[str] = ()) -> dict[int, dict[str, int]]:
    """Return `lines` and a number per format for each value of `group`: how many of the first lines it fits.

    `formats` names those that are asked for, if not all.
    """
    sample = lines.lazy().select(group, "_line").filter(_LINE.str.contains(r"\S")).group_by(group).head(head)
    tests = [test.sum().alias(name) for name, test in TESTS.items() if not formats or name in formats]
    tests.append((_LINE.first().str.contains(_HEADER) & (pl.len() > 1)).cast(pl.UInt32).alias("header"))
    table = sample.group_by(group).agg(pl.len().alias("lines"), *tests).collect()
    return {row.pop(group): row for row in table.iter_rows(named=True)}


def choose(counts: Mapping[str, int]) -> str:
    """Return the format that fits best: the most particular of those that fit enough of the lines, else plain."""
    return next((name for name in TESTS if _enough(name, counts)), "plain")


def _enough(name: str, counts: Mapping[str, int]) -> bool:
    share = STANZA_SHARE if name == "timestamped" else _TABLE_SHARE if name in _TABLES else SHARE
    headed = name not in _TABLES or counts.get("header", 0) > 0
    return headed and counts[name] >= max(1.0, counts["lines"] * share)
