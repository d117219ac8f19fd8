"""A rule tried on the lines that are stored: what its expression was, and when it would have fired.

The preview and the back-test are the same over different spans. Comes in: a group as it would be saved. Goes out: a
`Trial`. Raises `QueryError` for what cannot be asked. Costs one query over the span, and a replay of the windows in
which something was wrong.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from tailrace.alerts.backtest.history import History
from tailrace.alerts.backtest.replay import Replay, replay
from tailrace.alerts.backtest.run import windows
from tailrace.alerts.evaluate.asking import TableAsk
from tailrace.alerts.notify.alerts import fingerprint
from tailrace.alerts.notify.message import Message, usual
from tailrace.alerts.notify.model import Notification, ToldAlert
from tailrace.alerts.rules.book import parsed
from tailrace.alerts.rules.expressions import Expression, expression
from tailrace.alerts.rules.templates import Templates
from tailrace.batch import stream_labels
from tailrace.clock import NS_PER_S
from tailrace.web.explorer.alerts.desk import NAMESPACE
from tailrace.web.explorer.alerts.drawing import Drawing, drawing

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tailrace.alerts.model import Group, Rule
    from tailrace.web.explorer.alerts.desk import Desk

LOOK_NS: Final = 6 * 3_600 * NS_PER_S
"""How far back a preview looks."""
DAYS: Final = 30
"""How far back a back-test looks."""
_POINTS: Final = 500  # of a chart that shows how a rule was, not when it would have fired


@dataclass(frozen=True, slots=True)
class Trial:
    """What a rule would have done."""

    rule: Rule
    group: Group
    asked: Expression
    found: Replay
    drawing: Drawing
    start_ns: int
    end_ns: int
    rows: int
    seconds: float

    @property
    def span_ns(self) -> int:
        """How much time it was tried on."""
        return self.end_ns - self.start_ns + self.group.interval_ns

    @property
    def longest_ns(self) -> int:
        """How long it fired at a stretch, at most."""
        return max((one.lasted_ns(self.end_ns) for one in self.found.incidents), default=0)


def made(group: Mapping[str, Any], place: int = 0) -> tuple[Rule, Group]:
    """Return the rule of a group as it would be saved; all that is wrong with it is a `DataError`."""
    (read,) = parsed(NAMESPACE, group)
    return read.rules[place], read


def trial(desk: Desk, rule: Rule, group: Group, span_ns: int, cancelled: Callable[[], bool]) -> Trial:
    """Try a rule on the span of time up to now."""
    began, asked, now_ns = time.perf_counter(), expression(rule.expr), desk.now_ns()
    times = windows(group, now_ns - span_ns, now_ns)
    history = _history(desk, asked, times, group, cancelled)
    found = replay(rule, group, history, _fill(desk))
    drawn = drawing(history.samples, times, asked.op, asked.threshold, found.incidents, asked.silent)
    seconds = time.perf_counter() - began
    return Trial(rule, group, asked, found, drawn, times[0], times[-1], history.rows, seconds)


def curve(desk: Desk, rule: Rule, group: Group, span_ns: int, cancelled: Callable[[], bool]) -> Drawing:
    """Return what a rule's expression was over the span of time up to now, with its threshold."""
    asked, now_ns = expression(rule.expr), desk.now_ns()
    step = group.interval_ns * max(1, -(-span_ns // group.interval_ns // _POINTS))
    times = range((now_ns - span_ns) // step * step + step, now_ns // step * step + 1, step)
    history = _history(desk, asked, times, group, cancelled)
    return drawing(history.samples, times, asked.op, asked.threshold, silent=asked.silent)


def _history(desk: Desk, asked: Expression, times: range, group: Group, cancelled: Callable[[], bool]) -> History:
    table, engine, offset_ns = desk.services.table, desk.services.engine, group.query_offset_ns
    recorded, kept = desk.services.recordings, desk.services.kept
    return History.read(table, engine, asked.asked, times, offset_ns, cancelled, recorded, kept)


def notice(desk: Desk, tried: Trial) -> Message:
    """Return what people would read when the rule fires: of the last time it would have, or of a made-up one."""
    rule, now_ns = tried.rule, desk.now_ns()
    if tried.found.incidents:
        last = tried.found.incidents[-1]
        labels, value, at_ns = dict(stream_labels(last.key)), last.value, last.from_ns
    else:
        labels, value, at_ns = {"alertname": rule.alert, **rule.labels}, tried.asked.threshold, now_ns
    notes = _fill(desk)(rule.annotations, labels, value, at_ns)
    alert = ToldAlert("firing", labels, notes, at_ns, 0, "", fingerprint(labels), value)
    return usual(Notification("", "", {}, labels, notes, (alert,), "", "", at_ns, "first"))


def _fill(desk: Desk) -> Templates:
    services = desk.services
    return Templates(TableAsk(services.table, services.engine, recorded=services.recordings), services.clock)
