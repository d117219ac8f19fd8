"""Databases of other versions: older ones are brought up with all that is in them, newer ones are refused."""

from __future__ import annotations

import sqlite3
import threading

import psycopg
import pytest
from sqlalchemy import inspect

from tailrace.control import Control, migrations
from tailrace.control.lease import LEASE_NS, LEASES, Lease
from tailrace.errors import TableError

VERSION_1 = (
    "CREATE TABLE control_version (version INTEGER NOT NULL, PRIMARY KEY (version))",
    "INSERT INTO control_version VALUES (1)",
    """CREATE TABLE leases (name VARCHAR NOT NULL, holder VARCHAR NOT NULL, until_ns BIGINT NOT NULL,
    fence BIGINT NOT NULL, PRIMARY KEY (name))""",
    "INSERT INTO leases VALUES ('alerts', 'elsewhere', 2000000000000000000, 7)",
)
"""What a Tailrace of version 1 made, as far as later versions change it."""


def run(place, *statements):
    if place.url is None:
        with sqlite3.connect(place.folder / "control.sqlite") as connection:
            for statement in statements:
                connection.execute(statement)
        connection.close()
    else:
        with psycopg.connect(place.url) as connection:
            for statement in statements:
                connection.execute(statement)


def version(control):
    with control.reading() as connection:
        return connection.exec_driver_sql("select version from control_version").scalars().all()


def test_a_new_database_has_the_newest_version(place):
    control = place.open()
    assert version(control) == [migrations.VERSION]
    control.close()


def test_one_of_version_1_is_brought_up_and_keeps_what_it_has(place):
    run(place, *VERSION_1)
    control = place.open()
    assert version(control) == [migrations.VERSION]
    own_ns = 2_000_000_000_000_000_000 - LEASE_NS // 2
    lease = Lease(control, "here", job="alerts", server="http://here/")
    with control.transaction() as connection:  # a server database goes by its own clock: let the lease hold by that
        until_ns = control.now_ns(connection, own_ns) + LEASE_NS // 2
        connection.execute(LEASES.update().values(until_ns=until_ns))
    assert not lease.take(own_ns), "another one had it before, and has it still"
    with control.transaction() as connection:
        connection.execute(LEASES.update().values(until_ns=1))
    assert lease.take(own_ns)
    with control.reading() as connection:
        row = connection.exec_driver_sql("select holder, fence, server from leases").one()
    assert tuple(row) == ("here", 8, "http://here/")
    control.close()
    again = place.open()
    assert version(again) == [migrations.VERSION], "and once"
    again.close()


def test_a_table_that_an_old_database_never_had_is_made_as_it_is_now(place):
    run(place, *VERSION_1, "DROP TABLE leases")
    control = place.open()
    with control.reading() as connection:
        names = {column["name"] for column in inspect(connection).get_columns("leases")}
    assert "server" in names
    control.close()


def test_a_newer_database_is_refused(place):
    place.open().close()
    run(place, "update control_version set version = 99")
    with pytest.raises(TableError, match="was written by a newer Tailrace; update this one"):
        place.open()


def test_a_migration_that_fails_leaves_the_database_as_it_was(place, monkeypatch):
    run(place, *VERSION_1)
    wrong = migrations.Migration(3, "leases", ("ALTER TABLE nowhere ADD COLUMN x INTEGER",))
    with monkeypatch.context() as patched:
        patched.setattr(migrations, "MIGRATIONS", (*migrations.MIGRATIONS, wrong))
        with pytest.raises(Exception, match="nowhere"):
            place.open()
    control = place.open()
    assert version(control) == [migrations.VERSION]
    control.close()


def test_servers_that_start_at_once_bring_a_database_up_once(place):
    run(place, *VERSION_1)
    opened: list[Control] = []
    starting = [threading.Thread(target=lambda: opened.append(place.open())) for _ in range(4)]
    for thread in starting:
        thread.start()
    for thread in starting:
        thread.join()
    assert [version(one) for one in opened] == [[migrations.VERSION]] * 4
    for one in opened:
        one.close()


def test_versions_rise_one_by_one():
    assert [one.version for one in migrations.MIGRATIONS] == list(range(2, migrations.VERSION + 1))
