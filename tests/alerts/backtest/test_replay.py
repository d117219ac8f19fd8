"""Replays: worked out by hand, and equal to what the evaluator does window after window, whatever the values are."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.world import MINUTE
from tailrace.alerts.backtest.history import History
from tailrace.alerts.backtest.replay import replay
from tailrace.alerts.evaluate.contracts import Answers, Complete
from tailrace.alerts.evaluate.evaluator import Evaluator
from tailrace.alerts.evaluate.verdict import Answer
from tailrace.alerts.kept.store import AlertStore
from tailrace.alerts.model import Group, Rule, Told
from tailrace.control import Control
from tailrace.control.lease import Lease

START = 1_000_000 * MINUTE
COUNT = 'sum by (host) (count_over_time({app="x"}[1m]))'
NUMBER = 'max by (host) (max_over_time({app="x"} | unwrap v [1m]))'


def history(**series: str) -> History:
    """Return the samples of hosts: a number for each window, or `-`."""
    rows = [
        (START + number * MINUTE, f'{{host="{host}"}}', float(value))
        for host, values in series.items()
        for number, value in enumerate(values.split())
        if value != "-"
    ]
    schema = {"_time_ns": pl.Int64, "key": pl.String, "value": pl.Float64}
    samples = pl.DataFrame(rows, schema=schema, orient="row").sort("_time_ns", "key")
    ticks = max(len(values.split()) for values in series.values())
    return History(range(START, START + ticks * MINUTE, MINUTE), samples)


def fill(templates, labels, value, at_ns):
    return {name: text.replace("$host", labels.get("host", "")) for name, text in templates.items()}


def replayed(rule: Rule, past: History):
    return replay(rule, Group("f", "g", MINUTE, (rule,)), past, fill)


def incidents(found) -> list[str]:
    return [
        f"{one.key} {(one.from_ns - START) // MINUTE} {'…' if one.to_ns is None else (one.to_ns - START) // MINUTE}"
        for one in found.incidents
    ]


def test_an_incident_has_its_times_and_its_value():
    found = replayed(Rule("r", f"{COUNT} > 1", "A", for_ns=MINUTE), history(a="0 2 3 4 0 0"))
    (one,) = found.incidents
    assert [(at_ns - START) // MINUTE for at_ns in (one.active_ns, one.from_ns, one.to_ns)] == [1, 2, 4]
    assert (one.value, one.lasted_ns(0)) == (3.0, 2 * MINUTE)
    assert (found.true_windows, found.notices, found.flaps, found.pending_only) == (3, 2, 0, 0)


def test_what_still_fires_has_no_end():
    found = replayed(Rule("r", f"{COUNT} > 1", "A"), history(a="0 2 2"))
    assert incidents(found) == ['{alertname="A", host="a"} 1 …']
    assert (found.notices, found.firing_ns) == (1, MINUTE)


def test_a_short_burst_is_pending_only():
    found = replayed(Rule("r", f"{COUNT} > 1", "A", for_ns=2 * MINUTE), history(a="2 2 0 2 0 2 2 2"))
    assert incidents(found) == ['{alertname="A", host="a"} 7 …']
    assert found.pending_only == 2


def test_an_alert_that_comes_back_soon_flaps():
    found = replayed(Rule("r", f"{COUNT} > 1", "A"), history(a="2 0 2 " + "0 " * 17 + "2"))
    assert incidents(found) == [f'{{alertname="A", host="a"}} {span}' for span in ("0 1", "2 3", "20 …")]
    assert found.flaps == 1


def test_labels_are_expanded():
    found = replayed(Rule("r", f"{COUNT} > 1", "A", labels={"on": "$host"}), history(a="2"))
    assert incidents(found) == ['{alertname="A", host="a", on="a"} 0 …']


def test_silence_of_a_known_series_is_zero():
    found = replayed(Rule("r", f"{COUNT} < 2", "A"), history(a="5 5 - 5 5", b="5 5 5 5 5"))
    assert incidents(found) == ['{alertname="A", host="a"} 2 3']


def test_windows_that_fail_are_counted():
    rule = Rule("r", f"{COUNT} > 1", "A", labels={"host": "all"})
    found = replayed(rule, history(a="2 2 0", b="0 2 2"))
    assert list(found.errors.values()) == [1]
    assert incidents(found) == ['{alertname="A", host="all"} 0 …']


values = st.lists(st.sampled_from(["-", "0", "1", "2", "5"]), min_size=12, max_size=12).map(" ".join)
rules = st.builds(
    Rule,
    st.just("r"),
    st.builds("{} {} 1".format, st.sampled_from([COUNT, NUMBER]), st.sampled_from([">", "<", ">=", "==", "!="])),
    st.just("A"),
    for_ns=st.sampled_from([0, MINUTE, 3 * MINUTE]),
    keep_firing_for_ns=st.sampled_from([0, 2 * MINUTE]),
    no_data=st.sampled_from([None, "zero", "alert", "ok", "keep"]),
    absent_for_ns=st.sampled_from([0, 0, 2 * MINUTE]),
)


@settings(max_examples=60, deadline=None)
@given(rules, values, values)
def test_a_replay_does_what_the_evaluator_does(tmp_path_factory, rule, first, second):
    past = history(a=first, b=second)
    control = Control.open(tmp_path_factory.mktemp("control"))
    lease = Lease(control, "one")
    lease.take(START)
    store = AlertStore(control, lease)

    def ask(_asked, times):
        return Answers({at_ns: Answer(at_ns, past.at(at_ns)) for at_ns in times})

    evaluator = Evaluator(store, ask, fill, lambda _selectors, now_ns: Complete(now_ns))
    group = Group("f", "g", MINUTE, (rule,))
    for at_ns in past.times:
        lease.take(at_ns)
        evaluator.round((group,), at_ns)
    told = store.told("r", 0)
    control.close()
    found = replayed(rule, past)
    expected = [Told(one.key, "firing", one.from_ns) for one in found.incidents]
    expected += [Told(one.key, "resolved", one.to_ns) for one in found.incidents if one.to_ns is not None]
    assert sorted(told, key=repr) == sorted(expected, key=repr)


@pytest.mark.parametrize("op", [">", ">=", "<", "<=", "==", "!="])
def test_every_comparison_is_looked_up_in_the_columns(op):
    found = replayed(Rule("r", f"{COUNT} {op} 2", "A", no_data="ok"), history(a="1 2 3"))
    true = {">": [2], ">=": [1, 2], "<": [0], "<=": [0, 1], "==": [1], "!=": [0, 2]}[op]
    assert found.true_windows == len(true)
