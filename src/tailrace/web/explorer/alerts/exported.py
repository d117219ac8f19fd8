"""A rule as files: one that `alerts.rule_files` takes, and a test of it that `tailrace alerts test` runs.

The test repeats lines that are stored, one of each query that the rule counts, often enough to cross the threshold
where the form's sentence says how often that is. It is played once here, by the evaluator of rule tests, and says what
the rule did: so it passes as it is, and fails when the rule is changed in what it does.
"""

from __future__ import annotations

import math
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tailrace.alerts.unit_tests.settings import RuleTest
from tailrace.alerts.unit_tests.world import World
from tailrace.batch import stream_text
from tailrace.clock import NS_PER_S
from tailrace.errors import QueryError, QueryTimeoutError
from tailrace.query.literals import write_duration
from tailrace.query.parser import parse
from tailrace.query.result import META, STREAM, Lines
from tailrace.query.run import Request, run
from tailrace.query.syntax import LogQuery, RangeAggregation
from tailrace.web.explorer.alerts import sentences, trial
from tailrace.web.explorer.alerts.links import walk
from tailrace.web.explorer.texts import alerts as texts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tailrace.alerts.model import Alert, Group, Rule
    from tailrace.web.explorer.alerts.desk import Desk

    Json = dict[str, Any]  # YAML: nested, of several kinds

_LOOK_NS: Final = 30 * 86_400 * NS_PER_S
_LINES_MOST: Final = 100_000
WINDOWS: Final = 10_000
"""Evaluations of a test, about a week of minutes. Each costs about a millisecond, here and whenever the test is run."""
_WORDS: Final = re.compile(r"[^A-Za-z0-9_-]+")


def file_name(name: str, kind: str) -> str:
    """Return the name of a file for a rule.

    >>> file_name("Cart: timed out!", "rules")
    'cart-timed-out.rules.yaml'
    """
    return f"{_WORDS.sub('-', name).strip('-').lower() or 'alert'}.{kind}.yaml"


def rules(group: Mapping[str, Any]) -> Json:
    """Return the file of rules."""
    return {"groups": [dict(group)]}


def test(desk: Desk, definition: Mapping[str, Any], cancelled: Callable[[], bool]) -> Json:
    """Return the file of a test."""
    rule, group = trial.made(definition)
    said, ranges = sentences.recognised(rule.expr), _ranges(rule.expr)
    window_ns = max((far for _, far in ranges), default=group.interval_ns)
    active_ns = rule.for_ns + window_ns + 2 * group.interval_ns
    logs = [found for query, far in ranges if (found := _sample(desk, query, far, said, active_ns, cancelled))]
    at_ns = active_ns // group.interval_ns * group.interval_ns
    over_ns = active_ns + window_ns + rule.keep_firing_for_ns
    after_ns = (over_ns // group.interval_ns + 2) * group.interval_ns
    if after_ns // group.interval_ns > WINDOWS:
        many = after_ns // group.interval_ns
        raise QueryError(texts.LONG_TEST.format(many=many, most=WINDOWS), hint=texts.LONG_TEST_HINT)
    played = _played(rule, group, logs, (at_ns, after_ns), cancelled)
    checks = [
        {"eval_time": write_duration(at), "alertname": rule.alert, "exp_alerts": [_expected(one) for one in alerts]}
        for at, alerts in played
    ]
    return {
        "rule_files": [file_name(rule.alert, "rules")],
        "evaluation_interval": write_duration(group.interval_ns),
        "tests": [{"name": rule.alert, "input_logs": logs, "alert_rule_test": checks}],
    }


def _ranges(expr: str) -> list[tuple[str, int]]:
    """Return the queries that an expression counts, each once, and how far it looks back in them."""
    tree = parse(expr, names=True)
    parts = [] if isinstance(tree, LogQuery) else [one for one in walk(tree) if isinstance(one, RangeAggregation)]
    return list({str(one.range.log): one.range.range_ns for one in parts}.items())


def _sample(
    desk: Desk, query: str, far_ns: int, said: sentences.Sentence | None, span_ns: int, cancelled: Callable[[], bool]
) -> Json | None:
    """Return the newest line of a query, repeated; None if there is none."""
    now_ns = desk.now_ns()
    asked = Request(query, now_ns - _LOOK_NS, now_ns, limit=1, cancelled=cancelled)
    answer = run(asked, desk.services.table, desk.services.engine)
    assert isinstance(answer, Lines), "what a range counts are lines"
    if answer.frame.is_empty():
        return None
    row = answer.frame.row(0, named=True)
    fields = {name.removeprefix(META): text for name, text in row.items() if name.startswith(META) and text is not None}
    stream = {name.removeprefix(STREAM): text for name, text in row.items() if name.startswith(STREAM) and text}
    count, more = _enough(said, far_ns)
    unit_ns = NS_PER_S if far_ns // count >= NS_PER_S else NS_PER_S // 1_000  # as durations are written
    every_ns = max(unit_ns, far_ns // count // unit_ns * unit_ns)
    lines: Json = {
        "text": row["_line"],
        "every": write_duration(every_ns),
        "count": min(span_ns // every_ns, _LINES_MOST),
    }
    given = {**{name: text for name, text in fields.items() if name != "detected_level"}, **more}
    return {"stream": stream_text(stream), "lines": [{**lines, **({"fields": given} if given else {})}]}


def _enough(said: sentences.Sentence | None, far_ns: int) -> tuple[int, Json]:
    """Return how many lines of a window cross the threshold, and fields that do, as far as the sentence says."""
    if said is None:
        return 10, {}
    value = float(said.n.removesuffix("%"))
    if said.measure == "value":
        return 10, {said.of: value + (1 if said.cmp in {"above", "at least"} else -1)}
    per_window = value * far_ns / NS_PER_S if said.measure == "rate" else value if said.measure == "count" else 10
    return min(max(1, math.floor(per_window) + 2), 10_000), {}


def _played(
    rule: Rule, group: Group, logs: list[Json], times: tuple[int, ...], cancelled: Callable[[], bool]
) -> list[tuple[int, list[Alert]]]:
    """Return the alerts that fire at times, when the lines come in."""
    played = RuleTest.model_validate({"input_logs": logs})
    found = list[tuple[int, "list[Alert]"]]()
    with tempfile.TemporaryDirectory(prefix="tailrace-rules-") as folder:
        world = World(Path(folder), (group,), played, group.interval_ns)
        try:
            for at_ns in range(0, max(times) + 1, group.interval_ns):
                if cancelled():
                    raise QueryTimeoutError(texts.NOBODY_WAITS)
                world.go_to(at_ns)
                if at_ns in times:
                    found.append((at_ns, [one for one in world.alerts(rule).values() if one.state == "firing"]))
        finally:
            world.close()
    return found


def _expected(alert: Alert) -> Json:
    labels = {name: text for name, text in alert.labels.items() if name != "alertname"}
    return {"exp_labels": labels, **({"exp_annotations": dict(alert.annotations)} if alert.annotations else {})}
