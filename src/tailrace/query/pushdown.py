"""What a scan can do of a pipeline: predicates on typed columns, as Narwhals expressions.

`Scan` is what stages write to while a query is planned (`Stage.push`). Before the scan runs, rows have no
text labels; a test on `status` becomes one on the int64 column `status`. A predicate is *exact* when it
keeps just the lines that the stage would keep, without errors to set; else it keeps at least those and the
stage runs again on the rows that come back.

A column that a segment lacks reads as null, and an absent label compares as empty: so nothing here
may assume that a column exists, and a bound (which skips segments) is only set for tests that no null passes.
"""

from __future__ import annotations

import operator
import re
from dataclasses import dataclass, field
from functools import reduce
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import narwhals as nw
import polars as pl

from tailrace.contracts import Bound, Needle
from tailrace.query import portable_regexes, regexes, values
from tailrace.query.conditions import judge
from tailrace.query.load import UNKNOWN, VIRTUAL
from tailrace.query.matching import accepts
from tailrace.query.result import STREAM
from tailrace.query.rows import ERRORS, Rows
from tailrace.query.stages.label_filter import All, AnyOf, Comparison, Inside
from tailrace.query.syntax import Matcher

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tailrace.query.load import Fields
    from tailrace.query.parsed import Parsing
    from tailrace.query.stages.label_filter import Condition

Op: TypeAlias = Literal["==", "<", "<=", ">", ">="]

_COMPARE: Final[Mapping[str, Callable[[nw.Expr, float], nw.Expr]]] = {
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}
_WORDS: Final = re.compile(r"[A-Za-z0-9_ /-]+(\|[A-Za-z0-9_ /-]+)*")


@dataclass(frozen=True, slots=True)
class Predicate:
    """A condition on columns; `expression` None keeps everything."""

    expression: nw.Expr | None
    exact: bool


@dataclass(slots=True)
class Scan:
    """What a scan knows and does; stages add to it in order."""

    fields: Fields
    streams: pl.DataFrame  # the streams that match so far, with their labels
    formats: frozenset[str | None]  # of the rows, see batch.ENVELOPE
    conditions: list[nw.Expr] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    columns: dict[str, pl.DataType] = field(default_factory=dict)  # that the conditions read
    bounds: list[Bound] = field(default_factory=list)
    needles: list[Needle] = field(default_factory=list)
    line_changed: bool = False
    labels_changed: bool = False
    labels_made: bool = False  # whether a stage gave labels values that stand nowhere in the line
    may_fail: bool = False  # whether a stage that is left to the rows can mark a line with an error
    portable: bool = True  # whether the conditions mean the same to every engine, see `portable_regexes`

    def certain(self, names: frozenset[str]) -> bool:
        """Tell whether lines can be grouped by these labels in the scan: none may be the line, or in a full `_more`."""
        hidden = [name for name in names if not self._in_all_streams(name)]
        return not self.fields.crowded and not any(f"json:{name}" in self.formats for name in hidden)

    def where_line(
        self, condition: nw.Expr, words: str, needles: Sequence[str] = (), patterns: Sequence[str] = ()
    ) -> bool:
        """Filter by the line as it is stored; tell whether that is still what stages see.

        A line that passes holds one of the `needles`, if there are any. `patterns` are the regexes of the condition.
        """
        if self.line_changed:
            return False
        self.portable &= None not in map(portable_regexes.common, patterns)
        if needles and all(needles):
            self.needles.append(Needle(("_line",), tuple(needles)))
        self.conditions.append(condition)
        self.words.append(words)
        self.columns["_line"] = pl.String()
        return True

    def already_parsed(self, stage: Parsing) -> bool:
        """Tell whether a parser finds nothing to do, since the store has the fields; else its labels are to come."""
        done = all(stage.skips(name) for name in self.formats) and not self.line_changed
        self.labels_changed |= not done
        self.may_fail |= not done
        return done

    def only_formats(self) -> None:
        """Read the lines of these formats only."""
        named = [name for name in self.formats if name is not None]
        found = nw.col("_format").is_in(named).fill_null(value=False)
        self.conditions.append(found | nw.col("_format").is_null() if None in self.formats else found)
        self.words.append(f"format: {', '.join(sorted(named)) or 'as pushed'}")
        self.columns["_format"] = pl.String()

    def where_labels(self, condition: Condition) -> bool:
        """Filter by labels; tell whether the scan does all of it."""
        parts = condition.parts if isinstance(condition, All) else (condition,)
        if self.labels_changed:
            for part in parts:
                self._verbatim(part)
        done = [self._conjunct(part) for part in parts] if not self.labels_changed else [False]
        self.may_fail |= not all(done)
        return all(done)

    def _verbatim(self, part: Condition) -> None:
        """Leave lines unread that cannot hold the value that a parser is to find in them.

        In a line that the store did not take apart it stands as it is, unless something in it is escaped; or a field
        of that name holds it.
        """
        plain = isinstance(part, Matcher) and part.op == "=" and part.value and self.formats <= {None}
        if not plain or self.line_changed or self.labels_made or not isinstance(part, Matcher):
            return
        named = part.name in VIRTUAL or part.name in ERRORS or part.name.endswith("_extracted")
        if named or STREAM + part.name in self.streams.columns:
            return
        line = nw.col("_line")
        somewhere = self._somewhere(part.name, self.fields.typed(part.name)).expression
        assert somewhere is not None  # it is never without places
        held = line.str.contains(part.value, literal=True) | line.str.contains("\\", literal=True)
        self.conditions.append(held.fill_null(value=False) | somewhere)
        self.words.append(f"{part} (widened: its text is in the line)")
        self.columns["_line"] = pl.String()

    def _conjunct(self, part: Condition) -> bool:
        sure = not (isinstance(part, Inside) and self.may_fail)  # lines with errors pass a test of addresses
        if isinstance(part, Matcher | Comparison | Inside) and sure and self._in_all_streams(part.name):
            verdict = judge(part, Rows(self.streams))
            judged = self.streams.select(passes=verdict.passes, failed=verdict.failed)
            self.streams = self.streams.filter(judged["passes"])
            self.words.append(f"{part} (by stream)")
            return not judged["failed"].any()
        predicate = self._predicate(part)
        if predicate.expression is not None:
            self.portable &= _portable(part)
            self.conditions.append(predicate.expression)
            self.words.append(str(part) if predicate.exact else f"{part} (widened)")
            self._bound(part)
        return predicate.exact

    def _predicate(self, condition: Condition) -> Predicate:
        if isinstance(condition, All | AnyOf):
            parts = [self._predicate(part) for part in condition.parts]
            exact = all(part.exact for part in parts)
            kept = [part.expression for part in parts if part.expression is not None]
            if isinstance(condition, AnyOf):
                # without a bound on one side the whole keeps everything; an error on a side keeps it inexact
                return Predicate(reduce(operator.or_, kept) if len(kept) == len(parts) else None, exact)
            return Predicate(reduce(operator.and_, kept) if kept else None, exact)
        if condition.name in ERRORS and isinstance(condition, Matcher) and not self.may_fail and accepts(condition, ""):
            return Predicate(None, exact=True)  # no line has an error, and that is what is wanted
        if isinstance(condition, Inside) or condition.name in ERRORS or STREAM + condition.name in self.streams.columns:
            return Predicate(None, exact=False)
        if condition.name.endswith("_extracted") or condition.name in VIRTUAL:
            return self._virtual(condition)
        return self._compare(condition) if isinstance(condition, Comparison) else self._match(condition)

    def _in_all_streams(self, name: str) -> bool:
        column = STREAM + name
        return column in self.streams.columns and not self.streams[column].null_count()

    def _virtual(self, test: Matcher | Comparison) -> Predicate:
        """Test the envelope column of a virtual label; other names that are made, not stored, are left to the rows."""
        column = VIRTUAL.get(test.name)
        if column is None or not isinstance(test, Matcher) or test.name in self.fields.columns:
            return Predicate(None, exact=False)
        self.columns[column] = pl.String()
        if column != "_level":
            return Predicate(_text_test(test, {column: pl.String()}), exact=True)
        positive = Matcher(test.name, "=" if test.op in ("=", "!=") else "=~", test.value)
        found = _column_test(positive, nw.col(column).fill_null(UNKNOWN), pl.String())
        assert found is not None  # text can always be tested
        return Predicate(found if test.op == positive.op else ~found, exact=True)

    def _compare(self, test: Comparison) -> Predicate:
        typed = self.fields.typed(test.name)
        if self._hidden(test.name):
            return self._somewhere(test.name, typed)
        self.columns.update(typed)
        tests = []
        exact = True
        for column, dtype in typed.items():
            if dtype.is_numeric() and test.measure == "number":
                tests.append(_COMPARE[test.op](nw.col(column), _literal(test.value)).fill_null(value=False))
            else:  # text that may not convert: the line stays, with an error
                tests.append(~nw.col(column).is_null())
                exact = False
        return Predicate(reduce(operator.or_, tests), exact)

    def _match(self, test: Matcher) -> Predicate:
        typed = self.fields.typed(test.name)
        if self._hidden(test.name):
            return Predicate(None, exact=False) if accepts(test, "") else self._somewhere(test.name, typed)
        expression = _text_test(test, typed)
        if expression is not None:
            self.columns.update(typed)
        return Predicate(expression, exact=expression is not None)

    def _hidden(self, name: str) -> bool:
        """Tell whether a field may lie in the line or in `_more`, where no typed test reaches it."""
        return self.fields.maybe_more(name) or f"json:{name}" in self.formats

    def _somewhere(self, name: str, typed: Mapping[str, pl.DataType]) -> Predicate:
        """Return where a field may be present at all."""
        places = [~nw.col(column).is_null() for column in typed]
        self.columns.update(typed)
        if self.fields.maybe_more(name):
            places.append(~nw.col("_more").is_null())
            self.columns["_more"] = pl.String()
        if f"json:{name}" in self.formats:
            places.append((nw.col("_format") == f"json:{name}").fill_null(value=False))
            self.columns["_format"] = pl.String()
        return Predicate(reduce(operator.or_, places), exact=False)

    def _bound(self, test: Condition) -> None:
        """Let the table skip segments, where typed columns hold the field and the test wants a value in them."""
        if not isinstance(test, Matcher | Comparison) or self._hidden(test.name):
            return
        typed = self.fields.typed(test.name)
        wanted = _wanted(test, typed)
        if wanted and all(wanted):
            self.needles.append(Needle(tuple(typed), wanted))
        if len(typed) != 1:
            return
        column, dtype = next(iter(typed.items()))
        if isinstance(test, Comparison) and test.op != "!=" and dtype.is_numeric() and test.measure == "number":
            self.bounds.append(Bound(column, test.op, test.value))
        elif isinstance(test, Matcher) and test.op == "=" and test.value and dtype == pl.String():
            self.bounds.append(Bound(column, "==", test.value))


def _portable(condition: Condition) -> bool:
    """Tell whether every regex in a condition means the same to all engines."""
    if isinstance(condition, All | AnyOf):
        return all(map(_portable, condition.parts))
    if not isinstance(condition, Matcher) or condition.op in ("=", "!=") or _WORDS.fullmatch(condition.value):
        return True
    return portable_regexes.common(regexes.anchored(condition.value)) is not None


def _wanted(test: Matcher | Comparison, typed: Mapping[str, pl.DataType]) -> tuple[str, ...]:
    """Return the texts of which a line that passes has one as the field's value; none if that cannot be said."""
    if isinstance(test, Matcher):
        if test.op == "=":
            return (test.value,)
        return tuple(test.value.split("|")) if test.op == "=~" and _WORDS.fullmatch(test.value) else ()
    plain = test.op == "==" and test.measure == "number" and all(dtype == pl.Int64() for dtype in typed.values())
    value = _literal(test.value)
    return (str(value),) if plain and isinstance(value, int) else ()


def _text_test(test: Matcher, typed: Mapping[str, pl.DataType]) -> nw.Expr | None:
    """Return where a field, held by one column per type, fulfils a matcher; None when columns cannot tell."""
    positive = Matcher(test.name, "=" if test.op in ("=", "!=") else "=~", test.value)
    found: list[nw.Expr] = []
    for column, dtype in typed.items():
        part = _column_test(positive, nw.col(column), dtype)
        if part is None:
            return None
        found.append(part.fill_null(value=False))
    if accepts(positive, ""):
        found.append(reduce(operator.and_, [nw.col(column).is_null() for column in typed]))
    whole = reduce(operator.or_, found)
    return whole if test.op == positive.op else ~whole


def _column_test(test: Matcher, column: nw.Expr, dtype: pl.DataType) -> nw.Expr | None:
    """Return where one column's value, as text, fulfils `=` or `=~`; None when only rows can tell."""
    if dtype == pl.Boolean():
        hits = [value for value in (True, False) if accepts(test, str(value).lower())]
        return column.is_in(hits) if hits else _never(column)
    if test.op == "=":
        value = test.value if dtype == pl.String() else _canonical(test.value, dtype)
        return _never(column) if value is None else column == value
    if dtype.is_float():
        return None  # how they are written is the rows' business
    text = column if dtype == pl.String() else column.cast(nw.String)
    if _WORDS.fullmatch(test.value):
        return text.is_in(test.value.split("|"))
    return text.str.contains(portable_regexes.pushed(regexes.anchored(test.value)))


def _literal(value: float) -> int | float:
    """Return a whole number as one, so that it is compared with integers as they are."""
    return int(value) if float(value).is_integer() and abs(value) < 2**63 else value


def _never(column: nw.Expr) -> nw.Expr:
    """Return a condition that no row fulfils; Narwhals filters by columns, not by a lone literal."""
    return column.is_null() & ~column.is_null()


def _canonical(text: str, dtype: pl.DataType) -> int | float | None:
    """Return the number that is written just like this, if there is one."""
    try:
        value: int | float = int(text) if dtype.is_integer() else float(text)
    except ValueError:
        return None
    if isinstance(value, int):
        return value if str(value) == text and -(2**63) <= value < 2**63 else None
    return value if values.float_text(value) == text else None
