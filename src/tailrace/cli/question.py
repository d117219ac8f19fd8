"""What a query command asks, from its flags; pure.

A log query without a range is about the whole table: who names a folder expects all of it. A metric query
without an end ends now, and needs a start only when it asks for many points (`--step`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tailrace.cli.span import Span, span
from tailrace.errors import QueryError
from tailrace.query.parser import parse
from tailrace.query.syntax import LogQuery
from tailrace.web.times import MAX_NS, duration_ns, iso

if TYPE_CHECKING:
    from tailrace.cli.options import Direction
    from tailrace.query.run import Request

TIMEOUT_S = 24 * 3_600.0
"""A person at a terminal stops a query by Ctrl-C; this only bounds what is forgotten."""


@dataclass(frozen=True, slots=True)
class Question:
    """A checked query and what it is about."""

    query: str
    span: Span
    step_ns: int | None
    limit: int
    direction: Direction
    everything: bool = False  # all lines of a log query, however many

    def request(self) -> Request:
        """Return the request to the query engine in this process."""
        from tailrace.query.run import Request

        return Request(
            self.query, self.span.start_ns, self.span.end_ns, self.step_ns, self.limit, self.direction, TIMEOUT_S
        )

    def parameters(self) -> dict[str, str]:
        """Return the parameters of the same question to a server."""
        step = {} if self.step_ns is None else {"step": f"{self.step_ns // 10**9}.{self.step_ns % 10**9:09d}"}
        return {
            "query": self.query,
            "start": iso(self.span.start_ns),
            "end": iso(self.span.end_ns),
            "limit": str(self.limit),
            "direction": self.direction,
            **step,
        }


def question(
    query: str,
    now_ns: int,
    *,
    since: str | None = None,
    start: str | None = None,
    end: str | None = None,
    step: str | None = None,
    limit: int = 100,
    direction: Direction = "backward",
) -> Question:
    """Return the checked question, or raise a `QueryError`."""
    tree = parse(query)
    asked = span(since, start, end, now_ns)
    if isinstance(tree, LogQuery):
        if step is not None:
            raise QueryError("--step is for metric queries; this one gives lines")
        return Question(query, asked, None, limit, direction, everything=limit == 0)
    step_ns = None if step is None else duration_ns(step, "--step")
    if step_ns is not None and step_ns <= 0:
        raise QueryError("--step must be more than zero")
    if step_ns is not None and asked.start_ns == -MAX_NS:
        raise QueryError("--step needs a start", hint="add --since 1h, or --from")
    if asked.end_ns == MAX_NS:
        asked = Span(min(asked.start_ns, now_ns), now_ns)
    return Question(query, asked, step_ns, limit, direction)
