"""What a query gives in a test's world: LogQL from its table, and series by name, which tests alone may ask for.

By name there are `ALERTS` and `ALERTS_FOR_STATE`, what recording rules made, and the `input_series` of the test. A
sample counts for `LOOKBACK_NS` unless the series ended before: as Prometheus has it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tailrace.alerts.unit_tests import notation
from tailrace.batch import stream_labels, stream_text
from tailrace.clock import NS_PER_S
from tailrace.errors import QueryError, TailraceError
from tailrace.query.matching import accepts
from tailrace.query.parser import parse_selector
from tailrace.query.result import Series
from tailrace.query.run import Request, run

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tailrace.alerts.unit_tests.settings import RuleTest
    from tailrace.alerts.unit_tests.world import World

    Found = tuple[Mapping[str, str], float]

LOOKBACK_NS: Final = 5 * 60 * NS_PER_S

_NAME: Final = "__name__"


def ask(world: World, expr: str, test: RuleTest) -> list[Found] | str:
    """Return the samples of a query at the world's time, or why there are none."""
    try:
        if notation.is_series(expr):
            return _by_name(world, expr, test)
        answer = run(Request(expr, world.now_ns, world.now_ns), world.table, world.engine)
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
    return labels.get(_NAME, "") + stream_text({name: value for name, value in labels.items() if name != _NAME})


def _by_name(world: World, expr: str, test: RuleTest) -> list[Found]:
    name, _, rest = expr.strip().partition("{")
    matchers = parse_selector("{" + rest).matchers if rest else ()
    every = [*_alerts(world), *_recorded(world), *_given(world, test)]
    return [
        (labels, value)
        for labels, value in every
        if labels[_NAME] == name.strip() and all(accepts(each, labels.get(each.name, "")) for each in matchers)
    ]


def _alerts(world: World) -> Iterator[Found]:
    for group in world.groups:
        for rule in group.rules:
            for alert in world.alerts(rule).values():
                if alert.state in {"pending", "firing"}:
                    yield {_NAME: "ALERTS", **alert.labels, "alertstate": alert.state}, 1.0
                    yield {_NAME: "ALERTS_FOR_STATE", **alert.labels}, float(alert.active_ns // NS_PER_S)


def _recorded(world: World) -> Iterator[Found]:
    for made in world.recorded.values():
        newest = max((at_ns for at_ns in made if at_ns <= world.now_ns), default=None)
        if newest is not None and world.now_ns - newest < LOOKBACK_NS:
            yield from ((stream_labels(key), value) for key, value in made[newest].items())


def _given(world: World, test: RuleTest) -> Iterator[Found]:
    for series in test.input_series:
        step_ns = test.interval_ns or world.interval_ns
        last = min((world.now_ns - test.start_ns) // step_ns, len(series.values) - 1)
        for number in range(last, -1, -1):
            if test.start_ns + number * step_ns <= world.now_ns - LOOKBACK_NS:
                break
            value = series.values[number]
            if value is not None:
                yield series.series, value
                break
