"""Count instead of keeping: rows become one row per group and window of event time.

A window that slides is made of *panes* as wide as its step; each row is counted once, in its pane. A window is given
out when the watermark has passed its end and the lateness; a row that comes later than that is late: it goes on as it
is, or is dropped, and is counted. Bounded: at most `max_keys` groups in a pane, all further ones are one group,
`__other__`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import polars as pl
from pydantic import Field, field_validator, model_validator

from tailrace import limits
from tailrace.batch import field_column, stream_text
from tailrace.contracts import Reduced
from tailrace.reduce import functions, rows
from tailrace.reduce.names import find, with_labels, without_labels
from tailrace.reduce.rules import Rule
from tailrace.reduce.step import Condition, Names, StepSettings, divided, dropped
from tailrace.reduce.windows import AT, Watermark, woven
from tailrace.settings import Mistake, Mistakes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tailrace.reduce.functions import Parts
    from tailrace.reduce.rule_values import Typed
    from tailrace.reduce.windows import Rise

    Group = tuple[str | None, ...]  # the values of `by`

_SECOND_NS: Final = 1_000_000_000
_PANE: Final = "_\0pane"
_BY: Final = "_\0by:"


class AggregateSettings(StepSettings):
    """Count instead of keeping: rows become one row per group and window of event time."""

    type: Literal["aggregate"] = "aggregate"
    """The kind of step."""

    window_s: Annotated[float, Field(ge=0.001, le=31 * 86_400)]
    """Length of a window in event time. Windows are aligned to the epoch: 60 s begin at full minutes."""

    slide_s: Annotated[float, Field(ge=0.001)] | None = None
    """Seconds between the beginnings of two windows, if they overlap; without it one begins where the last ends."""

    lateness_s: Annotated[float, Field(ge=0, le=86_400)] = 10.0
    """Seconds of event time that a window waits for late rows."""

    by: Names | tuple[()] = ()
    """Names of fields or labels: one row for each combination of their values."""

    fields: Annotated[dict[str, str], Field(min_length=1)]
    """Name of a new field to what is in it: `count`, `sum(x)`, `min(x)`, `max(x)`, `avg(x)`, `first(x)`, `last(x)`,
    `distinct(x)` (about: 2.3 %), `topk(x, 10)` and `quantile(x, 0.99)` (within 1 %)."""

    where: Condition | None = None
    """Rule for the rows that are counted; all others go on."""

    labels: dict[str, str] = Field(default_factory=dict)
    """Labels of the rows that come out, beside `source`, which is the id of the step unless it is given here."""

    pass_rows: bool = False
    """Let the rows that are counted go on as well."""

    late: Literal["pass", "drop"] = "pass"
    """What happens to a row that comes too late to be counted; with `drop` it is counted under `<id>/late`."""

    max_keys: Annotated[int, Field(ge=1, le=limits.STEP_KEYS_MOST)] = limits.STEP_KEYS
    """Groups of one window; all further ones are one group, `__other__`."""

    @field_validator("fields")
    @classmethod
    def _functions(cls, value: dict[str, str]) -> dict[str, str]:
        mistakes: list[Mistake] = []
        for name, text in value.items():
            try:
                functions.parse(text)
            except Mistake as mistake:
                mistakes.append(Mistake(str(mistake), mistake.hint, (name,)))
        if mistakes:
            raise Mistakes(mistakes)
        return value

    @model_validator(mode="after")
    def _fits(self) -> AggregateSettings:
        for name in self.fields:
            if name in self.by:
                raise Mistake(f"{name!r} is in 'by' already", "give the field another name", ("fields", name))
        length_ns, slide_ns = (
            round(seconds * _SECOND_NS) for seconds in (self.window_s, self.slide_s or self.window_s)
        )
        if length_ns % slide_ns or not 1 <= length_ns // slide_ns <= limits.PANES:
            what = f"a window is 1 to {limits.PANES} times its slide_s, as a whole number, got {length_ns / slide_ns:g}"
            raise Mistake(what, "for example window_s: 60 and slide_s: 10", ("slide_s",))
        return self

    def step(self, step_id: str) -> Aggregate:
        """Return the step."""
        return Aggregate(step_id, self)


class Aggregate:
    """See the module."""

    def __init__(self, step_id: str, settings: AggregateSettings) -> None:
        self.id = step_id
        self.rules: Sequence[Rule] = [] if settings.where is None else [Rule(settings.where)]
        self.counters: dict[str, int] = {}
        self._settings = settings
        self._functions = {name: functions.parse(text) for name, text in settings.fields.items()}
        self._length_ns = round(settings.window_s * _SECOND_NS)
        self._slide_ns = round((settings.slide_s or settings.window_s) * _SECOND_NS)
        self._lateness_ns = round(settings.lateness_s * _SECOND_NS)
        self._stream = stream_text({"source": step_id, **settings.labels})
        self._clock = Watermark()
        self._panes: dict[int, dict[Group, Parts]] = {}  # by the time that a pane begins with
        self._types: dict[str, str] = {}  # of the values of `by`: int, float, bool or text
        self._changed: set[tuple[int, Group]] = set()
        self._new: set[tuple[int, Group]] = set()  # there since the last mark: no mark has to forget them

    def apply(self, frame: pl.DataFrame, now_ns: int) -> Reduced:
        """Return the rows that go on, and those of the windows that closed, each after the row that closed it."""
        mask = self.rules[0].mask(frame) if self.rules else pl.repeat(value=True, n=len(frame), eager=True)
        mine, others = divided(frame.with_row_index(AT), mask)
        if not len(mine):
            return Reduced(frame)
        started_ns = self._clock.newest_ns
        rise = self._clock.rise(mine, now_ns)
        pane = (rise.times // self._slide_ns * self._slide_ns).alias(_PANE)
        late = (pane + (self._slide_ns + self._lateness_ns) <= rise.before).fill_null(value=False)
        in_time, too_late = divided(mine.with_columns(pane), ~late)
        self._count("late rows", len(too_late))
        self._take(in_time)
        made = self._closed(rise, mine[AT], started_ns, now_ns)
        passing = [others]
        counted: tuple[tuple[str, int, int], ...] = ()
        if self._settings.pass_rows:
            passing.append(in_time.drop(_PANE))
        if self._settings.pass_rows or self._settings.late == "pass":
            passing.append(too_late.drop(_PANE))
        else:
            counted = dropped(f"{self.id}/late", too_late)
        if not self._settings.pass_rows:
            counted = (*dropped(self.id, in_time), *counted)
        parts = [part for part in passing if len(part)] or passing[:1]
        kept = parts[0] if len(parts) == 1 else pl.concat(parts).sort(AT)
        return Reduced(woven(kept, [made]), counted)

    def _take(self, frame: pl.DataFrame) -> None:
        """Add rows to their panes."""
        by = self._settings.by
        if by:
            labelled = with_labels(frame, by)
            meanings = {name: find(name, labelled.schema) for name in by}
            self._see_types(meanings)
            columns = [typed.expr.alias(f"{_BY}{name}") for name, typed in meanings.items()]
            frame = without_labels(labelled.with_columns(columns))
        keys = [_PANE, *(f"{_BY}{name}" for name in by)]
        owners: dict[functions.Key, Parts] = {}
        for key, name, part in functions.parts_of(frame, keys, list(self._functions.values())):
            if key not in owners:
                owners[key] = self._owner(key[0], tuple(map(_text, key[1:])))
            functions.add(owners[key], name, part)

    def _owner(self, pane: int, group: Group) -> Parts:
        """Return the parts of a group in a pane."""
        groups = self._panes.setdefault(pane, {})
        if group not in groups and len(groups) >= self._settings.max_keys:
            group = (functions.OTHER,) * len(group)
            self._count("groups beyond max_keys", 1)
        if group not in groups and (pane, group) not in self._changed:
            self._new.add((pane, group))
        self._changed.add((pane, group))
        return groups.setdefault(group, {})

    def _see_types(self, meanings: Mapping[str, Typed]) -> None:
        """Remember what the values of `by` were before they became text."""
        for name, typed in meanings.items():
            if typed.kind != "null":
                seen = {"bool": "bool", "number": "int" if typed.whole else "float"}.get(typed.kind, "text")
                before = self._types.setdefault(name, seen)
                if before != seen:
                    self._types[name] = "float" if {before, seen} == {"int", "float"} else "text"

    # --- giving out -----------------------------------------------------------------------------------------------

    def _closed(self, rise: Rise, numbers: pl.Series, started_ns: int | None, now_ns: int) -> pl.DataFrame:
        """Return the rows of the windows that the watermark has passed with these rows."""
        made: list[rows.Row] = []
        due = [end_ns + self._lateness_ns for end_ns in self._ends()]
        for due_ns, row in rise.passed(due):
            if started_ns is None or due_ns > started_ns:
                at = int(numbers[row])
                made += [{**each, AT: at} for each in self._window(due_ns - self._lateness_ns, now_ns)]
        self._forget(int(rise.after[-1]))
        return self._frame(made)

    def _ends(self) -> list[int]:
        """Return the ends of all windows that have a row in them, in order."""
        steps = range(self._slide_ns, self._length_ns + 1, self._slide_ns)
        return sorted({pane + step for pane in self._panes for step in steps})

    def _window(self, end_ns: int, now_ns: int) -> list[rows.Row]:
        """Return one row for each group of a window."""
        groups: dict[Group, Parts] = {}
        for pane in range(end_ns - self._length_ns, end_ns, self._slide_ns):
            for group, parts in self._panes.get(pane, {}).items():
                mine = groups.setdefault(group, {})
                for name, part in parts.items():
                    functions.add(mine, name, part)
        ordered = sorted(groups.items(), key=lambda pair: [(value is not None, value or "") for value in pair[0]])
        return [self._row(end_ns - self._length_ns, group, parts, now_ns) for group, parts in ordered]

    def _row(self, start_ns: int, group: Group, parts: Parts, now_ns: int) -> rows.Row:
        results = {name: function.result(parts) for name, function in self._functions.items()}
        values = {name: self._typed(name, value) for name, value in zip(self._settings.by, group, strict=True)}
        said = {name: value for name, value in {**results, **values}.items() if value is not None}
        return {
            "_time_ns": start_ns,
            "_observed_ns": now_ns,
            "_stream": self._stream,
            "_line": " ".join(f"{name}={_said(value)}" for name, value in said.items()),
            "_format": "aggregate",
            **{field_column(name): value for name, value in said.items()},
            "window_s": self._settings.window_s,
            "_in_lines": 0,
            "_in_bytes": 0,
        }

    def _typed(self, name: str, value: str | None) -> Any:  # whatever a field holds
        kind = self._types.get(name, "text")
        if value is None or kind == "text":
            return value
        try:
            return value == "true" if kind == "bool" else {"int": int, "float": float}[kind](value)
        except ValueError:
            return value

    def _frame(self, made: Sequence[rows.Row]) -> pl.DataFrame:
        frame = rows.as_frame(made)
        return frame.with_columns(pl.col(AT).cast(pl.UInt32)) if AT in frame.columns else frame

    def _forget(self, newest_ns: int) -> None:
        """Forget the panes whose last window was given out."""
        for pane in [pane for pane in self._panes if pane + self._length_ns + self._lateness_ns <= newest_ns]:
            gone = {(pane, group) for group in self._panes.pop(pane)}
            self._changed |= gone
            self._changed -= gone & self._new
            self._new -= gone

    def flush(self, now_ns: int, *, final: bool) -> pl.DataFrame | None:
        """Return all windows when nothing came for a window's length and the lateness, or when all ends."""
        if not self._panes or not (final or self._clock.idle(now_ns, self._length_ns + self._lateness_ns)):
            return None
        newest_ns = self._clock.newest_ns
        made: list[rows.Row] = []
        for end_ns in self._ends():
            if newest_ns is None or end_ns + self._lateness_ns > newest_ns:
                made += self._window(end_ns, now_ns)
        self._clock.reach(max(self._panes) + self._length_ns + self._lateness_ns)
        self._forget(self._clock.newest_ns or 0)
        return self._frame(made)

    def restore(self, state: Mapping[str, object]) -> None:
        """Go on from a state."""
        self._clock.restore(state.get("clock"))
        for name, value in state.items():
            pane, _, group = name.partition(":")
            if name == "types" and isinstance(value, dict):
                self._types = dict(value)
            elif group and isinstance(value, dict):
                self._panes.setdefault(int(pane), {})[tuple(json.loads(group))] = value

    def mark(self) -> Mapping[str, object]:
        """Return the groups that changed."""
        changes: dict[str, object] = {}
        for pane, group in self._changed:
            parts = self._panes.get(pane, {}).get(group)
            changes[f"{pane}:{json.dumps(group, ensure_ascii=False)}"] = None if parts is None else _copied(parts)
        if clock := self._clock.mark():
            changes["clock"] = clock
            changes["types"] = dict(self._types)
        self._changed, self._new = set(), set()
        return changes

    def _count(self, what: str, count: int) -> None:
        if count:
            self.counters[what] = self.counters.get(what, 0) + count


def _text(value: Any) -> str | None:  # whatever a cell holds
    """Return a value of a group as text: the same for a number and for its text."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _copied(parts: Parts) -> Parts:
    """Return parts that later rows do not change."""
    return {name: dict(part) if isinstance(part, dict) else part for name, part in parts.items()}


def _said(value: Any) -> str:  # whatever a field holds
    """Return a value as logfmt has it."""
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return json.dumps(text, ensure_ascii=False) if not text or any(c in text for c in ' "=') else text
