"""One row for many that are the same, with how many there were, the first time and the last.

Rows are the same if their key is: the names that are given, or stream, level, line and all fields. They are gathered in
windows of event time, aligned to the epoch; the first row of each is held until its window closes. With
`emit: at_once` it goes on at once instead, and a row that says how often it was repeated follows at the end.

Bounded: keys beyond `max_keys` in a window, and rows when too much text is held, go on as they are, and are counted. So
do rows whose window is closed already.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import polars as pl
from pydantic import Field

from tailrace import limits
from tailrace.batch import column_field, is_field
from tailrace.contracts import Reduced
from tailrace.reduce import rows
from tailrace.reduce.hashing import by_distinct
from tailrace.reduce.names import key_texts
from tailrace.reduce.rule_values import as_text, of_column
from tailrace.reduce.rules import Rule
from tailrace.reduce.step import Condition, Names, StepSettings, divided, dropped
from tailrace.reduce.windows import AT, Rise, Watermark, woven

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_SECOND_NS: Final = 1_000_000_000
_HELPERS: Final = ("_key", "_window", "_t")


class DedupeSettings(StepSettings):
    """One row for many that are the same, with how many there were, the first time and the last."""

    type: Literal["dedupe"] = "dedupe"
    """The kind of step."""

    key: Names | None = None
    """Names of fields or labels, or `line`, `level`, `_stream`: rows with the same values are the same. Without it
    stream, level, line and all fields count, but those in `ignore`."""

    ignore: tuple[str, ...] = ()
    """Fields that may differ, when no key is given: an id, a duration."""

    ignore_numbers: bool = False
    """Take rows as the same whose values differ in digits only."""

    window_s: Annotated[float, Field(gt=0, le=86_400)] = 10.0
    """Length of a window in event time. Windows are aligned: 10 s begin at :00, :10, :20 …"""

    lateness_s: Annotated[float, Field(ge=0, le=86_400)] = 1.0
    """Seconds of event time that a window waits for late rows."""

    max_count: Annotated[int, Field(ge=2)] | None = None
    """Rows after which the row for them is given out before the window ends; the next row is a first one again."""

    emit: Literal["at_end", "at_once"] = "at_end"
    """`at_end`: one row when the window closes. `at_once`: the first row goes on at once, and a row with the count
    follows when there were more."""

    where: Condition | None = None
    """Rule for the rows that are compared; all others go on."""

    max_keys: Annotated[int, Field(ge=1, le=limits.STEP_KEYS_MOST)] = limits.STEP_KEYS
    """Different rows that are held in one window; further ones go on as they are."""

    def step(self, step_id: str) -> Dedupe:
        """Return the step."""
        return Dedupe(step_id, self)


class Dedupe:
    """See the module."""

    def __init__(self, step_id: str, settings: DedupeSettings) -> None:
        self.id = step_id
        self.rules: Sequence[Rule] = [] if settings.where is None else [Rule(settings.where)]
        self.counters: dict[str, int] = {}
        self._settings = settings
        self._window_ns = round(settings.window_s * _SECOND_NS)
        self._lateness_ns = round(settings.lateness_s * _SECOND_NS)
        self._clock = Watermark()
        # window to key to the first row, the number of rows, the first and the last time
        self._held: dict[int, dict[str, list[Any]]] = {}
        self._bytes: dict[int, int] = {}  # of text that is held, by window
        self._bytes_most = limits.HELD_BYTES // (2 + self._lateness_ns // self._window_ns)
        self._changed: set[tuple[int, str]] = set()
        self._new: set[tuple[int, str]] = set()  # held since the last mark: no mark has to forget them

    def apply(self, frame: pl.DataFrame, now_ns: int) -> Reduced:
        """Return the rows that go on, and those that are given out for others."""
        mask = self.rules[0].mask(frame) if self.rules else pl.repeat(value=True, n=len(frame), eager=True)
        mine, others = divided(frame.with_row_index(AT), mask)
        if not len(mine):
            return Reduced(frame)
        rise = self._clock.rise(mine, now_ns)
        window = (rise.times // self._window_ns).alias("_window")
        late = ((window + 1) * self._window_ns + self._lateness_ns <= rise.before).fill_null(value=False)
        mine = mine.with_columns(window, _key=self._keys(mine), _t=rise.times)
        in_time, too_late = divided(mine, ~late)
        self._count("late rows", len(too_late))
        in_time, made = self._held_back(in_time)
        on, gone = divided(in_time, in_time["_on"])
        kept = pl.concat([on.drop(_HELPERS, "_on"), too_late.drop(_HELPERS), others]).sort(AT)
        made += self._closed(rise, mine[AT])
        return Reduced(woven(kept, [_frame(made)]), dropped(self.id, gone))

    def _keys(self, frame: pl.DataFrame) -> pl.Series:
        """Return the key of each row, as 128 bits in hexadecimals."""
        names = self._settings.key
        if names is not None:
            texts = key_texts(frame, names)
        else:
            fields = sorted(name for name in frame.columns if is_field(name))
            texts = key_texts(frame, [name for name in ("_stream", "_level", "_line") if name in frame.columns])
            for name in fields:  # null and not there are one and the same
                if column_field(name) not in self._settings.ignore:
                    value = pl.lit(f"\x1e{name}\x1f") + as_text(of_column(pl.col(name), frame.schema[name]))
                    texts = frame.select(pl.lit(texts) + value.fill_null("")).to_series()
        if self._settings.ignore_numbers:
            texts = texts.str.replace_all(r"\d+", "#")
        return by_distinct(texts, lambda text: hashlib.blake2b(text.encode(), digest_size=16).hexdigest(), pl.String())

    def _held_back(self, frame: pl.DataFrame) -> tuple[pl.DataFrame, list[rows.Row]]:
        """Take rows into their windows; return them with `_on`, whether they go on, and rows that are full by count."""
        sessions = frame.with_columns(_session=self._sessions(frame), _place=pl.int_range(pl.len()))
        by = ["_window", "_key", "_session"]
        groups = sessions.group_by(by, maintain_order=True).agg(
            _first=pl.col(AT).first(),
            _last=pl.col(AT).last(),
            _n=pl.len(),
            _from=pl.col("_t").min(),
            _to=pl.col("_t").max(),
            _place=pl.col("_place").first(),
        )
        plain = frame.drop(_HELPERS, AT, "_in_lines", "_in_bytes")
        made: list[rows.Row] = []
        goes: list[str] = []
        for window, key, _, _, last, count, start, end, place in groups.iter_rows():
            goes.append(self._take(window, key, plain, place, count, (start, end)))
            held = self._held.get(window, {}).get(key)
            if held is not None and held[1] == self._settings.max_count:
                made += self._given([self._forget(window, key)], last)
        groups = groups.select(*by, "_first", _goes=pl.Series(goes, dtype=pl.String))
        joined = sessions.join(groups, on=by, how="left", maintain_order="left")
        all_go, first_goes = pl.col("_goes") == "all", pl.col("_goes") == "first"
        on = joined.select(_on=all_go | (first_goes & (pl.col(AT) == pl.col("_first"))))
        return frame.with_columns(on), made

    def _sessions(self, frame: pl.DataFrame) -> pl.Series:
        """Return for each row how many times before it its window was given out by count."""
        most = self._settings.max_count
        if most is None:
            return pl.repeat(0, len(frame), dtype=pl.Int64, eager=True)
        pairs = frame.select("_window", "_key").unique()
        held = [self._held.get(window, {}).get(key) for window, key in pairs.iter_rows()]
        counts = pairs.with_columns(_had=pl.Series([0 if row is None else row[1] for row in held], dtype=pl.Int64))
        table = frame.select("_window", "_key").join(counts, on=["_window", "_key"], how="left", maintain_order="left")
        nth = pl.int_range(pl.len()).over("_window", "_key") + pl.col("_had")
        return table.select(nth // most).to_series()

    def _take(self, window: int, key: str, frame: pl.DataFrame, place: int, count: int, times: tuple[int, int]) -> str:
        """Add rows, the first of them at a place, to what is held; return which go on: all, the first, or none."""
        here = self._held.setdefault(window, {})
        held = here.get(key)
        if held is not None:
            held[1], held[2], held[3] = held[1] + count, min(held[2], times[0]), max(held[3], times[1])
            goes = "none"
        else:
            row = {} if len(here) >= self._settings.max_keys else rows.as_json(frame.row(place, named=True))
            size = _size(row)
            if not row or self._bytes.get(window, 0) + size > self._bytes_most:
                self._count("rows beyond the bound", count)
                return "all"
            self._bytes[window] = self._bytes.get(window, 0) + size
            here[key] = [row, count, *times]
            if (window, key) not in self._changed:
                self._new.add((window, key))
            goes = "first" if self._settings.emit == "at_once" else "none"
        self._changed.add((window, key))
        return goes

    # --- giving out -----------------------------------------------------------------------------------------------

    def _closed(self, rise: Rise, numbers: pl.Series) -> list[rows.Row]:
        """Return the rows of the windows that the watermark has passed, each window's after the row that did it."""
        made: list[rows.Row] = []
        windows = sorted(self._held)
        due = [(window + 1) * self._window_ns + self._lateness_ns for window in windows]
        for window, (_, row) in zip(windows, rise.passed(due), strict=False):
            made += self._given(self._all_of(window), int(numbers[row]))
        return made

    def _all_of(self, window: int) -> list[list[Any]]:
        """Return what is held of a window, in the order of the first times, and forget it."""
        held = self._held[window]
        given = [self._forget(window, key) for key in sorted(held, key=lambda key: (held[key][2], key))]
        self._held.pop(window, None)
        return given

    def _forget(self, window: int, key: str) -> list[Any]:
        held = self._held[window].pop(key)
        if (window, key) in self._new:
            self._new.discard((window, key))
            self._changed.discard((window, key))
        else:
            self._changed.add((window, key))
        if not self._held[window]:
            del self._held[window]
            self._bytes.pop(window, None)
        return held

    def _given(self, held: Sequence[list[Any]], at: int) -> list[rows.Row]:
        """Return the rows for what was held, to come after a row; one that came once is as it was."""
        made: list[rows.Row] = []
        for row, count, first, last in held:
            more = {"dedupe_count": count, "dedupe_first_ns": first, "dedupe_last_ns": last} if count > 1 else {}
            if more or self._settings.emit == "at_end":
                made.append({**row, **more, "_in_lines": 0, "_in_bytes": 0, AT: at})
        return made

    def flush(self, now_ns: int, *, final: bool) -> pl.DataFrame | None:
        """Return everything when nothing came for a window's length and the lateness, or when all ends."""
        if not self._held or not (final or self._clock.idle(now_ns, self._window_ns + self._lateness_ns)):
            return None
        self._clock.reach((max(self._held) + 1) * self._window_ns + self._lateness_ns)
        held = [each for window in sorted(self._held) for each in self._all_of(window)]
        return _frame(self._given(held, 0)).drop(AT, strict=False)

    def restore(self, state: Mapping[str, object]) -> None:
        """Go on from a state."""
        self._clock.restore(state.get("clock"))
        for name, value in state.items():
            window, _, key = name.partition(":")
            if key and isinstance(value, list):
                self._held.setdefault(int(window), {})[key] = value
                self._bytes[int(window)] = self._bytes.get(int(window), 0) + _size(value[0])

    def mark(self) -> Mapping[str, object]:
        """Return the held rows that changed."""
        changes: dict[str, object] = {}
        for window, key in self._changed:
            held = self._held.get(window, {}).get(key)
            changes[f"{window}:{key}"] = None if held is None else [*held]
        if clock := self._clock.mark():
            changes["clock"] = clock
        self._changed, self._new = set(), set()
        return changes

    def _count(self, what: str, count: int) -> None:
        if count:
            self.counters[what] = self.counters.get(what, 0) + count


def _size(row: rows.Row) -> int:
    return sum(len(cell) for cell in row.values() if isinstance(cell, str))


def _frame(made: Sequence[rows.Row]) -> pl.DataFrame:
    frame = rows.as_frame(made)
    return frame.with_columns(pl.col(AT).cast(pl.UInt32)) if len(frame) else frame
