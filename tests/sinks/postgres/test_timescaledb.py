"""The sink over a real TimescaleDB: hypertable, compression, retention, continuous aggregates.

PGlite, which has it, cannot take a COPY from its client, and stops: here the rows go by INSERT. `test_sink` has COPY.
"""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl
import psycopg
import pytest

from sinks.postgres.test_sink import NOW_NS, batch, put, rows, settings
from sinks.receivers import around
from tailrace.sinks.postgres.rows import COLUMNS
from tailrace.sinks.postgres.settings import Aggregate
from tailrace.sinks.postgres.sink import PostgresSink

MINUTE_NS = 60 * 10**9
START_NS = NOW_NS // MINUTE_NS * MINUTE_NS - 3_600 * 10**9


def insert(connection, data):
    """Insert what would be copied."""
    found = pl.read_csv(data, has_header=False, new_columns=list(COLUMNS), infer_schema=False)
    marks = ", ".join("%s" for _ in COLUMNS)
    for row in found.iter_rows():
        connection.execute(f"insert into web_logs ({', '.join(COLUMNS)}) values ({marks})", row)


def opened(one, folder):
    sink = PostgresSink(one, around(folder))
    sink._courier._stream = insert
    return sink


@pytest.fixture(scope="module")
def written(timescaledb, tmp_path_factory):
    """A table with lines of two days, three of them in one minute, and two aggregates."""
    wanted = (
        Aggregate(name="hits", by=("status",)),
        Aggregate(name="bytes", stat="avg", of="bytes", labels={"service_name": "web"}),
    )
    one = settings(timescaledb, table="web_logs", days=14, compress_after_days=2, aggregates=wanted)
    sink = opened(one, tmp_path_factory.mktemp("sink"))
    frame = rows(["1", "2", "3"], START_NS, status=[200, 200, 404], bytes=[10, 20, None])
    old = rows(["4"], START_NS - 5 * 86_400 * 10**9, stream='{host="b"}', status=[500], bytes=[7])
    put(sink, batch(pl.concat([frame, old]), 1), batch(frame, 1))
    sink.close()
    again = opened(one, tmp_path_factory.mktemp("again"))
    put(again, batch(frame, 1), batch(rows(["5"], START_NS + MINUTE_NS, status=[200], bytes=[40]), 2))
    again.close()
    return timescaledb


def asked(url, statement):
    with psycopg.connect(url, autocommit=True) as connection:
        return connection.execute(statement).fetchall()


def test_lines_lie_in_a_hypertable_each_once(written):
    assert asked(written, "select line from web_logs order by time_ns") == [("4",), ("1",), ("2",), ("3",), ("5",)]
    found = asked(
        written,
        "select num_chunks, compression_enabled from timescaledb_information.hypertables"
        " where hypertable_name = 'web_logs'",
    )
    assert found == [(len({START_NS // (86_400 * 10**9), (START_NS + MINUTE_NS) // (86_400 * 10**9)}) + 1, True)]


def test_policies_compress_and_retire(written):
    found = asked(
        written,
        "select proc_name, config ->> 'compress_after', config ->> 'drop_after' from timescaledb_information.jobs"
        " where hypertable_name = 'web_logs' order by proc_name",
    )
    assert found == [("policy_compression", "2 days", None), ("policy_retention", None, "14 days")]


def test_old_chunks_can_be_compressed_and_read(written):
    chunks = asked(
        written, "select compress_chunk(c)::text from show_chunks('web_logs', older_than => interval '2 days') c"
    )
    assert len(chunks) == 1
    assert asked(written, "select line, fields ->> 'status' from web_logs where host = 'b'") == [("4", "500")]


def test_aggregates_are_continuous(written):
    """Unrefreshed or not, they answer; a refresh, as the policy does it, leaves the same."""
    views = asked(written, "select view_name from timescaledb_information.continuous_aggregates order by 1")
    assert views == [("web_logs_bytes",), ("web_logs_hits",)]
    with psycopg.connect(written, autocommit=True) as connection:
        for view in ("web_logs_hits", "web_logs_bytes"):
            connection.execute(f"call refresh_continuous_aggregate('{view}', null, null)")
    first, second = (datetime.fromtimestamp(at_ns // 10**9, UTC) for at_ns in (START_NS, START_NS + MINUTE_NS))
    hits = asked(written, "select * from web_logs_hits order by bucket, status")
    assert hits[1:] == [(first, "200", 2), (first, "404", 1), (second, "200", 1)]
    assert asked(written, "select * from web_logs_bytes order by bucket") == [(first, 15.0), (second, 40.0)]
    jobs = asked(
        written,
        "select count(*) from timescaledb_information.jobs where proc_name = 'policy_refresh_continuous_aggregate'",
    )
    assert jobs == [(2,)]
