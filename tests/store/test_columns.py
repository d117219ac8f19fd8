"""Which column a field gets: by type, by case, by limit."""

from __future__ import annotations

import json

import polars as pl
import pytest
from deltalake import Schema

from tailrace.store.columns import Columns, align, delta_fields, envelope_schema, fold


def _empty() -> Columns:
    return Columns.of(envelope_schema())


def _with(**types: pl.DataType) -> Columns:
    return _empty().with_new({name: (name, dtype) for name, dtype in types.items()})


def test_the_envelope_is_a_table_of_fourteen_columns_and_no_field() -> None:
    columns = _empty()
    assert list(columns.types)[:3] == ["_time", "_time_ns", "_observed_ns"]
    assert len(columns.types) == 14
    assert columns.types["_time"] == pl.Datetime("us", "UTC")
    assert columns.fields == {}


def test_a_new_field_gets_its_own_name() -> None:
    frame, added = align(pl.DataFrame({"_line": ["x"], "status": [200]}), _empty())
    assert added == {"status": ("status", pl.Int64())}
    assert frame.columns == ["_line", "status"]


def test_a_second_type_gets_a_second_column_and_the_third_a_third() -> None:
    columns = _with(status=pl.Int64())
    frame, added = align(pl.DataFrame({"status": ["ok"]}), columns)
    assert added == {"status__string": ("status", pl.String())}
    assert frame.columns == ["status__string"]
    columns = columns.with_new(added)
    frame, added = align(pl.DataFrame({"status": [1.5]}), columns)
    assert added == {"status__float": ("status", pl.Float64())}
    columns = columns.with_new(added)
    assert columns.fields["status"] == ("status", "status__string", "status__float")
    assert align(pl.DataFrame({"status": ["again"]}), columns)[1] == {}


def test_the_schema_remembers_whose_the_second_column_is() -> None:
    added = {"status__string": ("status", pl.String()), "__x": ("_x", pl.Int64())}
    schema = Schema([*envelope_schema().fields, *delta_fields(added)])
    again = Columns.of(Schema.from_json(schema.to_json()))
    assert again.fields == {"status": ("status__string",), "_x": ("__x",)}


def test_a_field_that_really_ends_in_a_type_does_not_take_a_column_of_another() -> None:
    columns = _with(status=pl.Int64(), status__string=pl.String())
    frame, added = align(pl.DataFrame({"status": ["ok"]}), columns)
    assert added == {"status__string_2": ("status", pl.String())}
    assert frame.columns == ["status__string_2"]


def test_names_that_differ_in_case_are_kept_apart() -> None:
    frame, added = align(pl.DataFrame({"Status": [1], "STATUS": [2]}), _with(status=pl.Int64()))
    assert added == {"Status__int": ("Status", pl.Int64()), "STATUS__int_2": ("STATUS", pl.Int64())}
    assert frame.row(0, named=True) == {"Status__int": 1, "STATUS__int_2": 2}


def test_columns_without_a_value_are_dropped() -> None:
    frame, added = align(
        pl.DataFrame({"_line": ["x"], "_level": [None], "a": [None], "b": pl.Series([None], dtype=pl.Int64)}), _empty()
    )
    assert frame.columns == ["_line"]
    assert added == {}


@pytest.mark.parametrize(
    ("series", "dtype", "value"),
    [
        (pl.Series([7], dtype=pl.UInt8), pl.Int64(), 7),
        (pl.Series([2**64 - 1], dtype=pl.UInt64), pl.String(), "18446744073709551615"),
        (pl.Series([2**63 - 1], dtype=pl.UInt64), pl.Int64(), 2**63 - 1),
        (pl.Series([1.5], dtype=pl.Float32), pl.Float64(), 1.5),
        (pl.Series(["a"], dtype=pl.Categorical), pl.String(), "a"),
        (pl.Series([True]), pl.Boolean(), True),
    ],
)
def test_other_types_become_one_of_the_four(series: pl.Series, dtype: pl.DataType, value: object) -> None:
    frame, added = align(pl.DataFrame({"f": series}), _empty())
    assert added == {"f": ("f", dtype)}
    assert frame["f"].to_list() == [value]


def test_fields_over_the_limit_go_to_more() -> None:
    frame = pl.DataFrame({"a": [1, 2], "b": ['say "x"', None], "c": [True, False], "_more": [None, '{"z":1}']})
    got, added = align(frame, _empty(), limit=1)
    assert list(added) == ["a"]
    assert set(got.columns) == {"a", "_more"}
    assert [json.loads(text) for text in got["_more"]] == [{"b": 'say "x"', "c": True}, {"z": 1, "c": False}]


def test_a_known_field_keeps_its_column_over_the_limit() -> None:
    got, added = align(pl.DataFrame({"a": [1], "b": [2]}), _with(b=pl.Int64()), limit=1)
    assert added == {}
    assert got["b"].to_list() == [2]
    assert got["_more"].to_list() == ['{"a":1}']


def test_folding_leaves_nulls_out() -> None:
    frame = pl.DataFrame({"a": [None, "}", "{"], "__b": [None, 2, None]}, schema_overrides={"a": pl.String})
    got = fold(frame, ["a", "__b"])["_more"].to_list()
    assert got[0] is None
    assert [json.loads(text) for text in got[1:]] == [{"a": "}", "_b": 2}, {"a": "{"}]
