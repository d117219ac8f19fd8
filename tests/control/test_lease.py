"""The lease: one server at a time, at once after a death that can be seen, and no writing without it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tailrace.control import Control
from tailrace.control import holder as module
from tailrace.control.holder import holder, is_gone
from tailrace.control.lease import LEASE_NS, Held, Lease, LeaseLostError, held
from tailrace.control.postgres import PostgreSQL
from tailrace.database_url import DatabaseUrl

S = 10**9
NOW = 1000 * S


@pytest.fixture
def control(place, monkeypatch):
    monkeypatch.setattr(PostgreSQL, "now_ns", lambda _kind, _connection, own_ns: own_ns)  # times here are made up
    made = place.open()
    yield made
    made.close()


def assured(control, lease, now_ns):
    try:
        with control.transaction() as connection:
            lease.assure(connection, now_ns)
    except LeaseLostError:
        return False
    return True


def test_one_has_it_until_its_end(control):
    one, two = Lease(control, "one"), Lease(control, "two")
    assert one.take(NOW)
    assert one.fresh
    assert not two.take(NOW + LEASE_NS - 1)
    assert two.take(NOW + LEASE_NS)
    assert not assured(control, one, NOW + LEASE_NS), "however sure it is"
    assert not one.take(NOW + LEASE_NS)


def test_it_is_renewed_before_its_end_and_not_each_time(control):
    lease = Lease(control, "one")
    lease.take(NOW)
    with control.transaction() as connection:
        before = connection.exec_driver_sql("select until_ns from leases").scalar()
    assert lease.take(NOW + 5 * S)
    with control.transaction() as connection:
        assert connection.exec_driver_sql("select until_ns from leases").scalar() == before
    assert lease.take(NOW + 15 * S)
    assert not lease.fresh, "what was read before is still true"
    with control.transaction() as connection:
        assert connection.exec_driver_sql("select until_ns from leases").scalar() == before + 15 * S


def test_it_is_kept_while_a_round_takes_long_and_not_taken_back_by_that(control):
    one, two = Lease(control, "one"), Lease(control, "two")
    one.take(NOW)
    one.renew(NOW + 20 * S)
    assert not two.take(NOW + 40 * S)
    assert two.take(NOW + 51 * S)
    one.renew(NOW + 52 * S)
    assert assured(control, two, NOW + 52 * S)
    assert not assured(control, one, NOW + 52 * S)


def test_it_is_given_back(control):
    one, two = Lease(control, "one"), Lease(control, "two")
    one.take(NOW)
    one.release()
    assert two.take(NOW + 1)


def test_one_of_a_clock_that_was_wrong_is_no_lease(control):
    Lease(control, "one").take(NOW + 10_000 * S)
    assert Lease(control, "two").take(NOW)


def test_the_lease_of_a_process_that_died_is_taken_at_once(control):
    words = "from tailrace.control.holder import holder; print(holder())"
    dead = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, check=True).stdout.strip()
    assert is_gone(dead)
    Lease(control, dead).take(NOW)
    assert Lease(control, holder()).take(NOW + 1)


def test_the_lease_of_a_process_that_lives_is_not(control):
    mine = holder()
    assert not is_gone(mine)
    Lease(control, mine).take(NOW)
    assert not Lease(control, holder()).take(NOW + 1)


@pytest.mark.parametrize("name", ["one", "host/12/ab", "other-boot/pid:[1]/1/5/ab", ""])
def test_nothing_is_said_of_processes_elsewhere(name):
    assert not is_gone(name)


def test_where_the_system_says_nothing_a_name_is_unique_all_the_same(monkeypatch, tmp_path):
    monkeypatch.setattr(module, "_BOOT", tmp_path / "none")
    assert holder() != holder()
    assert not is_gone(holder())


@pytest.mark.parametrize("apart_ns", [600 * S, -600 * S])
def test_clocks_of_servers_on_postgresql_may_be_minutes_apart(database, tmp_path, apart_ns):
    control = Control.open(tmp_path, DatabaseUrl(database))
    one, two = Lease(control, "one"), Lease(control, "two")
    assert one.take(NOW)
    assert not two.take(NOW + apart_ns)
    assert assured(control, one, NOW + apart_ns), "its own clock was set"
    assert one.holds(NOW + LEASE_NS - 1)
    assert not one.holds(NOW + LEASE_NS)
    with control.transaction() as connection:  # as if it had been silent for as long
        connection.exec_driver_sql(f"update leases set until_ns = until_ns - {LEASE_NS}")
    assert not assured(control, one, NOW)
    assert two.take(NOW + apart_ns)
    assert not one.take(NOW)
    control.close()


def test_all_leases_are_told_with_those_that_ran_out(control):
    Lease(control, "one", job="rollups", server="https://one/").take(NOW)
    Lease(control, "two", job="alerts").take(NOW - LEASE_NS)
    assert held(control, NOW) == [
        Held("alerts", "two", NOW, over=True),
        Held("rollups", "https://one/", NOW + LEASE_NS, over=False),
    ]
