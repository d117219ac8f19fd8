"""Back-tests over a real table, from the query to the report."""

from __future__ import annotations

import json
from dataclasses import replace

import polars as pl
import pytest

from tailrace.alerts.backtest import history, report
from tailrace.alerts.backtest.run import Backtest, windows
from tailrace.alerts.backtest.variants import sweeps_of
from tailrace.alerts.model import Group, Rule
from tailrace.batch import Batch
from tailrace.clock import ManualClock
from tailrace.control import Control
from tailrace.engines.polars import PolarsEngine
from tailrace.errors import QueryError
from tailrace.query.named import SAMPLES
from tailrace.rollups.metrics import Metrics
from tailrace.store.table import LogTable
from tailrace.telemetry import Accounts

S = 10**9
MINUTE = 60 * S
START = 28_000_000 * MINUTE  # 2023-03-28T10:40:00Z
END = START + 10 * MINUTE
EXPR = 'sum by (host) (count_over_time({app="x"}[1m]))'


@pytest.fixture
def backtest(tmp_path):
    """Host a has five lines in each of the windows 3, 4 and 7; host b has one in each."""
    table = LogTable.open(tmp_path, create=True)
    at = [("a", minute, second) for minute in (3, 4, 7) for second in range(5)]
    at += [("b", minute, 0) for minute in range(1, 11)]
    frame = pl.DataFrame(
        {
            "_time_ns": [START + (minute - 1) * MINUTE + (second + 1) * S for _, minute, second in at],
            "_stream": [f'{{app="x", host="{host}"}}' for host, _, _ in at],
            "_line": ["boom" for _ in at],
        }
    ).with_columns(_observed_ns=pl.col("_time_ns"))
    table.commit([Batch(frame, "test", frame.height, 5 * frame.height)])
    return Backtest(table, PolarsEngine(), lambda templates, *_: dict(templates))


def rule(threshold: float = 3, **more) -> tuple[Rule, Group]:
    made = Rule("r", f"{EXPR} > {threshold:g}", "A", **more)
    return made, Group("f", "g", MINUTE, (made,))


def spans(incidents) -> list[tuple[int, int | None]]:
    return [((one.from_ns - START) // MINUTE, one.to_ns and (one.to_ns - START) // MINUTE) for one in incidents]


def test_the_table_tells_when_a_rule_would_have_fired(backtest):
    found = backtest(*rule(), START, END)
    assert spans(found.replay.incidents) == [(3, 5), (7, 8)]
    assert (found.replay.flaps, found.replay.notices, found.rows) == (1, 4, 25)


def test_a_metric_answers_in_the_place_of_lines(backtest, tmp_path):
    """The same incidents and the same numbers, and no line is read for them."""
    control = Control.open(tmp_path)
    metrics = Metrics(control, backtest.table, PolarsEngine(), clock=ManualClock(END), accounts=Accounts())
    metrics.definitions.create("m", EXPR, now_ns=END, backfill_ns=None)
    metrics.keeper.round()
    found = replace(backtest, kept=metrics.kept)(*rule(), START, END)
    assert spans(found.replay.incidents) == [(3, 5), (7, 8)]
    assert found.rows == 0
    control.close()


def test_pieces_of_a_long_span_are_put_together(backtest, monkeypatch):
    monkeypatch.setattr(history, "POINTS_LIMIT", 4)
    assert spans(backtest(*rule(), START, END).replay.incidents) == [(3, 5), (7, 8)]


def test_an_offset_moves_the_lines(backtest):
    made, group = rule()
    moved = Group("f", "g", MINUTE, (made,), query_offset_ns=2 * MINUTE)
    assert spans(backtest(made, moved, START, END).replay.incidents) == [(5, 7), (9, 10)]
    assert group.query_offset_ns == 0


def test_a_sweep_asks_once(backtest, monkeypatch):
    asked = []
    read = history.run
    monkeypatch.setattr(history, "run", lambda *given, **more: asked.append(given) or read(*given, **more))
    found = backtest(*rule(), START, END, sweeps=sweeps_of(["threshold=0,3", "for=0s,1m"]))
    assert [(said, len(each.incidents)) for said, each in found.variants] == [
        ("threshold=0 for=0s", 3),
        ("threshold=0 for=1m", 2),
        ("threshold=3 for=0s", 2),
        ("threshold=3 for=1m", 1),
    ]
    assert len(asked) == 1


def test_two_versions_are_compared(backtest):
    found = backtest(*rule(for_ns=MINUTE), START, END, before=rule())
    assert found.difference is not None
    assert spans(found.difference.only_before) == [(7, 8)]
    assert (len(found.difference.both), found.difference.only_after) == (1, ())


def test_a_new_name_is_no_difference(backtest):
    old = Rule("r", f"{EXPR} > 3", "Before")
    found = backtest(*rule(), START, END, before=(old, Group("f", "g", MINUTE, (old,))))
    assert found.difference is not None
    assert (found.difference.only_before, found.difference.only_after) == ((), ())


def test_json_has_it_all(backtest):
    found = report.as_json(backtest(*rule(), START, END, sweeps=sweeps_of(["for=0s"]), before=rule(for_ns=MINUTE)))
    assert json.loads(json.dumps(found)) == found
    assert (found["fired"], found["firing_s"], found["longest_s"], found["windows"]) == (2, 180.0, 120.0, 11)
    assert found["incidents"][0] == {
        "labels": {"alertname": "A", "host": "a"},
        "active": "2023-03-28T10:43:00Z",
        "fired": "2023-03-28T10:43:00Z",
        "resolved": "2023-03-28T10:45:00Z",
        "seconds": 120.0,
        "value": 5.0,
    }
    assert [one["settings"] for one in found["sweep"]] == ["for=0s"]
    assert found["difference"]["both"] == 1
    assert [one["fired"] for one in found["difference"]["only_after"]] == ["2023-03-28T10:47:00Z"]


def test_people_read_it(backtest):
    said = list(report.lines(backtest(*rule(), START, END, sweeps=sweeps_of(["threshold=3,9"]))))
    assert said[:-1] == [
        "A: 2023-03-28T10:40:00Z to 2023-03-28T10:50:00Z, 11 windows, one each 1m",
        "  fired 2 times, 3m in all, longest 2m, 4 notices, 1 flap",
        '    2023-03-28T10:43:00Z  2m         {alertname="A", host="a"} 5',
        '    2023-03-28T10:47:00Z  1m         {alertname="A", host="a"} 5',
        "sweep:",
        "  threshold=3  fired 2 times, 3m in all, longest 2m, 4 notices, 1 flap",
        "  threshold=9  never fired; true in 0 windows",
    ]
    assert said[-1].startswith("25 rows read, ")


def test_a_recording_rule_is_refused(backtest):
    made = Rule("r", EXPR, record="a:b")
    with pytest.raises(QueryError, match="never fires"):
        backtest(made, Group("f", "g", MINUTE, (made,)), START, END)


@pytest.mark.parametrize(("end", "what"), [(START - 1, "no window"), (START + 10**7 * MINUTE, "windows in this time")])
def test_too_little_and_too_much_time_is_refused(end, what):
    with pytest.raises(QueryError, match=what):
        windows(rule()[1], START, end)


def test_a_rule_on_a_recorded_series_is_tested_on_what_was_recorded(backtest):
    class Recorded:
        def samples(self, name: str, start_ns: int, end_ns: int) -> pl.DataFrame:
            rows = [(f'{{__name__="{name}"}}', START + tick * MINUTE, float(tick), False) for tick in range(11)]
            found = pl.DataFrame(rows, schema=SAMPLES, orient="row")
            return found.filter(pl.col("_time_ns") >= start_ns, pl.col("_time_ns") < end_ns)

    made = Rule("r", "x:lines > 8", "A")
    named = replace(backtest, recorded=Recorded())
    assert spans(named(made, Group("f", "g", MINUTE, (made,)), START, END).replay.incidents) == [(9, None)]
