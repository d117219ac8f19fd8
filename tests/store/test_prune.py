"""Skipping files: what the statistics prove, and never more."""

from __future__ import annotations

import math
import string
from typing import TYPE_CHECKING

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from store.rows import START_NS, batch
from tailrace.contracts import Bound
from tailrace.store.table import LogTable

if TYPE_CHECKING:
    from pathlib import Path

ALWAYS = (0, 2**62)


@pytest.fixture
def table(tmp_path: Path) -> LogTable:
    table = LogTable.open(tmp_path, create=True)
    table.commit([batch(["a", "b"], status=[200, 299], name=["bob", "carl"], took=[0.5, 1.5])])
    table.commit([batch(["c"], start_ns=START_NS + 10**9, status=[404], name=["zoe"], took=[math.nan])])
    table.commit([batch(["d"], status=["404"])])  # the second column of `status`
    table.commit([batch(["e"], stream='{app="z"}')])
    return table


def _kept(table: LogTable, *bounds: Bound, start_ns: int = ALWAYS[0], end_ns: int = ALWAYS[1]) -> str:
    segments = table.snapshot().segments(start_ns, end_ns, bounds)
    assert segments.skipped + segments.frame.height == 4
    paths = segments.frame["path"].to_list()
    return (
        "".join(
            sorted(
                pl.scan_parquet(
                    paths, missing_columns="insert", extra_columns="ignore", schema={"_line": pl.String}
                ).collect()["_line"]
            )
        )
        if paths
        else ""
    )


@pytest.mark.parametrize(
    ("start_ns", "end_ns", "kept"),
    [
        (START_NS, START_NS + 1, "abde"),
        (START_NS + 1, START_NS + 2, "ab"),  # its second row is a millisecond later
        (START_NS + 10**9, START_NS + 10**9 + 1, "c"),
        (START_NS + 10**9 + 1, ALWAYS[1], ""),
        (0, START_NS, ""),
    ],
)
def test_times_are_half_open(table: LogTable, start_ns: int, end_ns: int, kept: str) -> None:
    assert _kept(table, start_ns=start_ns, end_ns=end_ns) == kept


@pytest.mark.parametrize(
    ("bound", "kept"),
    [
        (Bound("_stream", "==", '{app="z"}'), "e"),
        (Bound("_stream", "<=", '{app="b"}'), "abcd"),
        # `d` has a text, whose order among numbers nobody knows; `e` has no status at all
        (Bound("status", "==", 404), "cd"),
        (Bound("status", "==", "404"), "cd"),
        (Bound("status", "==", "0404"), "abc"),  # no proof about integers; the text `404` is another one
        (Bound("status", ">", 299), "cd"),
        (Bound("status", ">=", 299), "abcd"),
        (Bound("status", "<", 200), "d"),
        (Bound("status", ">", "3"), "abcd"),
        (Bound("name", "==", "bz"), "ab"),  # not there, but between `bob` and `carl`
        (Bound("name", "==", "cat"), ""),
        (Bound("name", ">", "carl"), "c"),
        (Bound("name", "==", 5), "abc"),
        (Bound("took", ">", 2.0), "c"),  # NaN has no maximum
        (Bound("nothing", "==", "x"), "abcde"),  # no such column: nothing is known
        (Bound("_more", "==", "x"), ""),
    ],
)
def test_bounds(table: LogTable, bound: Bound, kept: str) -> None:
    assert _kept(table, bound) == kept


def test_all_bounds_must_hold(table: LogTable) -> None:
    assert _kept(table, Bound("status", ">", 250), Bound("name", "<", "c")) == "ab"


def test_a_file_with_folded_fields_is_kept_for_any_field(tmp_path: Path) -> None:
    table = LogTable.open(tmp_path, create=True)
    table.commit([batch(["a"], x=["low"])])
    table.commit([batch(["b"], _more=['{"x":"high"}'])])
    segments = table.snapshot().segments(*ALWAYS, [Bound("x", "==", "high")])
    assert segments.frame.height == 1
    assert pl.read_parquet(segments.frame["path"][0], columns=["_line"], hive_partitioning=False).item() == "b"


VALUES = st.one_of(
    st.none(),
    st.integers(-5, 5),
    st.floats(-5, 5, width=16) | st.just(math.nan),
    st.text(string.ascii_lowercase + "\U0010ffff\U0001f600é", max_size=3).map(lambda text: text * 30),
    st.booleans(),
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    files=st.lists(st.lists(VALUES, min_size=1, max_size=3), min_size=1, max_size=4),
    op=st.sampled_from(["==", "<", "<=", ">", ">="]),
    value=st.integers(-5, 5)
    | st.floats(-5, 5, width=16)
    | st.text("abc\U0010ffff", max_size=3).map(lambda text: text * 30),
)
def test_no_wanted_row_is_ever_in_a_skipped_file(files, op, value, tmp_path_factory) -> None:
    table = LogTable.open(tmp_path_factory.mktemp("table"), create=True)
    for number, values in enumerate(files):
        for row in values:
            extra = {} if row is None else {"f": [row]}
            table.commit([batch([f"{number}"], **extra)])
    bound = Bound("f", op, value)
    snapshot = table.snapshot()
    kept = set(snapshot.segments(*ALWAYS, [bound]).frame["path"])
    skipped = snapshot.files.filter(~pl.col("path").is_in(list(kept)))
    for path in skipped["path"]:
        for name in snapshot.variants("f"):
            if name in pl.read_parquet_schema(path):
                for row in pl.read_parquet(path, columns=[name], hive_partitioning=False)[name].drop_nulls():
                    assert not _fulfils(row, op, value), (row, op, value)


def _fulfils(row: object, op: str, value: object) -> bool:
    """What LogQL may mean by it: equal types by their order, and a number equal to its text."""
    compare = {
        "==": lambda a, b: a == b,
        "<": lambda a, b: a < b,
        "<=": lambda a, b: a <= b,
        ">": lambda a, b: a > b,
        ">=": lambda a, b: a >= b,
    }[op]
    if isinstance(row, bool):
        return False
    if isinstance(row, str) == isinstance(value, str):
        return compare(row, value)
    return op == "==" and str(row) == str(value)
