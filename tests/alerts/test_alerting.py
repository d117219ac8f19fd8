"""Everything that a server has for rules, over a real table: rules from a file, lines that come late or go, upkeep."""

from __future__ import annotations

import time

import polars as pl
import pytest
from sqlalchemy import func, select

from tailrace.alerts.alerting import Alerting
from tailrace.alerts.evaluate.contracts import Answers
from tailrace.alerts.evaluate.service import GONE_S
from tailrace.alerts.evaluate.verdict import Answer
from tailrace.alerts.evaluate.watermarks import Behind
from tailrace.alerts.kept.tables import EVALUATIONS
from tailrace.alerts.settings import AlertSettings
from tailrace.batch import Batch
from tailrace.clock import NS_PER_S as S
from tailrace.clock import ManualClock
from tailrace.control import Control
from tailrace.control.lease import LEASES
from tailrace.engines.polars import PolarsEngine
from tailrace.store.delete import delete
from tailrace.store.deleted import deleted
from tailrace.store.table import LogTable
from tailrace.telemetry import Accounts

MINUTE = 60 * S
START = 1_767_225_600 * S  # 2026-01-01T00:00:00Z
STREAM = '{app="x", host="a"}'
RULES = """
groups:
- name: g
  rules:
  - {alert: A, expr: 'sum by (host) (count_over_time({app="x"} |= "boom" [1m])) > 1'}
"""


class Place:
    """A data folder with a table, a rule file and a server."""

    def __init__(self, folder, rules=RULES, **settings):
        self.folder, self.clock, self.accounts = folder, ManualClock(START), Accounts()
        self.file = folder / "rules.yml"
        if rules:
            self.file.write_text(rules)
        self.table = LogTable.open(folder / "data", create=True)
        self.control = Control.open(folder / "data")
        self.settings = AlertSettings(rule_files=(str(folder / "*.yml"),), **settings)
        self.behind: list[Behind] = []
        self.serve()

    def serve(self):
        self.alerting = Alerting(
            self.settings,
            self.control,
            self.table,
            PolarsEngine(),
            clock=self.clock,
            accounts=self.accounts,
            behind=lambda: self.behind,
            deleted=lambda since, version: deleted(self.table.place, since, version),
            address="http://here:1/",
        )

    def write(self, at_ns, text="boom", count=2):
        """Make lines of a time durable now."""
        frame = pl.DataFrame({"_time_ns": [at_ns] * count}).with_columns(
            pl.lit(self.clock.now_ns()).alias("_observed_ns"),
            pl.lit(STREAM).alias("_stream"),
            pl.lit(text).alias("_line"),
            pl.lit(None, pl.String).alias("_level"),
        )
        self.table.commit([Batch(frame, "test", count, count * len(text))])

    def minutes(self, count):
        for _ in range(count):
            self.clock.advance(60)
            self.round()

    def round(self):
        while self.alerting.service.round():
            pass
        self.alerting.notifier.decide()

    def told(self):
        (rule,) = (rule for group in self.alerting.rules.current() for rule in group.rules)
        return [f"{(one.at_ns - START) // MINUTE} {one.kind}" for one in self.alerting.store.told(rule.id, 0)]

    def counted(self, name):
        families = [one for one in self.accounts.families() if one.name == name]
        return {tuple(point.labels.values()): point.value for family in families for point in family.points}


@pytest.fixture
def place(tmp_path):
    made = []

    def make(**more):
        made.append(Place(tmp_path, **more))
        made[-1].clock.advance(2)
        made[-1].round()
        return made[-1]

    yield make
    for one in made:
        one.control.close()


def test_an_alert_fires_and_is_over(place):
    here = place()
    here.write(START + 30 * S)
    here.minutes(2)
    assert here.told() == ["1 firing", "2 resolved"]
    assert here.counted("tailrace_rule_evaluations_total") == {("empty",): 1, ("value",): 1, ("zero",): 1}
    assert here.counted("tailrace_rules") == {(): 1}


def test_lines_that_come_late_are_made_good(place):
    here = place()
    here.minutes(3)
    here.write(START + 30 * S)
    here.minutes(1)
    assert here.told() == ["1 firing", "2 resolved"]
    assert here.counted("tailrace_rule_corrections_total") == {(): 3}


def test_lines_that_come_in_time_correct_nothing(place):
    here = place()
    for minute in range(3):
        here.write(START + minute * MINUTE + 30 * S)
        here.minutes(1)
    assert here.counted("tailrace_rule_corrections_total") == {}


def test_an_alert_of_lines_that_were_deleted_is_taken_back(place):
    here = place()
    here.write(START + 30 * S)
    here.minutes(2)
    delete(here.table, streams=[STREAM], start_ns=START, end_ns=START + MINUTE, dry_run=False)
    here.minutes(1)
    assert here.told() == ["1 firing", "2 resolved", "1 correction"]


def test_late_lines_are_found_after_a_restart(place):
    here = place()
    here.minutes(2)
    here.write(START + 30 * S)  # and nobody looks before the end
    here.serve()
    here.minutes(1)
    assert here.told() == ["1 firing", "2 resolved"]


def test_a_rule_that_is_no_more_is_forgotten_after_a_while(place):
    here = place()
    here.write(START + 30 * S)
    here.minutes(1)
    (rule,) = here.alerting.store.progress()
    here.file.unlink()
    here.clock.advance(GONE_S / 2)
    here.round()
    assert set(here.alerting.store.alerts()) == {rule}
    here.clock.advance(GONE_S)
    here.round()
    assert here.alerting.store.alerts() == {} == here.alerting.store.progress()
    assert here.alerting.groups() == []


def test_a_rule_whose_file_cannot_be_read_at_a_start_is_not_forgotten(place):
    here = place()
    here.write(START + 30 * S)
    here.minutes(1)
    here.file.write_text("groups: [")
    here.serve()
    for _ in range(5):
        here.minutes(1)
    assert len(here.alerting.store.alerts()) == 1
    here.file.write_text(RULES)
    here.minutes(1)
    assert here.told() == ["1 firing", "2 resolved"]


def test_without_rules_nothing_is_written(place):
    here = place(rules="")
    here.minutes(3)
    with here.control.transaction() as connection:
        assert connection.execute(select(func.count()).select_from(LEASES)).scalar() == 0
        assert connection.execute(select(func.count()).select_from(EVALUATIONS)).scalar() == 0


def test_a_rule_that_fails_three_times_is_an_alert_and_over_when_it_works(place):
    here = place()
    real = here.alerting.evaluator._ask
    here.alerting.evaluator._ask = lambda _, times: Answers({at_ns: Answer(at_ns, error="no") for at_ns in times})
    here.minutes(4)
    (firing,) = [one for group in here.alerting.groups() for rule in group["rules"] for one in rule.get("alerts", ())]
    assert firing["labels"]["alertname"] == "TailraceRuleFailing"
    assert firing["labels"]["rule"] == "A"
    assert "failed" in firing["annotations"]["summary"]
    assert here.counted("tailrace_rule_failures_total") == {(): 4}
    assert list(here.counted("tailrace_rule_consecutive_failures").values()) == [4]
    here.alerting.evaluator._ask = real
    here.minutes(2)
    assert not [one for group in here.alerting.groups() for rule in group["rules"] for one in rule.get("alerts", ())]


def test_a_source_that_is_far_behind_is_missing_and_resolves_nothing(place):
    here = place()
    here.write(START + 30 * S)
    here.minutes(1)
    here.clock.advance(300)
    here.behind = [Behind("files", 600.0)]
    here.minutes(2)
    assert here.told() == ["1 firing"]
    rules = [rule for group in here.alerting.groups() for rule in group["rules"]]
    assert {"A", "TailraceSourceMissing"} <= {one["labels"]["alertname"] for rule in rules for one in rule["alerts"]}
    assert here.counted("tailrace_source_missing") == {("files",): 1}
    here.behind = []
    here.minutes(1)
    assert here.told() == ["1 firing", "2 resolved"]


def test_a_long_log_is_cut_of_plain_rows_first(place):
    here = place()
    here.write(START + 3 * MINUTE + 30 * S)
    here.minutes(10)
    store = here.alerting.store
    assert store.cut(START, most=4) > 0
    with here.control.transaction() as connection:
        rows = connection.execute(select(EVALUATIONS.c.at_ns, EVALUATIONS.c.outcome)).all()
    kept = [((row.at_ns - START) // MINUTE, row.outcome) for row in rows]
    assert {(4, "value"), (5, "zero")} <= set(kept), "an alert, and its end"
    assert kept[-4:] == [(7, "zero"), (8, "zero"), (9, "zero"), (10, "zero")]
    assert len(kept) < 11
    assert store.cut(START + 9 * MINUTE) > 0
    with here.control.transaction() as connection:
        assert connection.execute(select(func.min(EVALUATIONS.c.at_ns))).scalar() == START + 9 * MINUTE


def test_what_rules_link_to(place):
    here = place()
    (rule,) = (rule for group in here.alerting.rules.current() for rule in group.rules)
    link = here.alerting.notifier._link
    assert link(rule.id).startswith("http://here:1/?q=sum+by+%28host%29")
    assert link("tailrace:TailraceRuleFailing") == ""


def test_a_link_is_asked_for_within_a_transaction(place):
    """The notifier does: another look for rules would wait for the end of that transaction, and it for the look."""
    here = place()
    (rule,) = (rule for group in here.alerting.rules.current() for rule in group.rules)
    here.clock.advance(3600)
    began_s = time.monotonic()
    with here.alerting._control.transaction():
        assert here.alerting.notifier._link(rule.id)
    assert time.monotonic() - began_s < 5
