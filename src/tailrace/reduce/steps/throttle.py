"""Let only so many rows of a key through per second, and say how many were held off.

A key has a bucket of `burst` tokens that fills by `rate_per_s`; a row takes one, and is dropped when there is none.
Time is the rows' own, per key, and only rises. Buckets that are full again are forgotten, which changes nothing; keys
beyond `max_keys` share one bucket.

The buckets are filled in ticks of at most a second, so the work is per key and tick, not per row.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import polars as pl
from pydantic import Field, model_validator

from tailrace import limits
from tailrace.batch import stream_text
from tailrace.contracts import Reduced
from tailrace.reduce import rows
from tailrace.reduce.names import key_texts, texts
from tailrace.reduce.rules import Rule
from tailrace.reduce.step import Condition, Names, StepSettings, divided, dropped
from tailrace.reduce.windows import AT, Watermark, woven
from tailrace.settings import Mistake

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_SHARED: Final = "\0shared"
_GROUP: Final = ("_epoch", "_bucket", "_tick")
_SECOND_NS: Final = 1_000_000_000
_TICK_S_LEAST: Final = 0.001


class ThrottleSettings(StepSettings):
    """Let only so many rows of a key through per second."""

    type: Literal["throttle"] = "throttle"
    """The kind of step."""

    rate_per_s: Annotated[float, Field(gt=0)]
    """Rows per second that go through in the long run, for each key."""

    burst: Annotated[int, Field(ge=1)] | None = None
    """Rows that may go through at once after a quiet time; without it as many as in one second, at least 1."""

    key: Names | None = None
    """Names of fields or labels: each combination of their values has its own rate. Without it all rows share one."""

    where: Condition | None = None
    """Rule for the rows that are throttled; all others go through."""

    summary_s: Annotated[float, Field(ge=0)] = 60.0
    """Seconds after which a row says how many rows of a key were dropped, if any were; 0 says nothing."""

    max_keys: Annotated[int, Field(ge=1, le=limits.STEP_KEYS_MOST)] = limits.STEP_KEYS
    """Keys with a rate of their own within a minute, or the time that a bucket takes to fill; others share one."""

    @model_validator(mode="after")
    def _refill(self) -> ThrottleSettings:
        if self.size / self.rate_per_s < _TICK_S_LEAST:
            raise Mistake("the burst is less than comes in a millisecond", "raise 'burst'", ("burst",))
        return self

    @property
    def size(self) -> int:
        """Tokens of a full bucket."""
        return self.burst or max(1, int(self.rate_per_s))

    def step(self, step_id: str) -> Throttle:
        """Return the step."""
        return Throttle(step_id, self)


class Throttle:
    """See the module."""

    def __init__(self, step_id: str, settings: ThrottleSettings) -> None:
        self.id = step_id
        self.rules: Sequence[Rule] = [] if settings.where is None else [Rule(settings.where)]
        self._settings = settings
        self._tick_ns = round(min(1.0, settings.size / settings.rate_per_s) * _SECOND_NS)
        self._refill = settings.rate_per_s * self._tick_ns / _SECOND_NS
        # An epoch is longer than a bucket takes to fill.
        self._epoch_ns = max(60, math.ceil(settings.size / settings.rate_per_s)) * _SECOND_NS
        self._epoch: int | None = None
        self._known: set[str] = set()  # keys of this epoch that have a bucket of their own
        self._purged: int | None = None  # the epoch at which buckets were last forgotten
        self._buckets: dict[str, tuple[float, int, int]] = {}  # tokens, the tick that they are of, the epoch of that
        self._window_ns = round(settings.summary_s * _SECOND_NS)
        self._summaries: dict[str, list[Any]] = {}  # key to number, stream, values of the key, first and last time
        self._window: int | None = None  # the one that the summaries are of
        self._clock = Watermark()
        self._changed: set[str] = set()
        self.counters: dict[str, int] = {}

    def apply(self, frame: pl.DataFrame, now_ns: int) -> Reduced:
        """Return the rows that found a token, and what is due to be said about the others."""
        if not self.rules:
            mine, others = frame.with_row_index(AT), None
        else:
            mine, others = divided(frame.with_row_index(AT), self.rules[0].mask(frame))
        if not len(mine):
            return Reduced(frame)
        rise = self._clock.rise(mine, now_ns)
        keys = key_texts(mine, self._settings.key) if self._settings.key else pl.repeat("", len(mine), eager=True)
        mine = mine.with_columns(_key=keys, _epoch=rise.after // self._epoch_ns, _after=rise.after)
        mine = mine.with_columns(self._owners(mine), _tick=rise.times // self._tick_ns)
        mine = mine.with_columns(pl.col("_tick").cum_max().over("_bucket"))
        mine = mine.with_columns(_nth=pl.int_range(pl.len()).over(_GROUP))
        groups = mine.group_by(_GROUP, maintain_order=True).agg(_n=pl.len())
        admitted = [self._take(*group) for group in groups.iter_rows()]
        groups = groups.with_columns(_admitted=pl.Series(admitted, dtype=pl.Int64)).drop("_n")
        mine = mine.join(groups, on=_GROUP, how="left", maintain_order="left")
        through, gone = divided(mine, mine["_nth"] < mine["_admitted"])
        kept = through.drop(*_GROUP, "_key", "_after", "_nth", "_admitted")
        if others is not None and len(others):
            kept = pl.concat([kept, others]).sort(AT)
        return Reduced(woven(kept, [self._say(gone)]), dropped(self.id, gone))

    def _owners(self, frame: pl.DataFrame) -> pl.Series:
        """Return the bucket of each row: that of its key, or the shared one for keys beyond `max_keys` in an epoch."""
        pairs = frame.group_by("_epoch", "_key", maintain_order=True).agg(_n=pl.len())
        names: list[str] = []
        for epoch, key, count in pairs.iter_rows():
            if epoch != self._epoch:
                self._epoch, self._known = epoch, set()
            if key in self._known or len(self._known) < self._settings.max_keys:
                self._known.add(key)
                names.append(key)
            else:
                names.append(_SHARED)
                self.counters["rows beyond max_keys"] = self.counters.get("rows beyond max_keys", 0) + count
        pairs = pairs.with_columns(_bucket=pl.Series(names, dtype=pl.String)).drop("_n")
        return frame.select("_epoch", "_key").join(pairs, on=["_epoch", "_key"], how="left", maintain_order="left")[
            "_bucket"
        ]

    def _take(self, epoch: int, bucket: str, tick: int, wanted: int) -> int:
        """Return how many of the wanted tokens a bucket gives."""
        if epoch != self._purged:
            self._purge(epoch)
        full = float(self._settings.size)
        tokens, then, _ = self._buckets.get(bucket, (full, tick, epoch))
        tick = max(tick, then)
        tokens = min(full, tokens + self._refill * (tick - then))
        given = min(wanted, int(tokens))
        self._buckets[bucket] = (tokens - given, tick, epoch)
        self._changed.add(bucket)
        return given

    def _purge(self, epoch: int) -> None:
        """Forget the buckets that nothing was taken from for a whole epoch: they are full again."""
        self._purged = epoch
        for bucket in [name for name, (_, _, used) in self._buckets.items() if used < epoch - 1]:
            del self._buckets[bucket]
            self._changed.add(bucket)

    # --- what is said about dropped rows --------------------------------------------------------------------------

    def _say(self, gone: pl.DataFrame) -> pl.DataFrame:
        """Count dropped rows, and return the summaries of the windows that ended, each after its row."""
        if not self._window_ns or not len(gone):
            return pl.DataFrame()
        made: list[rows.Row] = []
        gone = gone.with_columns(_window=pl.col("_after") // self._window_ns)
        values = texts(gone, self._settings.key or ())
        gone = gone.with_columns(_values=pl.struct(values.get_columns()) if values.width else pl.lit(None))
        groups = gone.group_by("_window", "_bucket", maintain_order=True).agg(
            pl.len(),
            pl.col(AT, "_stream", "_values").first(),
            first=pl.col("_time_ns").min(),
            last=pl.col("_time_ns").max(),
        )
        for window, key, count, at, stream, of_key, first, last in groups.iter_rows():
            if self._window is not None and window > self._window:
                made += [{**row, AT: at} for row in self._summary()]
            self._window = window
            self._changed.add(key)
            known = self._summaries.setdefault(key, [0, stream, of_key or {}, first, last])
            known[0], known[3], known[4] = known[0] + count, min(known[3], first), max(known[4], last)
        frame = rows.as_frame(made)
        return frame.with_columns(pl.col(AT).cast(pl.UInt32)) if made else frame

    def _summary(self) -> list[rows.Row]:
        """Return a row for each key of which rows were dropped, and forget them."""
        made: list[rows.Row] = []
        for key, (count, stream, values, first, last) in sorted(self._summaries.items()):
            of_key = {name: value for name, value in values.items() if value is not None}
            which = " ".join(f"{name}={value}" for name, value in of_key.items()) if key != _SHARED else "further keys"
            made.append(
                {
                    "_time_ns": last,
                    "_observed_ns": last,
                    "_stream": stream or stream_text({"source": self.id}),
                    "_line": f"{count} lines suppressed by {self.id}" + (f": {which}" if which else ""),
                    "_format": "throttle",
                    "suppressed_lines": count,
                    "suppressed_first_ns": first,
                    "suppressed_by": self.id,
                    "_in_lines": 0,
                    "_in_bytes": 0,
                }
            )
            self._changed.add(key)
        self._summaries.clear()
        return made

    def flush(self, now_ns: int, *, final: bool) -> pl.DataFrame | None:
        """Return the summaries when nothing came for a window's length, or when all ends."""
        if self._summaries and (final or self._clock.idle(now_ns, self._window_ns)):
            return rows.as_frame(self._summary())
        return None

    def restore(self, state: Mapping[str, object]) -> None:
        """Go on from a state."""
        for key, value in state.items():
            if key == "clock" and isinstance(value, list):
                self._clock.restore(value[:2])
                self._window, self._epoch, self._purged = value[2:]
            elif key.startswith("k") and isinstance(value, list):
                bucket, summary = value
                if bucket is not None:
                    self._buckets[key[1:]] = (bucket[0], bucket[1], bucket[2])
                if summary is not None:
                    self._summaries[key[1:]] = summary
        self._known = {name for name, (_, _, used) in self._buckets.items() if used == self._epoch and name != _SHARED}

    def mark(self) -> Mapping[str, object]:
        """Return the buckets and summaries that changed."""
        changes: dict[str, object] = {}
        for key in self._changed:
            bucket, summary = self._buckets.get(key), self._summaries.get(key)
            changes[f"k{key}"] = (
                None if bucket is None and summary is None else [bucket and [*bucket], summary and [*summary]]
            )
        if clock := self._clock.mark():
            changes["clock"] = [*clock, self._window, self._epoch, self._purged]
        self._changed = set()
        return changes
