"""Any query answers the same with skip indexes and without: an index may only leave out what is not there."""

from __future__ import annotations

import shutil
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tailrace import limits
from tailrace.batch import Batch
from tailrace.engines.polars import PolarsEngine
from tailrace.query.result import Lines
from tailrace.query.run import Request, run
from tailrace.store import skip, words
from tailrace.store.compact import compact
from tailrace.store.table import LogTable

ROWS = 96
BLOCK = 8

_WORDS = st.one_of(
    st.sampled_from(["deadlock", "dead", "order-17", "user-204", "disk full", "größe", "0a1b2c3d", "error", "a_b", ""]),
    st.text('ab01-_ .é"', max_size=9),
    st.integers(0, 10**9).map(str),
)
_LINES = st.lists(st.lists(_WORDS, max_size=4).map(" ".join), min_size=ROWS, max_size=ROWS)
_VALUES = st.lists(st.one_of(st.none(), _WORDS), min_size=ROWS, max_size=ROWS)
_NUMBERS = st.lists(st.one_of(st.none(), st.integers(-3, 40)), min_size=ROWS, max_size=ROWS)


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "ROW_GROUP_ROWS", BLOCK)
    monkeypatch.setattr(limits, "SKIP_ROWS", 1)
    monkeypatch.setattr(limits, "SKIP_SHARE", 100.0)
    monkeypatch.setattr(words, "MANY", 2)


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


@st.composite
def _queries(draw: st.DrawFn, lines: list[str], values: list[str | None]) -> str:
    """Draw a query whose texts are often there: parts of lines and values of rows."""
    line = draw(st.sampled_from([*lines, "deadlock of order-17"]))
    start = draw(st.integers(0, max(0, len(line) - 1)))
    part = line[start : draw(st.integers(start, len(line)))]
    value = draw(st.one_of(st.sampled_from([one or "x" for one in values]), _WORDS))
    number = draw(st.integers(-4, 42))
    stages = [
        f"|= {_quoted(part)}",
        f"|= {_quoted(part)} or {_quoted(value)}",
        f"!= {_quoted(part)}",
        f"|~ {_quoted('deadlock|order-17')}",
        f"| field={_quoted(value)}",
        f"| field!={_quoted(value)}",
        '| field=~"error|a_b"',
        f"| number={number}",
        f'| number="{number}"',
        f"| number={number} or field={_quoted(value)}",
        f"| json | field={_quoted(value)}",
    ]
    return '{app="a"} ' + " ".join(draw(st.lists(st.sampled_from(stages), min_size=1, max_size=2)))


@settings(max_examples=12, deadline=None)
@given(st.data(), _LINES, _VALUES, _NUMBERS)
def test_same_answer_with_and_without(
    tmp_path_factory: pytest.TempPathFactory,
    data: st.DataObject,
    lines: list[str],
    values: list[str | None],
    numbers: list[int | None],
) -> None:
    folder = tmp_path_factory.mktemp("skip")
    table = LogTable.open(folder, create=True)
    frame = pl.DataFrame(
        {"_line": lines, "field": values, "number": numbers},
        schema={"_line": pl.String, "field": pl.String, "number": pl.Int64},
    ).with_columns(
        _time_ns=pl.int_range(pl.len(), dtype=pl.Int64),
        _observed_ns=pl.lit(0, pl.Int64),
        _stream=pl.lit('{app="a"}'),
        _offset=pl.int_range(pl.len(), dtype=pl.Int64),
    )
    for half in (frame[: ROWS // 2], frame[ROWS // 2 :]):
        table.commit([Batch(half, "test", half.height, 0)])
    assert compact(table, everything=True).indexed == 1
    queries = data.draw(st.lists(_queries(lines, values), min_size=4, max_size=4))
    indexed = [_answer(query, table) for query in queries]
    shutil.rmtree(Path(table.root) / skip.FOLDER)
    assert indexed == [_answer(query, LogTable.open(folder)) for query in queries]
    shutil.rmtree(folder)


def _answer(query: str, table: LogTable) -> tuple[list[tuple[object, ...]], float]:
    engine = PolarsEngine()
    found = run(Request(query, 0, ROWS, None, 0, "forward"), table, engine)
    assert isinstance(found, Lines)
    counted = run(Request(f'sum(count_over_time({query} | __error__="" [1d]))', 0, ROWS), table, engine)
    return found.frame.select("_time_ns", "_line").rows(), counted.frame["value"].sum()
