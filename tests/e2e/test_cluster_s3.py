"""One table on S3, queried by this process and by a cluster: both read the same segments and say the same.

`make torture` makes it 10 M rows; `python -m bench.cluster` measures those.
"""

from __future__ import annotations

import os

import polars as pl
import pytest
from typer.testing import CliRunner

import s3
import sail
from query.remembering import forget
from tailrace.batch import Batch
from tailrace.cli.app import app
from tailrace.engines.connection import Connection
from tailrace.engines.polars import PolarsEngine
from tailrace.engines.spark import SparkEngine
from tailrace.query.result import Lines
from tailrace.query.run import Request, run
from tailrace.store.table import LogTable

pytest.importorskip("pysail", reason="pysail is the Spark Connect server of this test")

COMMITS = 8
ROWS = 1_250_000 if "TAILRACE_TORTURE" in os.environ else 25_000  # of each commit
S = 1_000_000_000
QUERIES = [
    'sum(count_over_time({app="shop"}[1h]))',
    'sum by (status) (count_over_time({app="shop"} | status >= 500 [1h]))',
    'sum by (user) (count_over_time({app="shop"} |~ "user 9[0-9]{2}$" [1h]))',
    'sum by (detected_level) (count_over_time({app=~"shop|till"}[10m]))',
    'max by (app) (max_over_time({app=~".+"} | unwrap took [1h]))',
    'avg(avg_over_time({app="till"} | unwrap took [1h]))',
]


@pytest.fixture(scope="module")
def bucket():
    with s3.serving() as server:
        yield server.bucket("logs")


@pytest.fixture(scope="module")
def table(bucket, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        for name, value in bucket.environment.items():
            patch.setenv(name, value)
        table = LogTable.open(tmp_path_factory.mktemp("mirror"), create=True, url=f"{bucket.url}/prod")
        for number in range(COMMITS):
            table.commit([Batch(rows(number), "test", ROWS, 0)])
        yield table


@pytest.fixture(scope="module")
def cluster(bucket):
    environment = {**bucket.environment, "AWS_ENDPOINT": bucket.endpoint}
    with sail.serving(environment) as url:
        yield SparkEngine(Connection(url))


def rows(number: int) -> pl.DataFrame:
    """Return the rows of a commit: 7 of 8 are of `shop`, a fifth failed, times fill an hour."""
    n = pl.int_range(ROWS, dtype=pl.Int64) + number * ROWS
    return pl.select(
        _time_ns=n * (3600 * S // (ROWS * COMMITS)),
        _observed_ns=n,
        _stream=pl.when(n % 8 == 7).then(pl.lit('{app="till"}')).otherwise(pl.lit('{app="shop"}')),
        _line=pl.format("GET /cart for user {}", n % 1000),
        _level=pl.when(n % 5 == 0).then(pl.lit("error")).otherwise(pl.lit("info")),
        status=pl.when(n % 5 == 0).then(500).otherwise(200).cast(pl.Int64),
        user=(n % 1000).cast(pl.String),
        took=(n % 97).cast(pl.Float64) / 8,
    )


def scanned(request, table, engine):
    forget()
    return run(request, table, engine)


def sorted_rows(series):
    named = pl.DataFrame({"series": range(len(series.labels)), "labels": [str(one) for one in series.labels]})
    joined = series.frame.join(named.cast({"series": pl.UInt32}), on="series").drop("series")
    return joined.sort("labels", "_time_ns")


@pytest.mark.parametrize("step_s", [None, 300])
@pytest.mark.parametrize("query", QUERIES)
def test_both_say_the_same(query, step_s, table, cluster):
    request = Request(query, 0, 3600 * S, step_ns=None if step_s is None else step_s * S)
    here, there = (sorted_rows(scanned(request, table, engine)) for engine in (PolarsEngine(), cluster))
    assert here.height
    assert here["value"].to_list() == pytest.approx(there["value"].to_list(), rel=1e-12)
    assert here.drop("value").equals(there.drop("value"))


def test_what_was_worked_out_by_hand(table, cluster):
    request = Request('sum by (status) (count_over_time({app="shop"}[2h]))', 3600 * S, 3600 * S)
    found = run(request, table, cluster)
    counts = {labels["status"]: int(value) for labels, value in zip(found.labels, found.frame["value"], strict=True)}
    total = ROWS * COMMITS
    assert counts == {"500": total * 7 // 40, "200": total * 28 // 40}


def test_lines_of_a_needle(table, cluster):
    request = Request('{app="shop"} |= "user 123" | took > 11', 0, 3600 * S, limit=20)
    here, there = (scanned(request, table, engine) for engine in (PolarsEngine(), cluster))
    assert isinstance(there, Lines)
    assert there.frame.height
    assert here.frame.equals(there.frame)


def test_the_command(table, cluster, bucket, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    flags = ["--data", f"{bucket.url}/prod", "--engine", cluster.where, "--to", "1970-01-01T01:00:00Z"]
    environment = {**bucket.environment, "COLUMNS": "200"}
    asked = ['sum(count_over_time({app="till"}[2h]))', *flags]
    done = CliRunner().invoke(app, ["query", *asked, "-o", "csv"], env=environment)
    assert done.exit_code == 0, done.output
    assert str(ROWS * COMMITS // 8) in done.output
    planned = CliRunner().invoke(
        app, ["explain", 'sum(count_over_time({app="till"} |= "x" [1h]))', *flags], env=environment
    )
    assert f"engine: {cluster.where}, as it was asked for" in planned.output
