"""Label tests over rows in memory: the whole of LogQL's rules, on labels as text.

In: a condition of `stages.label_filter` and rows. Out: two boolean expressions: which lines pass, and which of
them could not be converted and pass with an error. An absent label drops the line from every test of a quantity.
`and` runs both sides; `or` stops at the first true one, so an error on its right may never be seen.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.query import addresses, values
from tailrace.query.matching import matches
from tailrace.query.rows import DETAILS, ERROR
from tailrace.query.stages.label_filter import All, AnyOf, Comparison, Inside

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tailrace.query.rows import Rows
    from tailrace.query.stages.label_filter import Condition

COMPARE: Final[Mapping[str, Callable[[pl.Expr, float], pl.Expr]]] = {
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}
_READ: Final = {"number": values.number, "duration": values.duration_ns, "bytes": values.byte_count}
_FALSE: Final = pl.lit(value=False)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Which lines pass, and which of them carry a new error."""

    passes: pl.Expr
    failed: pl.Expr = _FALSE


def judge(condition: Condition, rows: Rows) -> Verdict:
    """Return the verdict of a condition on each row."""
    if isinstance(condition, All):
        verdicts = [judge(part, rows) for part in condition.parts]
        return Verdict(
            pl.all_horizontal(verdict.passes for verdict in verdicts),
            pl.any_horizontal(verdict.failed for verdict in verdicts),
        )
    if isinstance(condition, AnyOf):
        whole = Verdict(_FALSE)
        for verdict in (judge(part, rows) for part in condition.parts):
            whole = Verdict(whole.passes | verdict.passes, whole.failed | (~whole.passes & verdict.failed))
        return whole
    if isinstance(condition, Comparison):
        return _compare(condition, rows)
    if isinstance(condition, Inside):
        return _inside(condition, rows)
    return Verdict(matches(condition, pl.lit("") if condition.name == DETAILS else rows.label(condition.name)))


def _inside(test: Inside, rows: Rows) -> Verdict:
    if test.name in (ERROR, DETAILS):
        return Verdict(_FALSE)
    label = rows.series(rows.label(test.name))
    found = addresses.holds(label, test.addresses)
    passes = pl.lit((found if test.op == "=" else ~found).fill_null(value=False))
    return Verdict(passes | rows.label(ERROR).is_not_null())  # a line with an error stays, as upstream


def _compare(test: Comparison, rows: Rows) -> Verdict:
    if test.name in (ERROR, DETAILS):
        return Verdict(_FALSE)  # an error is text: a numeric test on it drops every line
    label = rows.label(test.name)
    read = _READ[test.measure](label)
    failed = label.is_not_null() & read.is_null()
    passes = COMPARE[test.op](read, test.value)
    if test.op != "!=":
        passes &= read.is_not_nan()  # Polars takes NaN as the largest number, Go as none
    return Verdict(passes.fill_null(value=False) | failed, failed)
