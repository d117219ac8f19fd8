"""One back-test from end to end: the numbers are asked once per expression, and every variant is replayed over them.

Comes in: a rule, its group, a span of time, what to try. Goes out: a `Report`. Raises `QueryError` for what cannot be
answered; a span that begins before the table does costs nothing.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from tailrace.alerts.backtest.history import History
from tailrace.alerts.backtest.replay import Replay, replay
from tailrace.alerts.backtest.variants import Difference, difference, variants
from tailrace.alerts.rules.expressions import expression
from tailrace.batch import stream_labels, stream_text
from tailrace.errors import QueryError
from tailrace.query.reads import nobody

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tailrace.alerts.backtest.variants import Knob
    from tailrace.alerts.evaluate.contracts import Fill
    from tailrace.alerts.model import Group, Rule
    from tailrace.contracts import Engine, Table
    from tailrace.query.kept import Kept
    from tailrace.query.named import Recorded

WINDOWS: Final = 1_000_000
"""Windows of one back-test."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a rule would have done, what its variants would have, and what another version would have done."""

    replay: Replay
    group: Group
    variants: tuple[tuple[str, Replay], ...] = ()
    before: Replay | None = None
    difference: Difference | None = None
    rows: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Backtest:
    """Tests rules on what one table holds; `fill` expands the labels' templates."""

    table: Table
    engine: Engine
    fill: Fill
    cancelled: Callable[[], bool] = nobody  # asked while queries run: true ends them
    recorded: Recorded | None = None  # series that rules may name
    kept: Kept | None = None  # what may stand in for lines

    def __call__(
        self,
        rule: Rule,
        group: Group,
        start_ns: int,
        end_ns: int,
        *,
        sweeps: Mapping[Knob, Sequence[float]] | None = None,
        before: tuple[Rule, Group] | None = None,
    ) -> Report:
        """Return what a rule would have done between two times; `before` is a version to compare it with."""
        if rule.record:
            raise QueryError(f"{rule.record!r} is recorded and never fires", hint="name an alerting rule")
        began = time.perf_counter()
        read: dict[tuple[str, range, int], History] = {}

        def replayed(one: Rule, its: Group) -> Replay:
            asked, times = expression(one.expr).asked, windows(its, start_ns, end_ns)
            key = asked, times, its.query_offset_ns
            if key not in read:
                read[key] = History.read(self.table, self.engine, *key, self.cancelled, self.recorded, self.kept)
            return replay(one, its, read[key], self.fill)

        found = replayed(rule, group)
        tried = [(said, replayed(each, group)) for said, each in variants(rule, sweeps)] if sweeps else []
        old = None if before is None else replayed(*before)
        named = None if old is None else _named(old, rule)
        return Report(
            found,
            group,
            tuple(tried),
            old,
            None if named is None else difference(named.incidents, found.incidents),
            sum(history.rows for history in read.values()),
            time.perf_counter() - began,
        )


def windows(group: Group, start_ns: int, end_ns: int) -> range:
    """Return the windows of a group between two times, both included; refuse none, and too many.

    >>> from tailrace.alerts.model import Group
    >>> windows(Group("f", "g", 60, ()), 61, 300)
    range(120, 301, 60)
    """
    step_ns = group.interval_ns
    times = range(-(-start_ns // step_ns) * step_ns, end_ns // step_ns * step_ns + 1, step_ns)
    if not times:
        raise QueryError("no window of the rule ends in this span of time", hint="ask for more time")
    if len(times) > WINDOWS:
        hint = "ask for less time, or evaluate it less often"
        raise QueryError(f"the rule has {len(times):,} windows in this time, {WINDOWS:,} are allowed", hint=hint)
    return times


def _named(old: Replay, rule: Rule) -> Replay:
    """Return what an older version did as if it had the new one's name: a new name alone is no difference."""
    if old.rule.alert == rule.alert:
        return old
    renamed = [
        replace(one, key=stream_text({**stream_labels(one.key), "alertname": rule.alert})) for one in old.incidents
    ]
    return replace(old, incidents=renamed)
