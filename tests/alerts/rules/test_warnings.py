"""Warnings of a server's rules: checked once, again when a rule or the streams change, never for long."""

from __future__ import annotations

from dataclasses import replace

import polars as pl
import pytest

from tailrace.alerts.model import Group, Rule
from tailrace.alerts.rules.warnings import FRESH_S, Warnings
from tailrace.clock import ManualClock

MINUTE = 60 * 10**9
RULE = Rule("r", 'sum(rate({app="cart"}[5m])) > 1', "A")


class Table:
    """A table of which only the streams are asked."""

    columns = ("_time_ns", "status")

    def __init__(self, *streams):
        self.streams_now = streams
        self.looks = 0

    def snapshot(self):
        return self

    def segments(self, _start_ns, _end_ns):
        return self

    def streams(self):
        self.looks += 1
        return pl.DataFrame({"_stream": list(self.streams_now)}, schema={"_stream": pl.String}).with_columns(
            max_time_ns=pl.lit(2**62)
        )


class SlowClock(ManualClock):
    """A clock on which each look takes a tenth of a second."""

    def monotonic_s(self):
        self.advance(0.1)
        return super().monotonic_s()


@pytest.fixture
def clock():
    return ManualClock()


def groups(*rules, interval_ns=MINUTE):
    return (Group("n", "g", interval_ns, rules),)


def test_a_rule_that_can_never_fire_is_pointed_out_until_it_can(clock):
    table = Table('{app="shop"}')
    warnings = Warnings(table, clock)
    (said,) = warnings.of(groups(RULE))["r"]
    assert "can never fire" in said
    table.streams_now = ('{app="cart"}',)
    assert warnings.of(groups(RULE)) != {}
    clock.advance(FRESH_S)
    assert warnings.of(groups(RULE)) == {}
    assert table.looks == 2


def test_a_rule_that_changes_is_checked_again(clock):
    warnings = Warnings(Table('{app="cart"}'), clock)
    assert warnings.of(groups(RULE)) == {}
    assert "$.for" in warnings.of(groups(replace(RULE, for_ns=1)))["r"][0]
    assert "$.expr" in warnings.of(groups(RULE, interval_ns=10 * MINUTE))["r"][0]
    assert warnings.of(()) == {}


def test_many_rules_are_checked_over_several_calls():
    warnings = Warnings(Table('{app="shop"}'), SlowClock())
    many = groups(*(replace(RULE, id=str(number)) for number in range(5)))
    found = [len(warnings.of(many)) for _ in range(6)]
    assert found[0] < 5
    assert found == sorted(found)
    assert found[-1] == 5
