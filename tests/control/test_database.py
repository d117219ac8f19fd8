"""The control database: one writer at a time, all or nothing, and there again after a restart."""

from __future__ import annotations

import sqlite3
import threading
import time

import pytest
from sqlalchemy import Column, Integer, Table, insert, select, update

from tailrace.control import METADATA, Control
from tailrace.errors import DataError, TableError, TransientError

COUNTS = Table("test_counts", METADATA, Column("id", Integer, primary_key=True), Column("n", Integer))


@pytest.fixture
def control(tmp_path):
    opened = Control.open(tmp_path)
    with opened.transaction() as connection:
        connection.execute(insert(COUNTS).values(id=1, n=0))
    yield opened
    opened.close()


def count(control):
    with control.transaction() as connection:
        return connection.execute(select(COUNTS.c.n)).scalar_one()


def test_what_was_committed_is_there_after_a_restart(control, tmp_path):
    with control.transaction() as connection:
        connection.execute(update(COUNTS).values(n=7))
    control.close()
    again = Control.open(tmp_path)
    assert count(again) == 7
    again.close()


def test_a_failure_leaves_nothing(control):
    def halfway():
        with control.transaction() as connection:
            connection.execute(update(COUNTS).values(n=7))
            raise ValueError("halfway")

    with pytest.raises(ValueError, match="halfway"):
        halfway()
    assert count(control) == 0


def test_what_was_read_is_true_when_it_is_written(control):
    """Fifty additions by each of four threads: a transaction that began to read before another wrote would lose one."""

    def add():
        for _ in range(50):
            with control.transaction() as connection:
                n = connection.execute(select(COUNTS.c.n)).scalar_one()
                connection.execute(update(COUNTS).values(n=n + 1))

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert count(control) == 200


def test_a_newer_database_is_refused(control, tmp_path):
    control.close()
    with sqlite3.connect(tmp_path / "control.sqlite") as connection:
        connection.execute("update control_version set version = 99")
    connection.close()
    with pytest.raises(TableError, match="newer Tailrace"):
        Control.open(tmp_path)


def test_what_is_no_database_is_refused_with_its_place(tmp_path):
    (tmp_path / "control.sqlite").write_text("hello, this is no database at all, it is a text\n" * 100)
    with pytest.raises(TableError, match=r"control\.sqlite cannot be opened.*move it away"):
        Control.open(tmp_path)


def test_a_database_that_is_damaged_while_it_is_used_says_so(control, tmp_path):
    control.close()
    (tmp_path / "control.sqlite").write_text("hello, this is no database at all, it is a text\n" * 100)
    with pytest.raises(TableError, match=r"the control database is damaged.*move control\.sqlite away"):
        count(control)


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1])
def test_what_it_cannot_hold_is_refused(control, value):
    with pytest.raises(DataError, match="holds no such value"), control.transaction() as connection:
        connection.execute(update(COUNTS).values(n=value))
    assert count(control) == 0


def test_who_reads_waits_for_nobody_who_writes(control, tmp_path):
    with sqlite3.connect(tmp_path / "control.sqlite", isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        with control.reading() as connection:
            assert connection.execute(select(COUNTS.c.n)).scalar_one() == 0
        with pytest.raises(TransientError, match="locked"), control.transaction(wait_s=0.05):
            pass
        other.execute("ROLLBACK")
    other.close()
    assert count(control) == 0


def test_at_the_end_nobody_waits_for_long(control, tmp_path):
    with sqlite3.connect(tmp_path / "control.sqlite", isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        ending = threading.Timer(0.1, control.hurry)
        ending.start()
        with pytest.raises(TransientError, match="locked"), control.transaction():
            pass
        assert time.monotonic() - began < 10
        other.execute("ROLLBACK")
    other.close()
    ending.join()
    assert count(control) == 0


def test_a_database_that_is_taken_away_takes_nothing_more_until_it_is_back(control, tmp_path):
    (tmp_path / "control.sqlite").rename(tmp_path / "away")
    with pytest.raises(TableError, match=r"control\.sqlite was taken away or replaced"), control.transaction():
        pass
    with pytest.raises(TableError, match="taken away"), control.reading():
        pass
    (tmp_path / "away").rename(tmp_path / "control.sqlite")
    assert count(control) == 0
