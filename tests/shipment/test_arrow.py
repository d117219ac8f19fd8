"""What agents send arrives as it was; what anybody else sends is refused before it takes room."""

from __future__ import annotations

import datetime as dt
import io

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tailrace.errors import DataError
from tailrace.limits import KIB, MIB
from tailrace.shipment import Contents, pack, survey, unpack

ROWS = pl.DataFrame(
    {
        "_time_ns": [1, 2, 3],
        "_observed_ns": [4, 5, 6],
        "_stream": ["{}"] * 3,
        "_line": ["a", "a line that is longer than twelve bytes", ""],
        "_raw": [b"\xff", None, None],
        "_part": pl.Series([1, None, None], dtype=pl.Int32),
        "_part_last": [True, None, None],
        "_error": [None, None, "odd"],
        "status": [200, None, -1],
        "took": [0.5, None, 2.0],
        "ok": [True, False, None],
        "name": ["ü", "", None],
    }
)


def stream(frame: pl.DataFrame, compression: str = "zstd") -> bytes:
    written = io.BytesIO()
    frame.write_ipc_stream(written, compression=compression)
    return written.getvalue()


def test_rows_arrive_as_they_were() -> None:
    body = pack(ROWS)
    assert unpack(body, MIB).equals(ROWS, null_equal=True)
    assert unpack(body, MIB).schema == ROWS.schema
    told = survey(body, MIB)
    assert (told.rows, told.columns) == (3, 12)
    assert unpack(pack(ROWS.clear()), MIB).equals(ROWS.clear())


@pytest.mark.parametrize("compression", ["uncompressed", "lz4", "zstd"])
def test_what_is_announced_is_what_it_takes(compression: str) -> None:
    frame = pl.concat([ROWS] * 100, rechunk=True)
    told = survey(stream(frame, compression), MIB)
    assert told == Contents(300, 12, told.bytes)
    assert frame.estimated_size() <= told.bytes <= 2 * frame.estimated_size() + 4 * KIB


@pytest.mark.parametrize("compression", ["lz4", "zstd"])
def test_a_bomb_is_refused_before_it_is_expanded(compression: str) -> None:
    bomb = pl.concat([ROWS.head(1).with_columns(_line=pl.lit("0" * 32 * MIB))] * 2)
    body = stream(bomb, compression)
    assert len(body) < MIB
    with pytest.raises(DataError, match="larger than 16777216 bytes once it is expanded"):
        unpack(body, 16 * MIB)


def with_column(**columns: object) -> pl.DataFrame:
    return ROWS.with_columns(**columns)


@pytest.mark.parametrize(
    ("frame", "why"),
    [
        (with_column(x=pl.lit([1, 2])), "nested"),
        (with_column(x=pl.struct("status")), "nested"),
        (with_column(x=pl.col("_line").cast(pl.Categorical)), "nested or of a type"),
        (with_column(x=None), "nested or of a type"),
        (with_column(x=pl.lit(dt.timedelta(1))), "nested or of a type"),
        (with_column(x=pl.lit(1, pl.Int16)), "column 'x' of type Int16"),
        (with_column(_time_ns=pl.col("_time_ns").cast(pl.Float64)), "column '_time_ns' of type Float64"),
        (with_column(_secret=1), "column '_secret' of type Int32"),
        (with_column(**{"a\nb": 1}).cast({"a\nb": pl.Int64}), "no proper name"),
        (with_column(**{"x" * 1000: 1}), "longer names"),
        (ROWS.drop("_line"), "no column _line"),
        (with_column(_stream=pl.lit(None, pl.String)), "without a time or a stream"),
        (ROWS.select("status"), "no column _time_ns"),
        (with_column(_stream=pl.lit("")), "is no stream"),
        (with_column(_stream=pl.lit(r'{a="\q"}')), "is no stream"),  # no escape of JSON
        (with_column(_stream=pl.lit(r'{a="\ud800"}')), "is no stream"),  # half of a pair
        (with_column(_stream=pl.lit('{a="1", a="2"}')), "is no stream"),
        (with_column(_stream=pl.lit('{a="1"}{b="2"}')), "is no stream"),
        (with_column(_stream=pl.lit('{b="1", a="2"}')), "is no stream"),
    ],
)  # fmt: skip
def test_columns_that_no_agent_sends_are_refused(frame: pl.DataFrame, why: str) -> None:
    with pytest.raises(DataError, match=why):
        unpack(stream(frame), MIB)


def test_too_many_days_are_refused() -> None:
    days = pl.DataFrame({"_time_ns": pl.int_range(0, 10_001, eager=True) * 86_400 * 10**9})
    frame = days.with_columns(_observed_ns=pl.col("_time_ns"), _stream=pl.lit("{}"), _line=pl.lit(""))
    with pytest.raises(DataError, match="more than 10000 days"):
        unpack(stream(frame), 4 * MIB)


@pytest.mark.parametrize("body", [b"", b"{}", b"\x1f\x8b" * 50, b"\xff\xff\xff\xff", b"\xff" * 64, bytes(64)])
def test_other_bytes_are_no_arrow_stream(body: bytes) -> None:
    with pytest.raises(DataError, match="Arrow stream"):
        unpack(body, MIB)


def test_a_stream_that_ends_early_is_never_taken_for_a_shorter_one() -> None:
    body = stream(ROWS, "uncompressed")
    for length in range(len(body)):
        with pytest.raises(DataError):
            unpack(body[:length], MIB)
    with pytest.raises(DataError, match="behind the Arrow stream"):
        unpack(body + body, MIB)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(["uncompressed", "lz4", "zstd"]), st.data())
def test_broken_streams_are_refused_or_read_and_nothing_else(compression: str, data: st.DataObject) -> None:
    body = bytearray(stream(ROWS, compression))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(body) - 4))
        body[at : at + 4] = data.draw(
            st.one_of(st.binary(min_size=1, max_size=8), st.sampled_from([b"\xff" * 4, bytes(4)]))
        )
    try:
        frame = unpack(bytes(body), 4 * MIB)
    except DataError:
        return
    frame.write_parquet(io.BytesIO())  # what was taken can be used
