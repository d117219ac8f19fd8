"""What the JSON reader learns: columns, types, limits."""

from __future__ import annotations

import json

import polars as pl
import pytest

from tailrace import limits
from tailrace.limits import FIELD_COLUMNS, FIELD_DEPTH, FIELD_NAME_BYTES
from tailrace.parse import json_exact
from tailrace.parse.json_decode import Decoder
from tailrace.parse.json_tree import Tree


def columns(tree: Tree) -> dict[str, str]:
    return {leaf.column: leaf.kind for leaf in tree.leaves()}


def decode(decoder: Decoder, *texts: str) -> list[dict[str, object]]:
    decoded = decoder.decode(pl.Series(texts))
    more = decoded.more if decoded.more is not None else pl.Series([None] * len(texts))
    rows = [{key: value for key, value in row.items() if value is not None} for row in decoded.fields.to_dicts()]
    return [row | ({"_more": json.loads(text)} if text else {}) for row, text in zip(rows, more, strict=True)]


def test_types_only_widen() -> None:
    tree = Tree()
    assert tree.learn({"a": 1, "b": {"c": True}})
    assert columns(tree) == {"a": "int", "b_c": "bool"}
    assert not tree.learn({"a": 2, "b": {"c": False}})
    assert tree.learn({"a": 0.5})
    assert tree.learn({"b": {"c": "x"}})
    assert columns(tree) == {"a": "float", "b_c": "string"}
    assert not tree.learn({"a": 1, "b": {"c": True}})


def test_an_object_that_is_a_number_elsewhere_becomes_text() -> None:
    decoder = Decoder()
    assert decode(decoder, '{"a":{"b":1}}') == [{"a_b": 1}]
    assert decode(decoder, '{"a":2}', '{"a":{"b":1}}') == [{"a": "2"}, {"a": '{"b": 1}'}]
    assert decode(decoder, '{"a":{"b":1}}') == [{"a": '{"b": 1}'}]


def test_an_empty_object_does_not_stop_flattening() -> None:
    decoder = Decoder()
    assert decode(decoder, '{"a":{}}') == [{"a": "{}"}]
    assert decode(decoder, '{"a":{"b":1}}', '{"a":{}}') == [{"a_b": 1}, {"_more": {"a": {}}}]


def test_columns_are_bounded_and_the_rest_goes_to_more() -> None:
    decoder = Decoder()
    decode(decoder, json.dumps({f"k{n}": n for n in range(FIELD_COLUMNS)}))
    assert decode(decoder, '{"k0":1,"new":2,"other":{"x":"y"}}') == [{"k0": 1, "_more": {"new": 2, "other_x": "y"}}]
    assert len(decoder.tree.leaves()) == FIELD_COLUMNS


def test_depth_is_bounded_and_what_is_deeper_stays_json() -> None:
    keys = [f"l{n}" for n in range(FIELD_DEPTH + 2)]
    record: object = 1
    for key in reversed(keys):
        record = {key: record}
    column = "_".join(keys[:FIELD_DEPTH])
    (row,) = decode(Decoder(), json.dumps(record))
    assert json.loads(str(row[column])) == {keys[FIELD_DEPTH]: {keys[FIELD_DEPTH + 1]: 1}}


def test_a_name_that_is_too_long_is_data() -> None:
    name = "n" * (FIELD_NAME_BYTES + 1)
    assert decode(Decoder(), json.dumps({"a": 1, name: 2})) == [{"a": 1, "_more": {name: 2}}]


def test_new_keys_in_the_middle_of_a_batch_are_learned() -> None:
    texts = ['{"a":1}'] * 5000 + ['{"a":1,"b":2}'] + ['{"a":1}'] * 5000
    decoded = Decoder().decode(pl.Series(texts))
    assert decoded.more is None
    assert decoded.fields["b"].to_list() == [None] * 5000 + [2] + [None] * 5000


def test_one_broken_line_among_many_is_the_only_one_that_fails() -> None:
    texts = ['{"a":1}'] * 3000
    texts[1234] = '{"a":}'
    decoded = Decoder().decode(pl.Series(texts))
    assert decoded.failed is not None
    assert decoded.failed.arg_true().to_list() == [1234]
    assert decoded.fields["a"].sum() == 2999


def test_more_rows_have_fewer_columns_and_keep_every_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "FRAME_VALUES", 4_000)
    decoder = Decoder()
    wide = decoder.decode(pl.Series([json.dumps({f"k{at % 100}": at}) for at in range(40)]))  # may have 100 columns
    assert wide.fields.width == 40
    found = decoder.decode(pl.Series([json.dumps({f"k{at % 100}": at}) for at in range(400)]))  # may have ten
    assert found.fields.width == 10
    assert found.more is not None
    in_columns = sum(series.len() - series.null_count() for series in found.fields)
    assert in_columns + found.more.len() - found.more.null_count() == 400


def test_a_name_that_comes_very_often_takes_no_longer_than_many_names() -> None:
    record = json_exact.load("{" + ",".join(['"a":1'] * 60_000) + "}")  # took minutes when each number was tried
    assert record is not None
    assert len(record) == 60_000
    text = "{" + ",".join(f'"a#{at}":1,"a":2' for at in range(2, 20_000)) + "}"
    found = json_exact.read([text], Tree()).more[0]
    assert len(json.loads(found)) == 39_996
