"""Rows in a real PostgreSQL: what they look like there, that none is lost or doubled, and what is refused."""

from __future__ import annotations

import json
import math
import signal
import threading
from datetime import UTC, datetime, timedelta

import polars as pl
import psycopg
import pytest

from sinks.receivers import around
from tailrace.batch import Batch, Position
from tailrace.clock import SystemClock
from tailrace.database_url import DatabaseUrl
from tailrace.patience import Patience
from tailrace.sinks.postgres.rows import COLUMNS
from tailrace.sinks.postgres.settings import Aggregate, PostgresSettings
from tailrace.sinks.postgres.sink import PostgresSink

WAIT_S = 60.0
DAY_NS = 86_400 * 10**9
NOW_NS = int(datetime.now(UTC).timestamp()) * 10**9


def settings(url, **more):
    return PostgresSettings(url=DatabaseUrl(url), **more)


def rows(lines, at_ns=NOW_NS, stream='{host="a", service_name="web"}', **columns):
    count = len(lines)
    return pl.DataFrame(
        {
            "_time_ns": [at_ns + place for place in range(count)],
            "_observed_ns": [at_ns] * count,
            "_stream": [stream] * count,
            "_line": lines,
            **columns,
        },
        schema_overrides={"_raw": pl.Binary} if "_raw" in columns else None,
    )


def batch(frame, number=0, agent="one"):
    size = int(frame["_line"].str.len_bytes().sum())
    return Batch(frame, "files", frame.height, size, None if number is None else Position(agent, number))


@pytest.fixture
def asked(database):
    def ask(statement, *values):
        with psycopg.connect(database, autocommit=True) as connection:
            return connection.execute(statement, values).fetchall()

    return ask


@pytest.fixture
def sink(database, tmp_path):
    made = PostgresSink(settings(database), around(tmp_path))
    yield made
    made.close()


def refused(one, folder):
    """Return what is said when nothing can be written, at the end of a program that does not wait."""
    patience = Patience(SystemClock())
    sink = PostgresSink(one, around(folder, patience=patience))
    future = sink.submit(batch(rows(["a"]), None))
    while not sink.counters["retries"]:
        assert not future.done()
    patience.hurry()
    sink.close()
    return str(future.exception())


def put(sink, *batches):
    for future in [sink.submit(one) for one in batches]:
        future.result(WAIT_S)


def test_a_row_has_its_line_time_labels_and_fields(sink, asked):
    at_ns = 1_700_000_000_123_456_789
    frame = rows(["GET /"], at_ns, status=[200], path=["/"], took=[0.25], ok=[True], none=[None], __odd=["x"])
    frame = frame.with_columns(_level=pl.lit("info"), _offset=pl.lit(17))
    put(sink, batch(frame))
    (row,) = asked("select time, time_ns, observed_ns, host, labels, line, level, fields, file_offset, raw from logs")
    assert row == (
        datetime(2023, 11, 14, 22, 13, 20, 123456, tzinfo=UTC),
        at_ns,
        at_ns,
        "a",
        {"host": "a", "service_name": "web"},
        "GET /",
        "info",
        {"status": 200, "path": "/", "took": 0.25, "ok": True, "_odd": "x"},
        17,
        None,
    )


def test_texts_that_csv_could_mistake_stay_what_they_are(sink, asked):
    lines = ["", "\\N", "\\.", 'say "x"', "a,b", "two\nlines\r\n", " blank ", "ü\U0001f600", "\\x00"]
    put(sink, batch(rows(lines, word=[None, "", "null", "\\.", '"', ",", "\n", "x", "NULL"])))
    assert [line for (line,) in asked("select line from logs order by time_ns")] == lines
    words = [word for (word,) in asked("select fields ->> 'word' from logs order by time_ns")]
    assert words == [None, "", "null", "\\.", '"', ",", "\n", "x", "NULL"]


def test_what_postgresql_has_no_character_or_number_for_is_kept_otherwise(sink, asked):
    frame = rows(["a\0b", "plain"], word=["x\0", "y"], took=[math.nan, 1.5])
    put(sink, batch(frame))
    found = asked("select line, raw, fields from logs order by time_ns")
    assert found == [
        ("a␀b", b"a\0b", {"word": "x␀", "took": "NaN"}),
        ("plain", None, {"word": "y", "took": "1.5"}),
    ]


def test_bytes_that_are_no_text_are_kept(sink, asked):
    put(sink, batch(rows(["a\ufffd", "b"], _raw=[b"a\xff", None])))
    assert asked("select raw from logs order by time_ns") == [(b"a\xff",), (None,)]


def test_each_day_has_a_partition_and_odd_times_share_one(sink, asked):
    days = [NOW_NS, NOW_NS - DAY_NS, NOW_NS - 1000 * DAY_NS, NOW_NS + 1000 * DAY_NS]
    frame = pl.concat([rows([str(place)], at_ns) for place, at_ns in enumerate(days)])
    put(sink, batch(frame))
    found = dict(asked("select line, tableoid::regclass::text from logs"))
    names = [f"logs_{datetime.fromtimestamp(at_ns // 10**9, UTC):%Y%m%d}" for at_ns in days[:2]]
    assert found == {"0": names[0], "1": names[1], "2": "logs_other", "3": "logs_other"}


def test_days_that_are_too_old_go(database, tmp_path, asked):
    sink = PostgresSink(settings(database, days=2), around(tmp_path))
    old = [NOW_NS - 5 * DAY_NS, NOW_NS - 900 * DAY_NS, NOW_NS]
    put(sink, batch(pl.concat([rows([str(place)], at_ns) for place, at_ns in enumerate(old)])))
    sink.close()
    again = PostgresSink(settings(database, days=2), around(tmp_path))
    put(again, batch(rows(["new"]), 1))
    again.close()
    assert sorted(line for (line,) in asked("select line from logs")) == ["2", "new"]


def test_nothing_is_doubled_when_a_batch_comes_again(sink, database, tmp_path, asked):
    put(sink, batch(rows(["a"]), 1), batch(rows(["b"]), 2), batch(rows(["a"]), 1))
    other = PostgresSink(settings(database), around(tmp_path / "other"))  # knows nothing but what the database says
    put(other, batch(rows(["b"]), 2), batch(rows(["c"]), 3))
    assert other.last_number("one") == 3
    other.close()
    assert [line for (line,) in asked("select line from logs order by line")] == ["a", "b", "c"]


def test_two_that_write_as_one_agent_write_a_batch_once(database, tmp_path, asked):
    sinks = [PostgresSink(settings(database), around(tmp_path / name)) for name in "ab"]
    assert [one.last_number("one") for one in sinks] == [None, None]  # both believe that they are first
    futures = [one.submit(batch(rows(["x"] * 100), 7)) for one in sinks]
    for future in futures:
        future.result(WAIT_S)
    for one in sinks:
        one.close()
    assert asked("select count(*) from logs") == [(100,)]


def test_a_batch_of_several_pieces_is_there_whole_or_not(database, tmp_path, asked, postgres):
    """The server is gone after some pieces; the next connection gets them again, with the rest."""
    sink = PostgresSink(settings(database, batch_rows=10), around(tmp_path))
    put(sink, batch(rows(["first"]), 1))
    copied, cut = sink._courier._copy, []

    def copy(connection, piece):
        copied(connection, piece)
        if piece.position.number == 2 and len(sink._courier._sent) == 3 and not cut:
            cut.append(asked("select count(*) from logs where line <> 'first'"))
            pid = connection.info.backend_pid
            asked("select pg_terminate_backend(%s)", pid)

    sink._courier._copy = copy
    put(sink, batch(rows([str(number) for number in range(95)]), 2))
    assert cut == [[(0,)]], "none of it was to be seen before all of it"
    found = [line for (line,) in asked("select line from logs where line <> 'first' order by time_ns")]
    assert found == [str(number) for number in range(95)]
    sink.close()


@pytest.mark.parametrize("number", [2, None])
def test_a_commit_without_an_answer_is_asked_for(database, tmp_path, asked, number):
    """The connection dies behind the commit: whether it came through decides whether the rows are written again."""
    sink = PostgresSink(settings(database), around(tmp_path))
    put(sink, batch(rows(["first"]), 1))
    connection = sink._courier._connection

    class Cut:
        """A connection whose answer to the commit is lost."""

        def __getattr__(self, name):
            return getattr(connection, name)

        def commit(self):
            connection.commit()
            connection.close()
            raise psycopg.OperationalError("the connection is lost")

    sink._courier._connection = Cut()
    put(sink, batch(rows(["second"]), number))
    put(sink, batch(rows(["third"]), 3))
    assert [line for (line,) in asked("select line from logs order by line")] == ["first", "second", "third"]
    sink.close()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT])
def test_a_server_that_is_away_is_waited_for(database, tmp_path, asked, postgres, how):
    sink = PostgresSink(settings(database), around(tmp_path))
    put(sink, batch(rows(["a"]), 1))
    postgres.stop(how)
    try:
        future = sink.submit(batch(rows(["b"]), 2))
        while not sink.counters["retries"]:
            assert not future.done()
    finally:
        postgres.start()
    future.result(WAIT_S)
    sink.close()
    assert [line for (line,) in asked("select line from logs order by line")] == ["a", "b"]


def test_rows_that_the_database_refuses_are_set_aside_and_sent_again_on_demand(sink, database, asked):
    put(sink, batch(rows(["first"]), 1))
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("alter table logs add constraint short check (length(line) < 100)")
    put(sink, batch(rows(["a", "x" * 200, "b"]), 2))
    assert [line for (line,) in asked("select line from logs order by line")] == ["a", "b", "first"]
    (letter,) = sink.dead_letters.letters()
    assert letter.rows == 1
    assert 'violates check constraint "short"' in next(iter(letter.reasons))
    assert list(sink.resend(letter.parcel())) == [0]
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("alter table logs drop constraint short")
    assert sink.resend(letter.parcel()) == {}
    assert asked("select length(line) from logs where length(line) > 5") == [(200,)]


def test_views_of_numbers(database, tmp_path, asked):
    """Without TimescaleDB an aggregate is a view over the lines."""
    minute_ns = 60 * 10**9
    start_ns = NOW_NS // minute_ns * minute_ns
    wanted = (
        Aggregate(name="hits", by=("status", "level")),
        Aggregate(name="bytes", stat="sum", of="bytes", labels={"service_name": "web"}),
    )
    sink = PostgresSink(settings(database, aggregates=wanted), around(tmp_path))
    frame = rows(["1", "2", "3"], start_ns, status=[200, 200, 404], bytes=[10, 20, None])
    other = rows(["4"], start_ns + minute_ns, stream='{host="b"}', status=[200], bytes=[7])
    put(sink, batch(pl.concat([frame, other]).with_columns(_level=pl.lit("info"))))
    sink.close()
    first = datetime.fromtimestamp(start_ns // 10**9, UTC)
    second = first + timedelta(minutes=1)
    assert asked("select * from logs_hits order by bucket, status") == [
        (first, "200", "info", 2),
        (first, "404", "info", 1),
        (second, "200", "info", 1),
    ]
    assert asked("select * from logs_bytes") == [(first, 30.0)]


def test_no_password_is_shown(postgres, tmp_path, caplog):
    url = postgres.url("no_such_database")
    one = settings(url)
    assert "********" in json.dumps(one.model_dump(mode="json"))
    said = refused(one, tmp_path) + caplog.text + repr(one)
    assert 'database "no_such_database" does not exist' in said
    assert "Sesam" not in said


def test_who_may_not_write_is_told_what_to_do(postgres, database, tmp_path):
    postgres.execute("drop role if exists guest", "create role guest login password 'guest'")
    name = database.rpartition("/")[2]
    said = refused(settings(postgres.url(name, "guest", "guest")), tmp_path)
    assert "permission denied for schema public" in said
    assert "grant the user of the address the rights" in said
    postgres.execute("drop role guest")


@pytest.mark.parametrize("extension", ["timescaledb", "citus"])
def test_an_extension_that_is_asked_for_and_not_there_is_named(database, tmp_path, extension):
    said = refused(settings(database, extension=extension), tmp_path)
    assert f"the database has no extension {extension} (as a superuser: create extension" in said


def test_a_table_that_was_there_is_taken_as_it_is(database, tmp_path, asked):
    """One without partitions, made by somebody who has the rights to."""
    columns = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(f"create schema app create table lines ({columns})")
    sink = PostgresSink(settings(database, table="app.lines"), around(tmp_path))
    put(sink, batch(rows(["a"])))
    sink.close()
    assert asked("select line, tableoid::regclass::text from app.lines") == [("a", "app.lines")]
    assert asked("select sink, agent, number from app.tailrace_positions") == [("app.lines", "one", 0)]


def test_a_table_that_is_dropped_is_made_anew(sink, database, asked):
    put(sink, batch(rows(["a"]), 1))
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("drop table logs")
    put(sink, batch(rows(["b"]), 2))
    assert asked("select line from logs") == [("b",)]


def test_a_database_that_is_away_at_the_start_is_waited_for(database, tmp_path, asked, postgres):
    postgres.stop()
    try:
        sink = PostgresSink(settings(database), around(tmp_path))
        future = sink.submit(batch(rows(["a"]), 1))
        found = []
        asking = threading.Thread(target=lambda: found.append(sink.last_number("two")))
        asking.start()
        while not sink.counters["retries"]:
            assert not future.done()
        assert not found
    finally:
        postgres.start()
    future.result(WAIT_S)
    asking.join(WAIT_S)
    assert found == [None]
    sink.close()
    assert asked("select line from logs") == [("a",)]
