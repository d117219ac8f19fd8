"""The control database: one writer at a time, all or nothing, and there again after a restart."""

from __future__ import annotations

import sqlite3
import threading
import time

import pytest
from sqlalchemy import BigInteger, Column, Integer, Table, insert, select, update

from tailrace.control import METADATA, NUMBER, TEXT, Control, greater, lesser, pairs
from tailrace.control import insert as portable_insert
from tailrace.errors import DataError, TableError, TransientError

COUNTS = Table("test_counts", METADATA, Column("id", Integer, primary_key=True), Column("n", BigInteger))
TEXTS = Table("test_texts", METADATA, Column("text", TEXT, primary_key=True))
NUMBERED = Table(
    "test_numbered",
    METADATA,
    Column("id", NUMBER, primary_key=True),
    Column("n", Integer),
    sqlite_autoincrement=True,
)


@pytest.fixture
def control(place):
    opened = place.open()
    with opened.transaction() as connection:
        connection.execute(insert(COUNTS).values(id=1, n=0))
    yield opened
    opened.close()


@pytest.fixture
def a_file(tmp_path):
    """One of SQLite."""
    opened = Control.open(tmp_path)
    with opened.transaction() as connection:
        connection.execute(insert(COUNTS).values(id=1, n=0))
    yield opened
    opened.close()


def count(control):
    with control.transaction() as connection:
        return connection.execute(select(COUNTS.c.n)).scalar_one()


def test_what_was_committed_is_there_after_a_restart(control, place):
    with control.transaction() as connection:
        connection.execute(update(COUNTS).values(n=7))
    control.close()
    again = place.open()
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


def test_what_is_no_database_is_refused_with_its_place(tmp_path):
    (tmp_path / "control.sqlite").write_text("hello, this is no database at all, it is a text\n" * 100)
    with pytest.raises(TableError, match=r"control\.sqlite cannot be opened.*move it away"):
        Control.open(tmp_path)


def test_a_database_that_is_damaged_while_it_is_used_says_so(a_file, tmp_path):
    control = a_file
    control.close()
    (tmp_path / "control.sqlite").write_text("hello, this is no database at all, it is a text\n" * 100)
    with pytest.raises(TableError, match=r"the control database is damaged.*move control\.sqlite away"):
        count(control)


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1])
def test_what_it_cannot_hold_is_refused(control, value):
    with pytest.raises(DataError, match="holds no such value"), control.transaction() as connection:
        connection.execute(update(COUNTS).values(n=value))
    assert count(control) == 0


def test_half_of_a_pair_is_no_text(control):
    with pytest.raises(DataError, match="holds no such value"), control.transaction() as connection:
        connection.execute(insert(TEXTS).values(text="\ud800"))


def test_texts_are_ordered_by_their_characters(control):
    texts = ["b", "B", "a", "ä", "_", "~", "Z"]
    with control.transaction() as connection:
        connection.execute(insert(TEXTS), [{"text": text} for text in texts])
        found = connection.execute(select(TEXTS.c.text).order_by(TEXTS.c.text)).scalars().all()
    assert found == sorted(texts)


def test_rows_are_inserted_or_changed(control):
    statement = portable_insert(COUNTS)
    change = {"n": greater(COUNTS.c.n, statement.excluded.n)}
    with control.transaction() as connection:
        connection.execute(update(COUNTS).values(n=5))
        rows = [{"id": 1, "n": 3}, {"id": 2, "n": 4}]
        connection.execute(statement.on_conflict_do_update(index_elements=["id"], set_=change), rows)
        connection.execute(portable_insert(COUNTS).on_conflict_do_nothing(), [{"id": 1, "n": 9}, {"id": 3, "n": 9}])
        found = connection.execute(select(COUNTS).order_by(COUNTS.c.id)).all()
        least = connection.execute(select(lesser(COUNTS.c.n, COUNTS.c.id)).order_by(COUNTS.c.id)).scalars().all()
    assert [tuple(row) for row in found] == [(1, 5), (2, 4), (3, 9)]
    assert least == [1, 2, 3]


def test_pairs_are_a_table(control):
    given = pairs([("a", 1), ("b'", -(2**62))])
    with control.reading() as connection:
        found = connection.execute(select(given.c.text, given.c.number)).all()
        assert connection.execute(select(pairs([]).c.text)).all() == []
    assert [tuple(row) for row in found] == [("a", 1), ("b'", -(2**62))]


def test_numbers_of_rows_go_on_behind_what_is_said(control):
    def added():
        with control.transaction() as connection:
            connection.execute(insert(NUMBERED).values(n=0))
            return connection.execute(select(NUMBERED.c.id).order_by(NUMBERED.c.id.desc()).limit(1)).scalar_one()

    def count_on(least):
        with control.transaction() as connection:
            control.count_on(connection, "test_numbered", least)

    count_on(0)
    assert added() == 1
    count_on(10)
    assert added() == 11
    count_on(5)
    assert added() == 12


def test_who_reads_waits_for_nobody_who_writes(a_file, tmp_path):
    control = a_file
    with sqlite3.connect(tmp_path / "control.sqlite", isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        with control.reading() as connection:
            assert connection.execute(select(COUNTS.c.n)).scalar_one() == 0
        with pytest.raises(TransientError, match="locked"), control.transaction(wait_s=0.05):
            pass
        other.execute("ROLLBACK")
    other.close()
    assert count(control) == 0


def test_at_the_end_nobody_waits_for_long(a_file, tmp_path):
    control = a_file
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


def test_a_database_that_is_taken_away_takes_nothing_more_until_it_is_back(a_file, tmp_path):
    control = a_file
    (tmp_path / "control.sqlite").rename(tmp_path / "away")
    with pytest.raises(TableError, match=r"control\.sqlite was taken away or replaced"), control.transaction():
        pass
    with pytest.raises(TableError, match="taken away"), control.reading():
        pass
    (tmp_path / "away").rename(tmp_path / "control.sqlite")
    assert count(control) == 0
