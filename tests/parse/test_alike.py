"""Documents of one shape: read whole, or not at all."""

from __future__ import annotations

import json

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tailrace.parse.alike import decode

TYPES = {"a": pl.String(), "b.c": pl.Int64(), "d": pl.String()}


def read(*texts):
    return decode(pl.Series("_line", texts, dtype=pl.String), None, TYPES)


def test_columns_are_the_members_of_the_first_text():
    frame = read('{"b.c":1,"a":"x"}', '{"a":"y","b.c":null}')
    assert frame.to_dict(as_series=False) == {"a": ["x", "y"], "b.c": [1, None]}


@pytest.mark.parametrize(
    "texts",
    [
        (),
        ("",),
        ("[1]",),
        ("{}",),
        ('{"a":"x"}', "no JSON"),
        ('{"other":1}',),
        ('{"a":"x"}', '{"a":"x","b.c":1}'),  # a member more
        ('{"a":"x","b.c":1}', '{"a":"x"}'),  # one less
        ('{"a":"x","b.c":1}', '{"a":"x","d":"y"}'),  # another one in its place
        ('{"a":"x","b.c":1}', '{"a":"x","d" :"y","b.c":1}'),  # one that is not seen at first
        ('{"a":"x","b.c":1}', '{"a":"x","d"\t:"y","b.c":1}'),
        ('{"a":"x","b.c":1}', '{"a":"x","a":"y","b.c":1}'),
        ('{"a":"x","b.c":1}', '{"a":"\\":null","b.c":1}'),
        ('{"a":"x","b.c":1}', '{"a":{"d":"y"},"b.c":1}'),
        ('{"a":"x","b.c":1}', '{"a":"x","b.c":"1"}'),
        ('{"a":"x","b.c":1}', '{"a":"x","b.c":1.5}'),
        ('{"a":"x","b.c":1}', '{"a":"x","b.c":1e3}'),
        ('{"a":"x","b.c":1}', '{"a":"x","b.c":true}'),
    ],
)
def test_what_is_not_proven_is_left_to_others(texts):
    assert read(*texts) is None


VALUES = st.one_of(st.none(), st.text(max_size=3), st.integers(-3, 3), st.just({"a": 1}), st.just('":null'))


@given(
    st.lists(st.dictionaries(st.sampled_from(["a", "b.c", "d", "e"]), VALUES), min_size=1, max_size=4),
    st.sampled_from([(",", ":"), (", ", ": "), (",", " :")]),
)
@example([{"a": "x", "b.c": 1}, {"a": "x", "b.c": 2}], (",", ":"))
def test_what_is_read_is_all_there_is(documents, separators):
    frame = read(*(json.dumps(document, separators=separators, ensure_ascii=False) for document in documents))
    if frame is None:
        return
    for document, row in zip(documents, frame.iter_rows(named=True), strict=True):
        there = {name: value for name, value in document.items() if value is not None}
        assert {name: str(value) for name, value in row.items() if value is not None} == {
            name: str(value) for name, value in there.items()
        }
