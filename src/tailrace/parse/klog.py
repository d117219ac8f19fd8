r"""klog and glog, the log of Kubernetes and of C++ programs: `I0305 10:00:00.123456    1234 file.go:12] msg`.

Comes in and goes out as `contracts.Parser` says. Fields: `tid`, `file`, `line`, and the structured tail of
`"msg" key="value" n=5` with `msg` itself. The level is the letter; the year is not written (klog), or is (newer glog).
`_line` stays whole. Other lines (the stack behind a fatal one) are no error: they stay, without a time of their own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.parse import groups, header, level, pairs
from tailrace.parse.logfmt import unquoted
from tailrace.parse.stamp_shapes import BY_NAME

if TYPE_CHECKING:
    from tailrace.contracts import Reading

LOOKS: Final = r"^[IWEFD](?:[0-9]{4}){1,2} [0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6} +[0-9]+ [^ :\]]+:[0-9]+\]"
"""What a line looks like."""

_TAIL: Final = r'^[^\]]*\] (?P<msg>"(?:[^"\\]|\\.)*")(?P<rest>(?: [^\s="]+=.*)?)$'
_PAIR: Final = r'[^\s="]+=(?:"(?:[^"\\]|\\.)*"|\[[^\]]*\]|\{[^}]*\}|<[^>]*>|[^\s"]*)'
_CUT: Final = r'^(?P<key>[^\s="]+)=(?P<value>(?s:.*))$'


class Klog:
    """Reads klog and glog."""

    name = "klog"

    def parse(self, lines: pl.DataFrame, reading: Reading, data: bytes | None = None) -> pl.DataFrame:  # noqa: ARG002  the seam
        """Return the rows with the header's fields and the pairs of a structured message."""
        found = header.read(lines, reading.timezone, (BY_NAME["klog"], BY_NAME["glog"]))
        text = lines["_line"]
        levels = found["_level"] if "_level" in found.columns else level.from_letter(text.str.slice(0, 0))
        kept = [found[name] for name in ("tid", "file", "line") if name in found.columns]
        kept += [series for series in _structured(text).get_columns() if series.name not in ("tid", "file", "line")]
        return lines.with_columns(
            *([] if "_time_ns" in lines.columns else [found["_time_ns"]]),
            *(series for series in kept if series.null_count() < len(series)),
            levels.alias("_level"),
            pl.lit("klog").alias("_format"),
        )


def _structured(text: pl.Series) -> pl.DataFrame:
    """Return `msg` and the pairs behind it, of lines whose message is a quoted text."""
    rows = text.str.contains('] "', literal=True).arg_true()
    if not len(rows):
        return pl.DataFrame()
    tail = groups.extract(text[rows], _TAIL).with_columns(_row=rows.cast(pl.UInt32))
    tokens = tail.select("_row", pl.col("rest").str.extract_all(_PAIR).alias("token")).explode("token")
    found = tokens.with_columns(pl.col("token").str.extract_groups(_CUT)).unnest("token")
    messages = tail.select("_row", pl.lit("msg").alias("key"), pl.col("msg").alias("value")).drop_nulls("value")
    frame = pairs.spread(pl.concat([messages, found]), pl.int_range(len(text), dtype=pl.UInt32, eager=True))
    return frame.with_columns(unquoted(series) for series in frame.get_columns())
