"""Lines counted for histograms and lists of values; and that totals kept by the second change no answer."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tailrace.batch import Batch, stream_text
from tailrace.engines.polars import PolarsEngine
from tailrace.query import leaf, ticks
from tailrace.query.counting import Counting, counted
from tailrace.query.parser import parse
from tailrace.query.syntax import LogQuery
from tailrace.store.table import LogTable

S = 1_000_000_000
T = 1_767_225_600 * S


def log(text: str = '{a=~".+"}') -> LogQuery:
    query = parse(text)
    assert isinstance(query, LogQuery)
    return query


def table_of(folder: Path, *batches: list[tuple[int, str, str | None]]) -> LogTable:
    """Store rows (nanoseconds after T, stream, level), a segment for each batch and stream."""
    table = LogTable.open(folder, create=True)
    for rows in batches:
        frame = pl.DataFrame(rows, schema={"at": pl.Int64, "a": pl.String, "_level": pl.String}, orient="row")
        frame = frame.select(
            (pl.col("at") + T).alias("_time_ns"),
            pl.lit("x status=7").alias("_line"),
            pl.lit(T).alias("_observed_ns"),
            pl.col("a").map_elements(lambda a: stream_text({"a": a}), pl.String).alias("_stream"),
            "_level",
        )
        table.commit([Batch(frame, "test", frame.height, 1)])
    return table


def rows_of(found: tuple[pl.DataFrame, object]) -> list[tuple[object, ...]]:
    frame = found[0]
    return sorted(frame.with_columns(pl.col("bucket") - T).rows(), key=str)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> LogTable:
    rows = [(0, "x", "info"), (S - 1, "x", "error"), (S, "x", None), (2 * S, "y", "info"), (2 * S + 1, "y", "info")]
    return table_of(tmp_path_factory.mktemp("counting"), rows)


def test_lines_are_counted_in_buckets_cut_at_the_range(table: LogTable) -> None:
    asked = Counting(log(), (), T + 1, T + 2 * S + 1, S)
    assert rows_of(counted(asked, table, PolarsEngine())) == [(0, 1), (S, 1), (2 * S, 1)]


def test_lines_are_counted_by_labels(table: LogTable) -> None:
    asked = Counting(log(), ("a", "detected_level"), T, T + 3 * S)
    assert rows_of(counted(asked, table, PolarsEngine())) == [
        ("x", "error", 0, 1),
        ("x", "info", 0, 1),
        ("x", "unknown", 0, 1),
        ("y", "info", 0, 2),
    ]


def test_buckets_may_begin_anywhere(table: LogTable) -> None:
    asked = Counting(log(), (), T - S // 2, T + 3 * S, S, origin_ns=T - S // 2)
    assert rows_of(counted(asked, table, PolarsEngine())) == [(-S // 2, 1), (3 * S // 2, 2), (S // 2, 2)]


def test_a_line_that_a_stage_stumbles_over_counts(table: LogTable) -> None:
    asked = Counting(log('{a=~".+"} | json'), (), T, T + 3 * S)
    assert rows_of(counted(asked, table, PolarsEngine())) == [(0, 5)]


def test_a_label_that_no_line_has_is_null(table: LogTable) -> None:
    assert rows_of(counted(Counting(log(), ("nope",), T, T + 3 * S), table, PolarsEngine())) == [(None, 0, 5)]
    assert rows_of(counted(Counting(log('{a="z"}'), ("a",), T, T + 3 * S), table, PolarsEngine())) == []


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> LogTable:
    """A table whose segments overlap, with lines at the edges of seconds and just before."""
    batches = [
        [(number * S // 7 + shift, name, ("info", "error", None)[number % 3]) for number in range(300)]
        for shift, name in ((0, "x"), (-1, "x"), (20 * S, "y"))
    ]
    return table_of(tmp_path_factory.mktemp("ticks"), *batches)


@given(
    st.integers(-S, 60 * S),
    st.integers(1, 90 * S),
    st.sampled_from([None, S // 2, S, 3 * S, 60 * S]),
    st.sampled_from([0, 1, S // 3, 5 * S]),
    st.sampled_from([(), ("a",), ("a", "detected_level")]),
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_kept_totals_change_no_answer(
    large: LogTable, start: int, span: int, step: int | None, origin: int, by: tuple[str, ...]
) -> None:
    asked = Counting(log(), by, T + start, T + start + span, step, origin)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(leaf, "ticked", lambda _q, _b, segments, *_: (None, segments))
        read = rows_of(counted(asked, large, PolarsEngine()))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(ticks, "LEAST_ROWS", 1)
        assert rows_of(counted(asked, large, PolarsEngine())) == read  # counted, and kept
        assert rows_of(counted(asked, large, PolarsEngine())) == read  # known


def test_a_range_that_was_counted_is_not_read_again(large: LogTable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ticks, "LEAST_ROWS", 1)
    monkeypatch.setattr(leaf, "remembered", lambda _q, _b, segments, *_: (None, segments))
    asked = Counting(log(), ("detected_level",), T - S, T + 100 * S, 5 * S)
    first = rows_of(counted(asked, large, PolarsEngine()))

    def never(*_: object, **__: object) -> None:
        raise AssertionError("it was read again")

    monkeypatch.setattr(leaf, "_counted", never)
    assert rows_of(counted(asked, large, PolarsEngine())) == first
    wider = Counting(log(), ("detected_level",), T - 5 * S, T + 200 * S, 10 * S)
    assert sum(row[-1] for row in rows_of(counted(wider, large, PolarsEngine()))) == 900  # type: ignore[misc]


def test_a_label_that_every_stream_has_is_counted_without_reading_a_field_of_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = LogTable.open(tmp_path, create=True)
    frame = pl.DataFrame({"_time_ns": [T, T + 1], "_line": ["x", "y"], "a": ["field", None]})
    stored = frame.with_columns(_observed_ns=pl.lit(T), _stream=pl.lit(stream_text({"a": "label"})))
    table.commit([Batch(stored, "test", 2, 1)])

    def never(*_: object, **__: object) -> None:
        raise AssertionError("rows were read")

    monkeypatch.setattr(leaf, "_counted", never)
    monkeypatch.setattr(leaf, "_by_rows", never)
    assert rows_of(counted(Counting(log(), ("a",), T, T + S), table, PolarsEngine())) == [("label", 0, 2)]
