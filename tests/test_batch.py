"""The envelope, label sets and field names."""

from __future__ import annotations

import datetime as dt
import os

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from tailrace.batch import (
    ENVELOPE,
    FIELD_TYPES,
    LEVELS,
    READ_ORDER,
    column_field,
    complete,
    field_column,
    is_field,
    sanitize_name,
    stack,
    stream_labels,
    stream_text,
    weight,
)

NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,5}", fullmatch=True)
VALUES = st.text(min_size=1, max_size=8).filter(lambda text: text.isprintable() or "\n" in text)


# --- label sets -------------------------------------------------------------------------------------


def test_a_label_set_is_sorted_and_escaped() -> None:
    assert stream_text({"b": "2", "a": 'x"y\\z', "empty": ""}) == r'{a="x\"y\\z", b="2"}'
    assert stream_text({}) == "{}"


def test_letters_of_every_language_stay_readable() -> None:
    assert stream_text({"app": "größe ✓"}) == '{app="größe ✓"}'


def test_a_file_name_that_is_not_utf_8_is_a_label_all_the_same() -> None:
    name = os.fsdecode(b"/var/log/bad\xff-\xc3\xbc.log")
    text = stream_text({"filename": name})
    assert pl.Series([text]).item() == r'{filename="/var/log/bad\\xff-ü.log"}'
    assert stream_labels(text) == {"filename": r"/var/log/bad\xff-ü.log"}


@settings(deadline=None)  # a busy machine is no bug
@given(st.text(alphabet=st.characters(categories=["L", "Cs"]), max_size=5))
def test_every_text_is_a_label_value_that_a_frame_holds(value: str) -> None:
    assert pl.Series([stream_text({"a": value})]).len() == 1


@settings(deadline=None)  # a busy machine is no bug
@given(st.dictionaries(NAMES, VALUES, max_size=4))
def test_a_label_set_comes_back(labels: dict[str, str]) -> None:
    assert stream_labels(stream_text(labels)) == labels


@settings(deadline=None)  # a busy machine is no bug
@given(st.dictionaries(NAMES, VALUES, max_size=4), st.randoms())
def test_one_label_set_has_one_text(labels: dict[str, str], random: object) -> None:
    shuffled = list(labels.items())
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert stream_text(dict(shuffled)) == stream_text(labels)


def test_a_value_that_looks_like_labels_is_a_value() -> None:
    labels = {"a": '", b="2', "c": '{x="y"}'}
    assert stream_labels(stream_text(labels)) == labels


# --- names ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "clean"),
    [
        ("status", "status"),
        ("http.status-code", "http_status_code"),
        ("2xx", "_2xx"),
        (" padded ", "padded"),
        ("größe", "gr__e"),
        ("a b", "a_b"),
        ("__x", "__x"),
        ("", ""),
    ],
)
def test_names_are_written_as_logql_writes_them(name: str, clean: str) -> None:
    assert sanitize_name(name) == clean


@pytest.mark.parametrize("field", ["status", "_time", "_", "__x", "_2xx"])
def test_a_field_never_meets_the_envelope(field: str) -> None:
    column = field_column(field)
    assert column not in ENVELOPE
    assert is_field(column)
    assert column_field(column) == field


@settings(deadline=None)  # a busy machine is no bug
@given(NAMES)
def test_column_and_field_are_inverse(field: str) -> None:
    assert column_field(field_column(field)) == field
    assert is_field(field_column(field))


def test_no_column_of_the_envelope_is_a_field() -> None:
    assert [column for column in ENVELOPE if is_field(column)] == []


# --- frames -----------------------------------------------------------------------------------------


def least(**columns: list[object]) -> pl.DataFrame:
    return pl.DataFrame(columns)


def test_complete_adds_what_is_missing_and_derives_the_time() -> None:
    time_ns = 1_767_322_800_123_456_789  # 2026-01-02T03:00:00.123456789Z
    frame = complete(least(zone=["a"], _line=["x"], _time_ns=[time_ns], status=[200]))
    assert frame.columns == [*ENVELOPE, "zone", "status"]
    assert {name: frame.schema[name] for name in ENVELOPE} == dict(ENVELOPE)
    row = frame.row(0, named=True)
    assert row["_time"] == dt.datetime(2026, 1, 2, 3, 0, 0, 123_456, tzinfo=dt.UTC)
    assert row["_time_ns"] == time_ns
    assert row["_date"] == dt.date(2026, 1, 2)
    assert row["_level"] is None


def test_complete_keeps_times_before_1970_on_their_day() -> None:
    frame = complete(least(_time_ns=[-1], _line=["x"]))
    assert frame["_time"].item() == dt.datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=dt.UTC)
    assert frame["_date"].item() == dt.date(1969, 12, 31)


def test_complete_of_a_complete_frame_is_the_same() -> None:
    frame = complete(least(_time_ns=[5], _line=["x"], a=[1.5]))
    assert_frame_equal(complete(frame), frame)


def test_complete_of_no_rows_has_all_columns() -> None:
    frame = complete(pl.DataFrame(schema={"_time_ns": pl.Int64}))
    assert frame.shape == (0, len(ENVELOPE))


def test_stack_fills_with_null() -> None:
    stacked = stack([least(a=[1]), least(b=["x"])])
    assert stacked.to_dicts() == [{"a": 1, "b": None}, {"a": None, "b": "x"}]


@pytest.mark.parametrize(
    ("first", "second", "dtype", "values"),
    [
        ([1], [2.5], pl.Float64(), [1.0, 2.5]),
        ([True], [1], pl.String(), ["true", "1"]),
        ([True], [1.5], pl.String(), ["true", "1.5"]),
        (["x"], [1], pl.String(), ["x", "1"]),
        ([None], [1], pl.Int64(), [None, 1]),
        ([None], [None], pl.Null(), [None, None]),
    ],
)
def test_stack_gives_a_common_type(
    first: list[object], second: list[object], dtype: pl.DataType, values: object
) -> None:
    stacked = stack([least(a=first), least(a=second)])
    assert stacked["a"].dtype == dtype
    assert stacked["a"].to_list() == values


def test_the_words_are_those_of_the_design() -> None:
    assert LEVELS == ("trace", "debug", "info", "warn", "error", "fatal")
    assert list(FIELD_TYPES) == ["string", "int", "float", "bool"]
    assert set(READ_ORDER) <= set(ENVELOPE)


def test_the_weight_of_a_frame_counts_texts_that_are_not_there() -> None:
    frame = pl.DataFrame({"a": ["x"] * 1_000, "b": [None] * 1_000, "n": [1] * 1_000}, schema_overrides={"b": pl.String})
    assert 2 * 16 * 1_000 + 8 * 1_000 + 1_000 <= weight(frame) <= 50_000
