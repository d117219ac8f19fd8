"""Values of rows: what a metric measures and what its labels say, as SQL expressions.

The words are those of rules (`rule_syntax`), used for a value instead of a condition: a column, a constant, a sum, a
function. A name is what `names` says: a field, a label of the stream, a column of the envelope, else null.

>>> Value("lower(method)").text(pl.DataFrame({"method": ["GET", None]})).to_list()
['get', None]
>>> Value("sent + received").number(pl.DataFrame({"sent": [1, 2], "received": ["10", "-"]})).to_list()
[11.0, None]
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from tailrace.batch import ENVELOPE
from tailrace.reduce import rule_tree as tree
from tailrace.reduce.names import column_of, find, with_labels
from tailrace.reduce.rule_syntax import parse
from tailrace.reduce.rule_values import as_number, as_text, value
from tailrace.reduce.rules import Rule, RuleError
from tailrace.settings import Mistake

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tailrace.reduce.rule_values import Typed


class Value:
    """An expression over one row, checked when it is made: raises `RuleError`."""

    def __init__(self, text: str) -> None:
        self.source = text
        self._tree = parse(text)
        names = list(_names(self._tree))
        self._names = tuple(dict.fromkeys(name.text for name in names if not name.exact))
        self.columns = frozenset(column_of(name.text, exact=name.exact) for name in names)
        """Columns that the value is made of, beside labels of the stream."""
        self.text(pl.DataFrame(schema=ENVELOPE))

    def number(self, frame: pl.DataFrame) -> pl.Series:
        """Return the values as numbers, whole ones as Int64; null where a value is missing or is none."""
        column = self._column(frame, as_number)
        if column.dtype == pl.Null:
            return column.cast(pl.Float64)
        return column if column.dtype.is_integer() and column.dtype.is_signed_integer() else column.cast(pl.Float64)

    def text(self, frame: pl.DataFrame) -> pl.Series:
        """Return the values as text."""
        return self._column(frame, as_text)

    def _column(self, frame: pl.DataFrame, reading: Callable[[Typed], pl.Expr]) -> pl.Series:
        labelled = with_labels(frame, self._names)
        typed = value(self._tree, lambda name: find(name.text, labelled.schema, exact=name.exact))
        result = labelled.select(_=reading(typed)).to_series()
        if len(result) == len(frame):
            return result
        return pl.repeat(result.item(), len(frame), dtype=result.dtype, eager=True)


@dataclass(frozen=True, slots=True)
class Choice:
    """A text for each row: that of the first condition that holds, else the one of an expression."""

    conditions: Sequence[tuple[str, Rule]]
    otherwise: Value

    def text(self, frame: pl.DataFrame) -> pl.Series:
        """Return the values."""
        chosen = self.otherwise.text(frame).cast(pl.String)
        for text, rule in reversed(self.conditions):
            chosen = pl.select(pl.when(rule.mask(frame)).then(pl.lit(text)).otherwise(chosen)).to_series()
        return chosen


def _names(node: object) -> Iterator[tree.Name]:
    """Yield the names of a tree."""
    if isinstance(node, tree.Name):
        yield node
    elif isinstance(node, tuple):
        for each in node:
            yield from _names(each)
    elif hasattr(node, "__dataclass_fields__"):
        for field in node.__dataclass_fields__:
            yield from _names(getattr(node, field))


def condition(text: str, *key: str) -> Rule:
    """Return a condition; a `Mistake` says what is wrong under which key."""
    try:
        return Rule(text)
    except RuleError as error:
        raise Mistake(str(error), error.hint, key) from error


def expression(text: str, *key: str) -> Value:
    """Return a value; a `Mistake` says what is wrong under which key."""
    try:
        return Value(text)
    except RuleError as error:
        raise Mistake(str(error), error.hint, key) from error
