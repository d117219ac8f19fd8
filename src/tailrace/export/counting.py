"""The reduction of an exporter: rows become numbers, and end.

Comes in: frames as the agent has them. Goes out: nothing but the account, every line under the rule `metrics`; what the
lines were worth is in `Metrics`. Lines that are not understood are counted, and the newest are kept to be looked at.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.batch import stack
from tailrace.contracts import Reading, Reduced
from tailrace.parse import groups, rsyncd
from tailrace.reduce.metrics.settings import MetricSettings
from tailrace.reduce.metrics.state import Metrics
from tailrace.registry import find

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tailrace.contracts import Parser
    from tailrace.export.profile import FieldPattern, Profile
    from tailrace.exposition import Family

SHOWN: Final = 100
"""Lines that were not understood that can be looked at."""

DESCRIPTION: Final = "description"
"""Group of a line pattern that holds the message."""

_ROW: Final = "_pattern_row"
_TYPES: Final = {"int": pl.Int64, "float": pl.Float64}
_HEAD: Final = r"[0-9]{4}/[0-9]{2}/[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2} \[[0-9]{1,10}\] "
_JOINED: Final = rf"^(?P<cut>{_HEAD}.{{1000,}}?)(?P<next>{_HEAD}.*)$"
_MESSAGES: Final[dict[str, Callable[[pl.Series], pl.DataFrame]]] = {"rsyncd": rsyncd.messages}


@dataclass(frozen=True, slots=True)
class Unmatched:
    """A line that was not understood."""

    file: str
    offset: int | None
    line: str


class Counting:
    """Counts the rows of one profile; implements `contracts.Reduction`.

    `line_pattern` takes the place of the profile's format: its groups are the fields, and a group `description` holds
    the message that the format knows.
    """

    def __init__(self, profile: Profile, line_pattern: str | None = None, timezone: str = "local") -> None:
        self._profile = profile
        self._line_pattern = line_pattern
        self._reading = Reading(profile.format if line_pattern is None else "timestamped", timezone=timezone)
        self._metrics = Metrics([*own_metrics(profile.prefix), *profile.metrics], profile.sessions)
        self._lock = threading.Lock()
        self._unmatched: deque[Unmatched] = deque(maxlen=SHOWN)
        self.forgotten: Mapping[str, object] = {}

    def restore(self, state: Mapping[str, object]) -> None:
        """Go on from a state; what belongs to no metric any more is forgotten."""
        self.forgotten = self._metrics.restore(state)

    def reduce(self, frame: pl.DataFrame, now_ns: int) -> Reduced:
        """Count the rows; none goes on."""
        lines, size = frame.select(pl.col("_in_lines", "_in_bytes").sum()).row(0)
        rows = self._fields(frame)
        unmatched = self._profile.unmatched_rule.mask(rows)
        if unmatched.any():
            self._keep(rows.filter(unmatched))
        self._metrics.observe(rows.with_columns(_understood=~unmatched), now_ns)
        return Reduced(frame.clear(), (("metrics", lines, size),))

    def flush(self, now_ns: int, *, final: bool) -> Reduced:  # noqa: ARG002  what is open goes on after the next start
        """Do what is due by the time alone."""
        self._metrics.flush(now_ns)
        return Reduced(pl.DataFrame())

    def stop(self) -> None:
        """Do nothing: what was counted is shown, and goes on after the next start."""

    def mark(self) -> Mapping[str, object]:
        """Return the changes of state since the last mark."""
        forgotten, self.forgotten = self.forgotten, {}
        return {**forgotten, **self._metrics.mark()}

    def edition(self) -> Callable[[], None]:
        """Return what shows the values as they are now."""
        return self._metrics.edition()

    def families(self) -> list[Family]:
        """Return the metrics as they were shown last; in any thread."""
        return self._metrics.families()

    def unmatched(self) -> Sequence[Unmatched]:
        """Return the newest lines that were not understood, since the start of this process; in any thread."""
        with self._lock:
            return tuple(self._unmatched)

    def _keep(self, rows: pl.DataFrame) -> None:
        rows = rows.tail(SHOWN)
        names = rows["_stream"].str.extract(r'filename="((?:[^"\\]|\\.)*)"').fill_null("")
        with self._lock:
            for name, offset, line in zip(names, rows["_offset"], rows["_line"], strict=True):
                self._unmatched.append(Unmatched(name, offset, line))

    # --- fields ---------------------------------------------------------------------------------

    def _fields(self, frame: pl.DataFrame) -> pl.DataFrame:
        if "_part" in frame.columns:
            frame = self._with_partial(frame)
        if self._reading.format.partition(":")[0] == "rsyncd":
            frame = self._with_joined(frame)
        if self._line_pattern is not None:
            frame = self._by_line_pattern(frame, self._line_pattern)
        return with_patterns(frame, self._profile.patterns)

    def _with_partial(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Return the rows with the fields of lines that came in parts: the first part counts, for the whole line."""
        first = frame.filter(pl.col("_part") == 1)
        whole = frame.filter(pl.col("_part").is_null())
        if len(first) and self._reading.format != "auto":
            parser: Parser = find("parser", self._reading.format)()
            given = first.select("_line", "_observed_ns", "_stream", "_offset", "_in_lines", "_in_bytes", "_time_ns")
            read = parser.parse(given.drop("_time_ns"), self._reading)
            first = read.with_columns(pl.coalesce("_time_ns", given["_time_ns"]))
        return stack([whole, first])

    def _with_joined(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Return the rows with both records of a line whose first one was cut together with its newline."""
        if "_error" not in frame.columns:
            return frame
        while (joined := frame["_error"].eq_missing(rsyncd.JOINED) & frame["_line"].str.contains(_JOINED)).any():
            rows = frame.with_row_index(_ROW)
            pieces = groups.extract(rows.filter(joined)["_line"], _JOINED)
            given = rows.filter(joined).select(_ROW, "_observed_ns", "_stream", "_offset", "_in_lines", "_in_bytes")
            first, second = (given.with_columns(pieces[name].alias("_line")) for name in ("cut", "next"))
            second = second.with_columns(_in_lines=pl.lit(0, pl.Int64), _in_bytes=pl.lit(0, pl.Int64))
            read = [
                find("parser", self._reading.format)().parse(part.filter(pl.col("_line").is_not_null()), self._reading)
                for part in (first, second)
            ]
            frame = stack([rows.filter(~joined), *read]).sort(_ROW, maintain_order=True).drop(_ROW)
        return frame

    def _by_line_pattern(self, frame: pl.DataFrame, pattern: str) -> pl.DataFrame:
        found = groups.extract(frame["_line"], pattern)
        missed = pl.select(pl.all_horizontal(pl.lit(column).is_null() for column in found.get_columns())).to_series()
        if "pid" in found.columns:  # the pattern of the first exporter has it with its brackets
            found = found.with_columns(pl.col("pid").str.strip_chars("[]"))
        messages = _MESSAGES.get(self._profile.format)
        if messages is not None and DESCRIPTION in found.columns:
            told = messages(found[DESCRIPTION])
            found = found.select(pl.exclude(told.columns)).hstack(told)
        error = pl.select(pl.when(missed).then(pl.lit("LinePattern"))).to_series()
        return frame.drop(found.columns, strict=False).hstack(found).with_columns(error.alias("_error"))


def with_patterns(frame: pl.DataFrame, patterns: Sequence[FieldPattern]) -> pl.DataFrame:
    """Return the rows with the fields of the first pattern that each matches, and `_matched`."""
    if not patterns:
        return frame
    rest = frame.with_row_index(_ROW)
    taken: list[pl.DataFrame] = []
    for pattern in patterns:
        if not len(rest):
            break
        text = (
            rest[pattern.on].cast(pl.String) if pattern.on in rest.columns else pl.repeat(None, len(rest), eager=True)
        )
        hit = text.cast(pl.String).str.contains(pattern.regex).fill_null(value=False)
        if hit.any():
            taken.append(_matched(rest.filter(hit), text.filter(hit), pattern))
            rest = rest.filter(~hit)
    taken.append(rest.with_columns(_matched=pl.lit(value=False)))
    return pl.concat(taken, how="diagonal_relaxed").sort(_ROW).drop(_ROW)


def _matched(rows: pl.DataFrame, text: pl.Series, pattern: FieldPattern) -> pl.DataFrame:
    columns = [pl.lit(value).alias(name) for name, value in pattern.set.items()]
    if pattern.groups:
        found = groups.extract(text, pattern.regex).select(pattern.groups)
        found = found.with_columns(
            pl.col(name).cast(_TYPES[kind], strict=False) for name, kind in pattern.types.items()
        )
        rows = rows.drop(pattern.groups, strict=False).hstack(found)
    return rows.with_columns(*columns, _matched=pl.lit(value=True))


def own_metrics(prefix: str) -> list[MetricSettings]:
    """Return what an exporter counts about its own reading."""
    declared: list[dict[str, object]] = [
        {
            "name": f"{prefix}_exporter_lines_total",
            "type": "counter",
            "help": "Lines that were read, by whether they were understood.",
            "labels": {"result": {"when": {"matched": "_understood = true"}, "otherwise": "'unmatched'"}},
        },
        {
            "name": f"{prefix}_exporter_parse_errors_total",
            "type": "counter",
            "help": "Lines that do not have the format of the log.",
            "where": "_error is not null",
        },
        {
            "name": f"{prefix}_exporter_last_line_timestamp_seconds",
            "type": "gauge",
            "help": "Time of the newest line that was read.",
            "unit": "seconds",
            "from": "field(round(time / 1000000000, 3))",
        },
    ]
    return [MetricSettings.model_validate(one) for one in declared]
