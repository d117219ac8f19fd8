"""What a query gives in a test's world, at the time on its clock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tailrace.batch import stream_text
from tailrace.errors import QueryError, TailraceError
from tailrace.query.named import NAME
from tailrace.query.result import Series
from tailrace.query.run import Request, run

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tailrace.alerts.unit_tests.world import World

    Found = tuple[Mapping[str, str], float]


def ask(world: World, expr: str) -> list[Found] | str:
    """Return the samples of a query, or why there are none."""
    try:
        answer = run(Request(expr, world.now_ns, world.now_ns), world.table, world.engine, recorded=world.series)
    except QueryError as error:
        return error.one_line()
    except TailraceError as error:
        return str(error)
    if not isinstance(answer, Series):
        return "this query gives lines, and a test compares numbers"
    return [(answer.labels[series], value) for series, _, value in answer.frame.iter_rows()]


def text(labels: Mapping[str, str]) -> str:
    """Return a series as it is written.

    >>> text({"__name__": "up", "job": "a"}), text({})
    ('up{job="a"}', '{}')
    """
    return labels.get(NAME, "") + stream_text({name: value for name, value in labels.items() if name != NAME})
