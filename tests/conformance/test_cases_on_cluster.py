"""Every case of `tests/cases/query/run` on a real Spark Connect server: its answer is the one worked out by hand.

All cases run on a Sail server of one process, over a table that is split at random. On one whose workers take tasks
over gRPC, and over the real table, a part of them does; `make torture` runs all. With `TAILRACE_SPARK` the address of a
server that reads the files of this machine, say of Apache Spark, they run there too.
"""

from __future__ import annotations

import os
import zlib

import pytest

from query import test_cases as cases
from query.test_cases import _cases, _tiny_blocks, check  # noqa: F401  the fixture applies here too
from sail import serving
from tailrace.engines.connection import Connection
from tailrace.engines.spark import SparkEngine
from tailrace.errors import QueryError

pytest.importorskip("pysail", reason="pysail is the Spark Connect server of these tests")

EVERYTHING = "TAILRACE_TORTURE" in os.environ
SERVER = os.environ.get("TAILRACE_SPARK")


def some(share: int):
    """Return one of so many cases, always the same ones."""
    return [case for case in _cases() if EVERYTHING or zlib.crc32(str(case.id).encode()) % share == 0]


@pytest.fixture(scope="module")
def one_process():
    with serving() as url:
        yield SparkEngine(Connection(url))


@pytest.fixture(scope="module")
def workers():
    with serving(workers=2) as url:
        yield SparkEngine(Connection(url))


def answer(case, kind, tmp_path, monkeypatch, engine):
    monkeypatch.setattr(cases, "PolarsEngine", lambda: engine)
    table = cases.TABLES[kind](tmp_path, case["rows"], len(case["query"]))
    if "error" in case:
        with pytest.raises(QueryError) as caught:
            cases.ask(case, table)
        assert case["error"] in str(caught.value)
    else:
        found = cases.ask(case, table)
        check(case, found)
        assert not found.warnings


@pytest.mark.parametrize("case", some(1))
def test_case(case, tmp_path, monkeypatch, one_process):
    answer(case, "split", tmp_path, monkeypatch, one_process)


@pytest.mark.parametrize("case", some(6))
def test_case_over_the_real_table(case, tmp_path, monkeypatch, one_process):
    answer(case, "store", tmp_path, monkeypatch, one_process)


@pytest.mark.parametrize("case", some(10))
def test_case_by_workers(case, tmp_path, monkeypatch, workers):
    answer(case, "split", tmp_path, monkeypatch, workers)


@pytest.mark.skipif(SERVER is None, reason="TAILRACE_SPARK names no server, as spark://127.0.0.1:15002")
@pytest.mark.parametrize("case", some(1) if SERVER else [])
def test_case_on_the_named_server(case, tmp_path, monkeypatch, named):
    answer(case, "split", tmp_path, monkeypatch, named)


@pytest.fixture(scope="module")
def named():
    return SparkEngine(Connection(SERVER))
