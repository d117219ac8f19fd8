"""The control database on a real PostgreSQL: what it promises beside what both kinds do, and what can go wrong."""

from __future__ import annotations

import signal
import threading
import time

import psycopg
import pytest
from sqlalchemy import Column, Integer, Table, insert, select, update

from tailrace.control import METADATA, TEXT, Control
from tailrace.control.postgres import LOCK, POOL_MOST
from tailrace.database_url import DatabaseUrl
from tailrace.errors import ConfigError, TableError, TransientError

THINGS = Table("test_things", METADATA, Column("id", Integer, primary_key=True), Column("text", TEXT))
WAIT_S = 60.0


@pytest.fixture
def control(database, tmp_path):
    opened = Control.open(tmp_path, DatabaseUrl(database))
    with opened.transaction() as connection:
        connection.execute(insert(THINGS).values(id=1, text="one"))
    yield opened
    opened.close()


def text(control):
    with control.reading() as connection:
        return connection.execute(select(THINGS.c.text)).scalar_one()


def refused(tmp_path, url):
    with pytest.raises((TableError, ConfigError)) as caught:
        Control.open(tmp_path, DatabaseUrl(url))
    said = str(caught.value)
    assert "Sesam" not in said
    return said


def test_who_writes_waits_for_who_writes_and_not_for_ever(control, database):
    with psycopg.connect(database) as other:
        other.execute("select pg_advisory_xact_lock(%s)", [LOCK])
        assert text(control) == "one", "who reads does not wait"
        with pytest.raises(TransientError, match="lock timeout"), control.transaction(wait_s=0.05):
            pass
        written = threading.Thread(target=write, args=(control, "two"))
        written.start()
        assert text(control) == "one"
    written.join(WAIT_S)
    assert text(control) == "two"


def write(control, value):
    with control.transaction() as connection:
        connection.execute(update(THINGS).values(text=value))


def test_at_the_end_nobody_waits_for_long(control, database):
    with psycopg.connect(database) as other:
        other.execute("select pg_advisory_xact_lock(%s)", [LOCK])
        began = time.monotonic()
        control.hurry()
        with pytest.raises(TransientError, match="lock timeout"), control.transaction():
            pass
        assert time.monotonic() - began < 20


def test_a_reading_sees_one_state_and_writes_nothing(control):
    with control.reading() as connection:
        before = connection.execute(select(THINGS.c.text)).scalar_one()
        write(control, "two")
        assert connection.execute(select(THINGS.c.text)).scalar_one() == before
    with pytest.raises(TransientError, match="read-only"), control.reading() as connection:
        connection.execute(update(THINGS).values(text="three"))
    assert text(control) == "two"


def test_a_text_with_a_nul_is_kept_with_a_mark_in_its_place(control):
    write(control, "a\0b")
    assert text(control) == "a␀b"


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT])
def test_a_server_that_starts_again_is_used_again(control, postgres, how):
    postgres.stop(how)
    try:
        with pytest.raises(TransientError, match="the control database"):
            text(control)
        with pytest.raises(TransientError, match="the control database"):
            write(control, "lost")
    finally:
        postgres.start()
    assert text(control) == "one"
    write(control, "two")
    assert text(control) == "two"


def test_connections_have_a_bound(control, monkeypatch):
    monkeypatch.setattr(control._engine.pool, "_timeout", 0.05)
    held = [control.reading() for _ in range(POOL_MOST)]
    for one in held:
        one.__enter__()
    with pytest.raises(TransientError, match="all connections are in use"):
        text(control)
    for one in held:
        one.__exit__(None, None, None)
    assert text(control) == "one"


def test_what_was_cut_off_in_the_middle_leaves_nothing(control, database):
    with pytest.raises(TransientError), control.transaction() as connection:  # noqa: PT012  one thing that fails
        connection.execute(update(THINGS).values(text="half"))
        pid = connection.connection.dbapi_connection.info.backend_pid
        with psycopg.connect(database, autocommit=True) as other:
            other.execute("select pg_terminate_backend(%s)", [pid])
        connection.execute(update(THINGS).values(text="whole"))
    assert text(control) == "one"


def test_a_database_that_cannot_be_opened_says_why_and_keeps_the_password(postgres, tmp_path):
    assert 'database "nowhere" does not exist' in refused(tmp_path, postgres.url("nowhere"))
    wrong = postgres.url(password="Sesam-wrong")
    assert "password authentication failed" in refused(tmp_path, wrong)
    assert "the database 'postgres' at 127.0.0.1:1 cannot be opened" in refused(
        tmp_path, "postgresql://postgres:Sesam@127.0.0.1:1/postgres"
    )


def test_a_database_in_another_encoding_is_refused(postgres, tmp_path):
    postgres.execute("drop database if exists odd", "create database odd encoding 'SQL_ASCII' template template0")
    said = refused(tmp_path, postgres.url("odd"))
    assert "the encoding SQL_ASCII, and must have UTF8 (make one by: create database odd" in said
    postgres.execute("drop database odd")


def test_a_user_without_rights_is_told_what_to_do(postgres, database, tmp_path):
    postgres.execute("drop role if exists visitor", "create role visitor login password 'Sesam2'")
    said = refused(tmp_path, postgres.url(database.rpartition("/")[2], "visitor", "Sesam2"))
    assert "permission denied for schema public" in said
    assert "(grant the user of the address all rights on the schema and its tables)" in said
    postgres.execute("drop role visitor")
