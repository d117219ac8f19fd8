"""How a query is answered: its plan as a tree, and what answering it cost, for the Explain tab.

Comes in: the query, its range, and how many lines a page has. Goes out: `Explained`. The plan is `query.explain`'s;
the cost is measured: the query is run once more as the other tabs run it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tailrace.query import parser
from tailrace.query.afresh import afresh
from tailrace.query.explain import INDENT, explain
from tailrace.query.run import Request, run
from tailrace.query.syntax import LogQuery
from tailrace.web.explorer.search import histogram
from tailrace.web.explorer.search.found import FIRST_NS, LAST_NS
from tailrace.web.explorer.texts import query as texts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tailrace.query.result import Stats
    from tailrace.web.explorer.search.spans import Span
    from tailrace.web.services import Services


@dataclass(slots=True)
class Step:
    """One step of the plan: what kind it is, in words, and what it does; the steps within it."""

    name: str
    text: str
    steps: list[Step] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Explained:
    """The plan, what its run cost, and how large the table is that it was run over."""

    steps: Sequence[Step]
    stats: Stats
    complete: bool
    rows: int
    segments: int
    engine: str


def explained(services: Services, query: str, span: Span, limit: int) -> Explained:
    """Return how a query is answered over a range; runs it."""
    asked = _asked(query, span, limit)
    plan = explain(asked, services.table, services.engine)
    answer = run(asked, services.table, services.engine, services.kept)
    frame = afresh(lambda: services.table.snapshot().segments(FIRST_NS, LAST_NS).frame)
    return Explained(
        tree(plan), answer.stats, answer.complete, int(frame["rows"].sum()), frame.height, services.engine.name
    )


def _asked(query: str, span: Span, limit: int) -> Request:
    """Return the request that the tabs of lines and charts make."""
    if isinstance(parser.parse(query), LogQuery):
        return Request(query, span.start_ns, span.end_ns, None, limit)
    grid = histogram.grid(span.start_ns, span.end_ns)
    return Request(query, grid.start_ns, grid.end_ns, grid.step_ns)


def tree(plan: str) -> list[Step]:
    r"""Return the steps of a plan that is written as indented lines.

    >>> tree("time: a up to b\nrate, on frames\n   read: 1 segment")[1].steps
    [Step(name='Read', text='1 segment', steps=[])]
    """
    roots: list[Step] = []
    above: list[Step] = []
    for line in plan.split("\n"):
        text = line.lstrip(" ")
        depth = (len(line) - len(text)) // len(INDENT)
        step = _step(text)
        del above[depth:]
        (above[-1].steps if above else roots).append(step)
        above.append(step)
    return roots


def _step(text: str) -> Step:
    key, colon, rest = text.partition(": ")
    return Step(texts.STEPS[key], rest) if colon and key in texts.STEPS else Step("", text)
