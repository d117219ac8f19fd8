"""Alerts: one tick of many rules over many streams, from the table to the durable outcome.

A table holds the lines of the last eleven minutes of 1,000 streams (200 services on five hosts), in one segment per few
seconds, as tailing leaves them. 10,000 rules in 200 groups ask what people ask: rates of words by host, counts of
patterns, of levels, quantiles of a field, the largest, ratios, silence; each with its own selector and threshold, one
in fifty records. Measured is a whole round of the evaluator: queries, states, the transaction. Ticks; two minutes at
once, as after a pause; a line that comes late in every stream, so that all is evaluated again. Held: a tick takes at
most a third of the minute that there is for it.
"""

from __future__ import annotations

import shutil
from random import Random
from typing import TYPE_CHECKING, Final

import polars as pl

from bench.measure import OUT, Plan, Row, Timer, status_mib, verdict
from tailrace.alerts.evaluate.asking import TableAsk
from tailrace.alerts.evaluate.contracts import Complete, Late
from tailrace.alerts.evaluate.evaluator import Evaluator
from tailrace.alerts.kept.recordings import Recordings
from tailrace.alerts.kept.samples import SamplesTable
from tailrace.alerts.kept.store import AlertStore
from tailrace.alerts.model import Group, Rule
from tailrace.batch import Batch
from tailrace.control import Control
from tailrace.control.lease import Lease
from tailrace.engines.polars import PolarsEngine
from tailrace.store.table import LogTable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

S: Final = 10**9
MINUTE: Final = 60 * S
NOW: Final = 1_767_225_600 * S
SERVICES, HOSTS = 200, 5
KEPT_S: Final = 660
SEGMENT_S: Final = 5
WORDS: Final = ("error", "timeout", "refused", "deadlock", "retry", "slow", "login", "payment", "queue", "cache")
BOUND_S: Final = 20.0
STREAMS: Final = tuple(
    f'{{app="a{app}", host="h{host}", source="files"}}' for app in range(SERVICES) for host in range(HOSTS)
)


def measure(plan: Plan) -> list[Row]:
    rate = max(500, plan.rows // 4_000)  # lines a second
    data = OUT / "alerts"
    shutil.rmtree(data, ignore_errors=True)
    table = _table(data, rate, plan.seed)
    control = Control.open(data)
    recordings = Recordings(control, SamplesTable(data))
    lease = Lease(control, "bench")
    ask = TableAsk(table, PolarsEngine(), recorded=recordings)
    evaluator = Evaluator(AlertStore(control, lease), ask, _fill, _complete)
    groups, rows = rules(), []
    late = [Late((stream,), NOW - MINUTE - 1, NOW - MINUTE - 1) for stream in STREAMS]

    def measured(what: str, now_ns: int, does: Callable[[int], int], bound_s: float = BOUND_S) -> None:
        lease.take(now_ns)
        with Timer() as timer:
            done = does(now_ns)
        count = sum(len(group.rules) for group in groups)
        assert done >= count, f"{done} windows of {count} rules"
        lines = rate * 5 * 60
        note = f"{done:,} windows of {count:,} rules, {lines:,} lines in five minutes"
        held, peak = verdict(timer.seconds <= bound_s), status_mib("self", "VmHWM")
        rows.append(Row("alerts", what, timer.seconds, lines, None, timer.cpu_s, peak, verdict=held, note=note))

    def tick(now_ns: int) -> int:
        return evaluator.round(groups, now_ns)

    measured("first tick after a start", NOW - 4 * MINUTE, tick)
    measured("a tick", NOW - 3 * MINUTE, tick)
    measured("a tick later", NOW - 2 * MINUTE, tick)
    measured("two minutes at once", NOW, tick)
    measured("a late line in every stream", NOW, lambda now_ns: evaluator.correct(groups, late, now_ns), 60)
    with Timer() as timer:
        moved = recordings.move(NOW, least_rows=1)
    rows.append(Row("alerts", "moving what was recorded", timer.seconds, moved, cpu_s=timer.cpu_s))
    control.close()
    shutil.rmtree(data)
    return rows


def rules() -> tuple[Group, ...]:
    """Return 200 groups of 50 rules, one group per service."""
    return tuple(_group(number) for number in range(SERVICES))


def _group(number: int) -> Group:
    made = Random(number)
    app = f'app="a{number}"'
    words = [(WORDS[(number + each) % len(WORDS)], ("1m", "5m")[each % 2]) for each in range(16)]
    exprs = [f'sum by (host) (rate({{{app}}} |= "{w}" [{span}])) > {made.randint(1, 50)}' for w, span in words]
    codes = [(each % HOSTS, made.randint(0, 999)) for each in range(10)]
    exprs += [f'sum(count_over_time({{{app}, host="h{h}"}} |~ "E{code}|fatal" [1m])) > 1' for h, code in codes]
    least = [(500 + each % 4, each * 10) for each in range(8)]
    exprs += [f"sum by (level) (count_over_time({{{app}}} | status >= {s} [5m])) > {k}" for s, k in least]
    shares = [((0.5, 0.9, 0.95, 0.99)[each % 4], 900 + each) for each in range(7)]
    exprs += [f"quantile_over_time({q}, {{{app}}} | unwrap duration_ms [5m]) by (host) > {k}" for q, k in shares]
    exprs += [f"topk({k}, sum by (host) (rate({{{app}}}[5m]))) > {k * 10}" for k in range(1, 5)]
    for each in range(3):
        some, every = f'rate({{{app}}} |= "{WORDS[each]}" [5m])', f"rate({{{app}}}[5m])"
        exprs.append(f"sum({some}) / sum({every}) > 0.{each + 1}5")
    exprs.append(f"absent_over_time({{{app}}}[5m])")
    alerts = [Rule(f"{number}/{at}", expr, alert=f"A{at}", for_ns=at % 3 * MINUTE) for at, expr in enumerate(exprs)]
    recorded = Rule(f"{number}/r", f"sum by (host) (rate({{{app}}}[5m]))", record=f"a{number}:lines:rate5m")
    return Group("bench", f"g{number}", MINUTE, (*alerts, recorded))


def _table(data: Path, rate: int, seed: int) -> LogTable:
    """Make a table with the lines of the last minutes, a segment every few seconds."""
    table = LogTable.open(data, create=True)
    height = rate * SEGMENT_S
    for at in range(0, KEPT_S, SEGMENT_S):
        made = Random(seed * 1_000_000 + at)
        number = pl.int_range(height, eager=True)
        times = number * (S // rate) + (NOW - (KEPT_S - at) * S)
        duration = pl.Series([int(made.expovariate(1 / 200)) for _ in range(height)])
        words = pl.Series(made.choices((*WORDS, "ok"), [1] * len(WORDS) + [20], k=height))
        frame = pl.DataFrame(
            {
                "_time_ns": times,
                "_observed_ns": times,
                "_stream": made.choices(STREAMS, k=height),
                "_level": pl.Series(made.choices(("info", "warn", "error"), (90, 8, 2), k=height)),
                "duration_ms": duration,
                "status": pl.Series(made.choices((200, 404, 500, 503), (90, 6, 3, 1), k=height)),
            }
        ).with_columns(
            _line=pl.format(
                "request {} of user {} took {} ms: {} E{}", number, number % 977, duration, words, number % 1000
            ),
            level=pl.col("_level"),
        )
        table.commit([Batch(frame, "bench", height, height * 60)])
    return table


def _fill(templates: Mapping[str, str], labels: Mapping[str, str], value: float, at_ns: int) -> dict[str, str]:  # noqa: ARG001
    return dict(templates)


def _complete(selectors: Sequence[object], now_ns: int) -> Complete:  # noqa: ARG001
    return Complete(now_ns)
