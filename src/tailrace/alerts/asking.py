"""Ask the table what rules want to know: an expression at many windows in one query.

Comes in: an expression without its threshold, and windows. Goes out: one answer for each. What is wrong with a query,
or takes too long, or is not complete is an answer too: an error, never an empty one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tailrace.alerts.evaluator import Answers
from tailrace.alerts.verdict import Answer
from tailrace.batch import stream_text
from tailrace.errors import QueryError, TailraceError
from tailrace.query.result import Series
from tailrace.query.run import Request, run

if TYPE_CHECKING:
    from tailrace.contracts import Engine, Table

TIMEOUT_S: Final = 60.0
"""Seconds that one query of a rule may take."""


class TableAsk:
    """Asks one table."""

    def __init__(self, table: Table, engine: Engine, timeout_s: float = TIMEOUT_S) -> None:
        self._table = table
        self._engine = engine
        self._timeout_s = timeout_s

    def __call__(self, asked: str, times: range) -> Answers:
        """Return one answer for each time."""
        request = Request(asked, times[0], times[-1], times.step, timeout_s=self._timeout_s, aligned=False)
        try:
            found = run(request, self._table, self._engine)
        except TailraceError as error:
            said = error.one_line() if isinstance(error, QueryError) else str(error)
            return Answers({at_ns: Answer(at_ns, error=said) for at_ns in times})
        assert isinstance(found, Series), "rules are read with numbers only"
        if not found.complete:
            said = "; ".join(found.warnings) or "the answer is not complete"
            return Answers({at_ns: Answer(at_ns, error=said) for at_ns in times}, found.stats.rows)
        values: dict[int, dict[str, float]] = {at_ns: {} for at_ns in times}
        keys = [stream_text(labels) for labels in found.labels]
        for series, at_ns, value in found.frame.iter_rows():
            values[at_ns][keys[series]] = value
        return Answers({at_ns: Answer(at_ns, found_then) for at_ns, found_then in values.items()}, found.stats.rows)
