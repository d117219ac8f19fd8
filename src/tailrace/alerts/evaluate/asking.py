"""Ask the table what rules want to know: an expression at many windows in one query, many expressions in one reading.

Comes in: expressions without their thresholds, and windows. Goes out: one answer for each. What is wrong with a query,
or takes too long, or is not complete is an answer too: an error, never an empty one.

What is asked alone is a query like any other. What is known to be asked soon (`prepare`) is answered together: the
newest lines are read once and held in memory (`held`), and expressions of one shape are one query over them
(`families`). On two cores 7,400 expressions of 10,000 rules over a million lines take 4 s so; one by one they took
430 s.
"""

from __future__ import annotations

from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.alerts.evaluate.contracts import Answers
from tailrace.alerts.evaluate.copies import OWNER, CopiesEngine, UnreadError, copies_of
from tailrace.alerts.evaluate.families import Leaves, Shape, taken_apart
from tailrace.alerts.evaluate.held import Held, Streams
from tailrace.alerts.evaluate.verdict import Answer
from tailrace.batch import stream_text
from tailrace.errors import QueryError, TailraceError, TransientError
from tailrace.limits import SERIES_LIMIT
from tailrace.query.evaluate import Evaluation
from tailrace.query.functions.approx_topk import ApproxTopk
from tailrace.query.grid import stepped
from tailrace.query.parser import parse
from tailrace.query.reads import Reading, nobody
from tailrace.query.result import Series, Stats
from tailrace.query.run import Request, run
from tailrace.query.samples import LABEL
from tailrace.query.syntax import LogQuery

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from tailrace.alerts.evaluate.copies import Copies
    from tailrace.alerts.evaluate.held import Asked
    from tailrace.contracts import Engine, Snapshot, Table
    from tailrace.query.kept import Kept
    from tailrace.query.named import Recorded
    from tailrace.query.samples import Samples

TIMEOUT_S: Final = 60.0
"""Seconds that one query of a rule may take."""

HELD_ROWS: Final = 6_000_000
"""Lines that are held for a round: about 1 GiB of lines of 120 bytes. What looks further back is asked alone."""

COPIED_ROWS: Final = 2_000_000
"""Lines that are copied for one query over several askers."""

TOGETHER: Final = 4
"""At least so many expressions are worth a reading for all of them."""

Question = tuple[str, range]


class TableAsk:
    """Asks one table. One thread calls it."""

    def __init__(
        self,
        table: Table,
        engine: Engine,
        timeout_s: float = TIMEOUT_S,
        held_rows: int = HELD_ROWS,
        recorded: Recorded | None = None,
        kept: Kept | None = None,
        cancelled: Callable[[], bool] = nobody,
    ) -> None:
        self._cancelled = cancelled
        self._recorded = recorded
        self._kept = kept
        self._table = table
        self._engine = engine
        self._timeout_s = timeout_s
        self._held_rows = held_rows
        self._columns: set[str] = set()  # that shared queries were seen to need
        self._streams = Streams(())
        self._ready: dict[Question, Answers] = {}

    def __call__(self, asked: str, times: range) -> Answers:
        """Return one answer for each time."""
        found = self._ready.pop((asked, times), None)
        found = self._alone(asked, times) if found is None else found
        if self._cancelled():  # which is no answer: nothing of this round may be kept
            raise TransientError("given up since the server stops; what is due is evaluated when it starts again")
        return found

    def prepare(self, asked: Sequence[Question]) -> None:
        """Answer what is going to be asked, as far as it can be answered together."""
        self._ready = {}
        by_times: dict[range, list[str]] = defaultdict(list)
        for text, times in dict.fromkeys(asked):
            by_times[times].append(text)
        for times, some in by_times.items():
            if len(some) < TOGETHER:
                continue
            with suppress(TailraceError):  # whoever is asked alone is told why
                self._share([member for text in some if (member := _member(text)) is not None], times)

    # --- one expression -------------------------------------------------------------------------

    def _alone(self, asked: str, times: range) -> Answers:
        if len(times) > 1 and ApproxTopk.name in asked:  # which no range is asked with
            single = [self._alone(asked, range(at_ns, at_ns + 1)) for at_ns in times]
            return Answers({at_ns: one.at[at_ns] for at_ns, one in zip(times, single, strict=True)}, single[-1].rows)
        step_ns = times.step if len(times) > 1 else None
        request = Request(asked, times[0], times[-1], step_ns, timeout_s=self._timeout_s, aligned=False)
        request = replace(request, cancelled=self._cancelled)
        try:
            found = run(request, self._table, self._engine, self._kept, recorded=self._recorded)
        except TailraceError as error:
            return _failed(times, error)
        except RecursionError:
            return _failed(times, QueryError("the query is nested too deeply"))
        assert isinstance(found, Series), "rules are read with numbers only"
        if not found.complete:
            said = "; ".join(found.warnings) or "the answer is not complete"
            return Answers({at_ns: Answer(at_ns, error=said) for at_ns in times}, found.stats.rows)
        values: dict[int, dict[str, float]] = {at_ns: {} for at_ns in times}
        keys = [stream_text(labels) for labels in found.labels]
        for series, at_ns, value in found.frame.iter_rows():
            values[at_ns][keys[series]] = value
        return Answers({at_ns: Answer(at_ns, found_then) for at_ns, found_then in values.items()}, found.stats.rows)

    # --- many -----------------------------------------------------------------------------------

    def _share(self, members: Sequence[_Member], times: range) -> None:
        snapshot = self._table.snapshot()
        far_ns = _reach(snapshot, members, times, self._held_rows)
        left = [member for member in members if member.shape.far_ns <= far_ns]
        if len(left) < TOGETHER:
            return
        span = (times[0] - max(member.shape.far_ns for member in left) + 1, times[-1] + 1)
        while left:
            try:
                held = self._read(snapshot, left, span)
            except FileNotFoundError:  # the table was tidied meanwhile: each is asked alone then
                return
            round_ = _Sharing(held, times, self._timeout_s, self._alone, self._cancelled)
            unread = round_.answer(left)
            self._ready.update(((member.text, times), found) for member, found in round_.answers.items())
            columns = {name for names in unread.values() for name in names}
            if not columns - self._columns:
                return
            self._columns |= columns
            left = list(unread)

    def _read(self, snapshot: Snapshot, members: Sequence[_Member], span: tuple[int, int]) -> Held:
        segments = snapshot.segments(*span)
        texts = segments.streams()["_stream"].unique().sort().to_list()
        if texts != self._streams.texts:
            self._streams = Streams(texts)
        selectors = {asked.selector for member in members for asked in member.asked}
        wanted = {place for selector in selectors for place in self._streams.chosen(selector)}
        return Held.read(snapshot, self._engine, segments, self._streams, wanted, self._columns, span)


@dataclass(frozen=True, slots=True)
class _Member:
    """An expression, taken apart."""

    text: str
    shape: Shape
    asked: tuple[Asked, ...]

    def alone(self) -> _Member:
        """Return it as one that shares a reading with others, and no query."""
        query = parse(self.text)
        assert not isinstance(query, LogQuery), "rules are read with numbers only"
        return _Member(self.text, *taken_apart(query, alone=True))


@lru_cache(maxsize=65_536)
def _member(text: str) -> _Member | None:
    """Take an expression apart; None for one that reads no lines, or other things than lines, or cannot be run."""
    try:
        query = parse(text)
    except QueryError:
        return None
    if isinstance(query, LogQuery):
        return None
    shape, asked = taken_apart(query)
    return _Member(text, shape, asked) if asked else None


@dataclass(slots=True)
class _Sharing:
    """The answers of expressions over lines that are held."""

    held: Held
    times: range
    timeout_s: float
    ask: Callable[[str, range], Answers]
    cancelled: Callable[[], bool] = nobody
    answers: dict[_Member, Answers] = field(default_factory=dict)
    _windows: dict[tuple[int, int], Held] = field(default_factory=dict)

    def answer(self, members: Iterable[_Member]) -> dict[_Member, frozenset[str]]:
        """Answer what can be; return what needs columns that are not held."""
        families: dict[Shape, list[_Member]] = defaultdict(list)
        for member in members:
            families[member.shape].append(member)
        unread: dict[_Member, frozenset[str]] = {}
        for shape, family in families.items():
            for some in self._few(shape, family):
                try:
                    self.answers |= self._together(shape, some)
                except UnreadError as error:
                    unread |= dict.fromkeys(some, error.columns)
        return unread

    def _few(self, shape: Shape, family: Sequence[_Member]) -> Iterable[Sequence[_Member]]:
        """Cut a family so that each part reads a bounded number of lines."""
        part, rows = list[_Member](), 0
        for member in family:
            mine = self._rows(shape, member)
            if part and (rows + mine > COPIED_ROWS or not shape.together):
                yield part
                part, rows = [], 0
            part, rows = [*part, member], rows + mine
        yield part

    def _rows(self, shape: Shape, member: _Member) -> int:
        windows = self._spans(shape)
        return sum(len(window.places(asked)) for window, asked in zip(windows, member.asked, strict=True))

    def _spans(self, shape: Shape) -> list[Held]:
        """Return the lines that each leaf looks at."""
        spans = [(self.times[0] - far_ns + 1, self.times[-1] - near_ns + 1) for near_ns, far_ns in shape.leaves]
        for span in spans:
            if span not in self._windows:
                self._windows[span] = self.held.within(*span)
        return [self._windows[span] for span in spans]

    def _together(self, shape: Shape, family: Sequence[_Member]) -> dict[_Member, Answers]:
        """Answer several members by one query; one by one if it fails, since it does for all when it does for one."""
        windows = self._spans(shape)
        names = [str(place) if shape.together else None for place in range(len(family))]
        copies = [
            copies_of(window, [(name, member.asked[leaf]) for name, member in zip(names, family, strict=True)])
            for leaf, window in enumerate(windows)
        ]
        try:
            samples = self._evaluated(shape, family, copies)
        except TailraceError as error:
            if not shape.together:
                return {family[0]: _failed(self.times, error)}
            alone = [member.alone() for member in family]
            return {member: self._together(one.shape, [one])[one] for member, one in zip(family, alone, strict=True)}
        found = _values(samples, self.times, len(family))
        return {
            member: self.ask(member.text, self.times)
            if values is None
            else Answers({at_ns: Answer(at_ns, then) for at_ns, then in values.items()}, self._rows(shape, member))
            for member, values in zip(family, found, strict=True)
        }

    def _evaluated(self, shape: Shape, family: Sequence[_Member], copies: Sequence[Copies]) -> Samples:
        grid = stepped(self.times[0], self.times[-1], self.times.step)
        reading = Reading(CopiesEngine(), Stats(), self.timeout_s, self.cancelled, lasting=False)
        leaves = Leaves(grid, reading, copies, [member.asked for member in family], shape.together)
        found = Evaluation(grid, self._no_table, reading, leaves).value(shape.metric)
        assert not isinstance(found, float), "what reads lines gives samples"
        return found

    def _no_table(self) -> Snapshot:
        raise AssertionError("each leaf has its copies")


def _values(samples: Samples, times: range, askers: int) -> list[dict[int, dict[str, float]] | None]:
    """Return the values of each asker by time and label set; None where that is not all there is to say.

    Series that became equal, and more of them than an answer may have, are left to a query of its own.
    """
    found: list[dict[int, dict[str, float]] | None] = [{at_ns: {} for at_ns in times} for _ in range(askers)]
    names = [column for column in samples.labels if column != LABEL + OWNER]
    owner = [LABEL + OWNER] if LABEL + OWNER in samples.frame.columns else []
    keys: dict[tuple[str | None, ...], str] = {}
    sets: list[set[str]] = [set() for _ in range(askers)]
    for step, value, *rest in samples.frame.select("step", "value", *owner, *names).iter_rows():
        place, labels = (int(rest[0]), tuple(rest[1:])) if owner else (0, tuple(rest))
        mine = found[place]
        if mine is None:
            continue
        if labels not in keys:
            pairs = {name.removeprefix(LABEL): text for name, text in zip(names, labels, strict=True) if text}
            keys[labels] = stream_text(pairs)
        key, then = keys[labels], mine[times[step]]
        sets[place].add(key)
        if key in then or len(sets[place]) > SERIES_LIMIT:
            found[place] = None
            continue
        then[key] = value
    return found


def _reach(snapshot: Snapshot, members: Iterable[_Member], times: range, most: int) -> int:
    """Return how far back before the first window lines can be held."""
    reaches = sorted({member.shape.far_ns for member in members})
    best = -1
    for far_ns in reaches:
        start_ns, end_ns = times[0] - far_ns + 1, times[-1] + 1
        frame = snapshot.segments(start_ns, end_ns).frame
        low, high = pl.col("min_time_ns"), pl.col("max_time_ns")
        inside = high.clip(upper_bound=end_ns - 1) - low.clip(lower_bound=start_ns) + 1
        rows = frame.select((pl.col("rows") * (inside / (high - low + 1)).clip(0, 1)).sum()).item()
        if rows > most:
            break
        best = far_ns
    return best


def _failed(times: range, error: TailraceError) -> Answers:
    said = error.one_line() if isinstance(error, QueryError) else str(error)
    return Answers({at_ns: Answer(at_ns, error=said) for at_ns in times})
