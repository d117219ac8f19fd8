"""The engine of a cluster where it differs from others: its server goes away, its files are not seen, it takes long."""

from __future__ import annotations

import contextlib
import math
import signal
import socket
import subprocess
import sys
import time

import narwhals as nw
import polars as pl
import pytest

from query.reference_table import ReferenceTable
from query.test_cases import S, frame
from sail import serving, start
from tailrace.contracts import Work
from tailrace.engines import connection, deadline
from tailrace.engines.choose import ChoosingEngine
from tailrace.engines.connection import Connection
from tailrace.engines.spark import SparkEngine
from tailrace.errors import ConfigError, EngineAwayError, QueryError, QueryTimeoutError
from tailrace.query.grid import Cells, Grid
from tailrace.query.run import Request, run

COLUMNS = {"_time_ns": pl.Int64(), "status": pl.Int64()}
DAY = 86_400 * S


@pytest.fixture(scope="module")
def url():
    with serving() as url:
        yield url


@pytest.fixture
def engine(url):
    return SparkEngine(Connection(url))


@pytest.fixture
def table(tmp_path):
    table = ReferenceTable(tmp_path)
    table.add(frame([{"t": 1, "line": "x", "status": 200}, {"t": 2, "line": "y\r\n", "status": 500}]))
    return table


@pytest.fixture
def port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def segments(table):
    return table.snapshot().segments(0, 2**62)


def test_no_server_is_said_so_and_where(port, table):
    engine = SparkEngine(Connection(f"spark://127.0.0.1:{port}/;user_id=me;x-key=verysecret"))
    with pytest.raises(EngineAwayError, match=f"the cluster spark://127.0.0.1:{port} cannot be reached") as caught:
        run(Request('{app="a"}', 0, 100 * S), table, engine)
    assert "verysecret" not in str(caught.value)


def test_a_server_that_never_answers_is_given_up(table, monkeypatch):
    monkeypatch.setattr(connection, "CONNECT_S", 0.3)
    with (
        socket.create_server(("127.0.0.1", 0)) as deaf,
        pytest.raises(EngineAwayError, match="cannot be reached"),
    ):
        SparkEngine(Connection(f"spark://127.0.0.1:{deaf.getsockname()[1]}")).scan(segments(table), COLUMNS)


def test_a_server_that_starts_anew_is_used_anew(port, table):
    engine = SparkEngine(Connection(f"spark://127.0.0.1:{port}"))
    first = start(port)
    scan = engine.scan(segments(table), COLUMNS)
    try:
        assert engine.collect(scan).height == 2
    finally:
        first.kill()
        first.wait()
    with pytest.raises(EngineAwayError):
        engine.collect(scan)
    second = start(port)
    try:
        assert engine.collect(scan).height == 2
    finally:
        second.kill()
        second.wait()


def test_auto_goes_on_here_when_the_cluster_dies_and_says_so(port, table):
    server = start(port)
    auto = ChoosingEngine(SparkEngine(Connection(f"spark://127.0.0.1:{port}", optional=True)), 0, 0)
    ask = 'sum by (status) (count_over_time({app="a"}%s[100s]))'
    try:
        assert run(Request(ask % "", 100 * S, 100 * S), table, auto).warnings == ()
    finally:
        server.kill()
        server.wait()
    found = run(Request(ask % " | status >= 1", 100 * S, 100 * S), table, auto)  # another one: totals are remembered
    assert sorted(found.frame["value"]) == [1.0, 1.0]
    (warning,) = found.warnings
    assert "cannot be reached" in warning
    assert "RPC" not in warning
    assert "in this process instead" in warning


def test_a_server_that_stands_still_holds_no_query(port, table, monkeypatch):
    server = start(port)
    auto = ChoosingEngine(SparkEngine(Connection(f"spark://127.0.0.1:{port}", optional=True)), 0, 0)
    ask = 'sum by (status) (count_over_time({app="a"} | status >= %d [100s]))'
    try:
        assert run(Request(ask % 2, 100 * S, 100 * S), table, auto).warnings == ()
        monkeypatch.setattr(deadline, "ANSWER_S", 0.5)
        server.send_signal(signal.SIGSTOP)
        found = run(Request(ask % 3, 100 * S, 100 * S), table, auto)
    finally:
        server.kill()
        server.wait()
    assert sorted(found.frame["value"]) == [1.0, 1.0]
    assert "in this process instead" in found.warnings[0]


def test_files_that_the_cluster_does_not_see_are_no_empty_answer(engine, table, tmp_path):
    unseen = Unseen(segments(table), tmp_path / "empty")
    with pytest.raises(QueryError, match="found 0 of 2 rows in 1 files"):
        engine.collect(engine.scan(unseen, COLUMNS))


class Unseen:
    """Segments that this machine has, and that the cluster looks for where nothing is."""

    def __init__(self, there, folder):
        folder.mkdir()
        self.frame, self.parts = there.frame, {}
        self.urls = lambda: [str(folder)]


def test_what_nobody_waits_for_is_stopped(engine, tmp_path):
    table = ReferenceTable(tmp_path)
    table.add(pl.concat([frame([{"t": 1, "line": "x" * 100}])] * 20_000))
    lines = segments(table)

    def unwanted():
        raise QueryTimeoutError("nobody waits")

    watched = engine.within(unwanted)
    scan = watched.scan(lines, {"_line": pl.String()})
    crossed = scan.join(scan.select(other="_line"), how="cross").filter(nw.col("_line") != nw.col("other"))
    with pytest.raises(QueryTimeoutError):
        watched.collect(crossed)
    assert engine.collect(engine.scan(lines, {"_line": pl.String()}).select(n=nw.len())).item() == 20_000


def test_batches_can_be_left_early(engine, tmp_path):
    table = ReferenceTable(tmp_path)
    table.add(pl.concat([frame([{"t": 1, "line": "x" * 100}])] * 300_000))
    batches = engine.batches(engine.scan(segments(table), {"_line": pl.String()}))
    assert 65_536 <= next(batches).height <= 2 * 65_536
    with contextlib.closing(batches):
        pass


def test_cells_of_a_year_are_exact_where_division_is_not(engine, tmp_path):
    step = 7 * DAY + 1
    cells = Cells(Grid(400 * DAY, step, 60), step, 0)
    edges = [400 * DAY + point * step + by for point in range(60) for by in (-1, 0, 1)]
    table = ReferenceTable(tmp_path)
    table.add(
        frame([{"t": 1}]).join(pl.DataFrame({"_at": edges}), how="cross").with_columns(_time_ns="_at").drop("_at")
    )
    scan = engine.scan(segments(table), {"_time_ns": pl.Int64()})
    found = engine.collect(scan.select("_time_ns", *cells.keys(nw.col("_time_ns"))))
    wanted = {at: -((400 * DAY - at) // step) for at in edges}  # the first point that is not before it
    assert dict(found.iter_rows()) == wanted


def test_a_regex_that_java_reads_otherwise_stays_here(engine, monkeypatch):
    monkeypatch.setattr(engine._connection, "reads_java", lambda: True)
    shared, foreign = (Work(1, 1, reduced=True, portable=portable) for portable in (True, False))
    assert engine.suited(shared).engine is engine
    assert engine.suited(foreign).engine.name == "polars"
    assert "Java" in engine.warnings[0]


def test_the_address_is_checked_before_anything_is_asked():
    for wrong in ("http://x", "spark://", "spark://a b", "spark://host:port", "spark://h/;token", "spark://h/path"):
        with pytest.raises(ConfigError, match="no address of a cluster"):
            Connection(wrong)


def test_a_program_without_a_file_may_ask_too(url):
    code = f"from tailrace.engines.connection import Connection; print(Connection({url!r}).reads_java())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "False\n", done.stderr


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setattr(connection, "find_spec", lambda _: None)
    with pytest.raises(ConfigError, match=r"tailrace\[spark\]"):
        Connection("spark://host")


def test_an_idle_session_is_made_anew(url, table, monkeypatch):
    engine = SparkEngine(Connection(url))
    scan = engine.scan(segments(table), COLUMNS)
    before = engine._connection.spark()
    monkeypatch.setattr(connection, "IDLE_S", -1.0)
    assert engine.collect(scan).height == 2
    assert engine._connection.spark() is not before


def test_an_optional_server_is_left_alone_for_a_while(port, monkeypatch):
    found = Connection(f"spark://127.0.0.1:{port}", optional=True)
    tried = []
    monkeypatch.setattr(connection, "_session", lambda url, _: tried.append(url) or connection._reach(None))
    monkeypatch.setattr(connection, "_reach", lambda _: (_ for _ in ()).throw(connection._UnreachedError("away")))
    for _ in range(3):
        with pytest.raises(EngineAwayError) as caught:
            found.spark()
        assert caught.value.another
    assert len(tried) == 1
    later_s = time.monotonic() + connection.AWAY_S
    monkeypatch.setattr(time, "monotonic", lambda: later_s)
    with pytest.raises(EngineAwayError):
        found.spark()
    assert len(tried) == 2


def test_who_waited_for_an_attempt_that_failed_makes_no_other(port, monkeypatch):
    found = Connection(f"spark://127.0.0.1:{port}")
    tried = []
    monkeypatch.setattr(connection, "_session", lambda url, _: tried.append(url) or connection._reach(None))
    monkeypatch.setattr(connection, "_reach", lambda _: (_ for _ in ()).throw(connection._UnreachedError("away")))
    for attempts in (1, 2):  # each comes behind the failure of the one before
        with pytest.raises(EngineAwayError):
            found.spark()
        assert len(tried) == attempts
    found._failed_s = math.inf  # it failed while this one waited
    with pytest.raises(EngineAwayError, match="away"):
        found.spark()
    assert len(tried) == 2
