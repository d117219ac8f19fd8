"""Messages of syslog become rows of the table: one frame per turn, parsed by `parse.syslog` as columns.

Comes in: messages as bytes, from whom and when they came, and what was wrong with some. Goes out: a frame with
`_time_ns`, `_observed_ns`, `_stream`, `_line`, `_level` and the fields of the header, and of the peer: `peer` (its
address), `peer_name` (of its certificate). A line is the message behind the header, or all of it with `raw: keep`.

A message of nothing but `<PRI>` and text has no fault here, as RFC 3164 says of relays: it came now, from that peer.
Names of the messages are labels, in a bounded number: `host` is what the message says, else the peer, `service_name`
the program. Refuses nothing: what fits no format is a line with `_error`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from tailrace.contracts import Reading
from tailrace.intake.labels import Streams
from tailrace.intake.times import in_time
from tailrace.parse import level
from tailrace.parse.syslog import BSD, IETF, Syslog

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tailrace.intake.syslog.framing import Flaw
    from tailrace.intake.syslog.settings import SyslogSettings

_BARE: Final = (
    r"^<(?P<pri>[0-9]{1,3})>(?:(?P<app>[A-Za-z][A-Za-z0-9_./-]{0,31})(?:\[(?P<procid>[^\]\s]{1,64})\])?:(?: |$))?"
)
"""A message without time and host; what ends in a colon in front of it is the program, unless it is a level."""

_PRI: Final = r"^<[0-9]{1,3}>"
_NO_PROGRAM: Final = rf"(?i)^(?:{'|'.join(level.WORDS)})$|(?:Error|Exception|Warning)$"
_MARK: Final = "\ufeff"  # that text is UTF-8; RFC 5424 has it in front of the message
_PRI_MOST: Final = 191


@dataclass(frozen=True, slots=True)
class Received:
    """Messages of one peer, in their order; `flaws` by their index."""

    messages: Sequence[bytes]
    peer: str
    observed_ns: int
    peer_name: str | None = None
    flaws: Mapping[int, Flaw] = field(default_factory=dict)


class Rows:
    """Makes rows of what a receiver received; remembers its streams. One thread calls."""

    def __init__(self, settings: SyslogSettings) -> None:
        self._name = settings.name
        self._keep = settings.raw == "keep"
        self._reading = Reading("syslog", settings.raw, settings.timezone)
        self._streams = Streams({"source": settings.name, **settings.labels})
        self._parser = Syslog()
        self._last_ns = 0

    def __call__(self, turn: Sequence[Received]) -> pl.DataFrame:
        """Return the rows of a turn."""
        lines = self._lines(turn)
        frame = _bare(self._parser.parse(lines, self._reading))
        if "_error" not in frame.columns:
            frame = frame.with_columns(_error=pl.lit(None, pl.String))
        frame = in_time(frame.with_columns(_error=pl.coalesce("_flaw", "_error")).drop("_flaw"))
        if not self._keep:
            frame = frame.with_columns(_message(frame))
        named = [pl.coalesce(name, other) if name in frame.columns else other for name, other in self._defaults()]
        hosts, services = frame.select(host=named[0], service=named[1])
        return frame.with_columns(self._streams.of(hosts, services).alias("_stream")).drop("_behind", strict=False)

    def _defaults(self) -> tuple[tuple[str, pl.Expr], tuple[str, pl.Expr]]:
        return ("hostname", pl.col("peer")), ("app", pl.lit(self._name))

    def _lines(self, turn: Sequence[Received]) -> pl.DataFrame:
        """Return the messages as text, each with a time of arrival of its own that keeps their order."""
        counts = pl.Series([len(one.messages) for one in turn], dtype=pl.UInt32)
        peers: dict[str, Any] = {  # Any: columns of several types
            "peer": [one.peer for one in turn],
            "peer_name": pl.Series([one.peer_name for one in turn], dtype=pl.String),
            "_observed_ns": pl.Series([one.observed_ns for one in turn], dtype=pl.Int64),
        }
        of_row = pl.DataFrame(peers).select(pl.all().repeat_by(pl.lit(counts)).explode(empty_as_null=False))
        text, raw = _text([message for one in turn for message in one.messages])
        arrived = pl.select(
            pl.max_horizontal(pl.lit(of_row["_observed_ns"]), pl.lit(self._last_ns + 1)).cum_max()
            + pl.int_range(len(text))
        ).to_series()
        self._last_ns = int(arrived[-1]) if len(arrived) else self._last_ns
        frame = of_row.with_columns(text.alias("_line"), arrived.alias("_observed_ns"), _flaws(turn))
        if raw is not None:
            frame = frame.with_columns(raw.alias("_raw"))
        return frame if frame["peer_name"].null_count() < frame.height else frame.drop("peer_name")


def _text(messages: list[bytes]) -> tuple[pl.Series, pl.Series | None]:
    """Return messages as text, and the bytes of those that are no UTF-8."""
    data = pl.Series(messages, dtype=pl.Binary)
    try:
        return data.cast(pl.String), None
    except pl.exceptions.ComputeError:  # some of them are not UTF-8: a turn of odd ones is read one by one
        texts = [message.decode("utf-8", "replace") for message in messages]
        bad = [message if "\ufffd" in text else None for message, text in zip(messages, texts, strict=True)]
        return pl.Series(texts, dtype=pl.String), pl.Series(bad, dtype=pl.Binary)


def _flaws(turn: Sequence[Received]) -> pl.Series:
    """Return what was wrong with the framing of each message, mostly nothing."""
    flawed: dict[int, str] = {}
    first = 0
    for one in turn:
        flawed.update((first + index, flaw) for index, flaw in one.flaws.items())
        first += len(one.messages)
    column = pl.Series("_flaw", [None], dtype=pl.String).new_from_index(0, first)
    return column.scatter(list(flawed), list(flawed.values())) if flawed else column


def _bare(frame: pl.DataFrame) -> pl.DataFrame:
    """Read the messages that have a PRI and no header; `_behind` is what stands behind their PRI and program."""
    if "_error" not in frame.columns:
        return frame
    rows = (frame["_error"].is_not_null() & frame["_line"].str.starts_with("<")).arg_true()
    if not len(rows):
        return frame
    lines = frame["_line"][rows]
    parts = lines.str.extract_groups(_BARE).struct.unnest()
    pri = parts["pri"].str.to_integer(strict=False)
    good = pri.is_between(0, _PRI_MOST).fill_null(value=False)
    program = good & ~parts["app"].str.contains(_NO_PROGRAM).fill_null(value=True)
    behind = lines.str.replace(_BARE, "").zip_with(program, lines.str.replace(_PRI, ""))
    rows, pri, parts, program = rows.filter(good), pri.filter(good), parts.filter(good), program.filter(good)
    severity = (pri % 8).cast(pl.Int64)
    found = {
        "facility": (pri // 8).cast(pl.Int64),
        "severity": severity,
        **{name: parts[name].set(~program, None) for name in ("app", "procid")},
        "_level": level.from_value(severity),
        "_behind": behind.filter(good),
        "_format": pl.Series(["syslog"]).new_from_index(0, len(rows)),
        "_error": pl.Series([None], dtype=pl.String).new_from_index(0, len(rows)),
    }
    missing = [
        pl.lit(None, values.dtype).alias(name)
        for name, values in found.items()
        if name not in frame.columns and values.null_count() < len(values)
    ]
    frame = frame.with_columns(missing)
    return frame.with_columns(
        frame[name].scatter(rows, values.cast(frame[name].dtype))
        for name, values in found.items()
        if name in frame.columns
    )


def _message(frame: pl.DataFrame) -> pl.Expr:
    """Return what stands behind the headers; all of a line without one, or with nothing behind it."""
    lines, forms = frame["_line"], frame["_format"]
    bare = lines.str.replace(BSD, "")
    left = bare.str.len_bytes() == lines.str.len_bytes()
    if left.any():
        bare = bare.zip_with(~left, lines.str.replace(IETF, ""))
    if "_behind" in frame.columns:
        bare = frame["_behind"].zip_with(frame["_behind"].is_not_null(), bare)
    bare = bare.str.strip_prefix(_MARK)
    return (
        pl.when(pl.lit(forms.is_not_null() & (bare != ""))).then(pl.lit(bare)).otherwise(pl.lit(lines)).alias("_line")
    )
