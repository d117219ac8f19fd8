"""Lines read by expressions give what the exact readers give, and leave alone what they cannot read."""

from __future__ import annotations

import json
from functools import partial

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from tailrace.query import json_paths, json_shapes, logfmt_shapes, parsed
from tailrace.query.json_labels import read_object
from tailrace.query.logfmt_labels import read_pairs
from tailrace.query.needs import Needs

KEYS = ["a", "b", "a_b", "c", 'q"', "é", "x.y", ""]
numbers = st.sampled_from(["0", "-0", "1e3", "1.50", "12345678901234567890", "01", "1.", "-", "NaN", "2.5"])
texts = st.sampled_from(["", "x", 'say "a": 1', "a=1", "\\", "\n", "é\x1f", "\ufffd", '{"a": 1}', "null", '","a":"'])
scalars = st.one_of(
    numbers,
    st.sampled_from(["true", "false", "null", "oops", '"\\q"', '"\\ud800"', '"\\u00e9"']),
    texts.map(json.dumps),
)
spaces = st.sampled_from(["", " ", "\t"])


@st.composite
def objects(draw, depth=2):
    keys = draw(st.lists(st.sampled_from(KEYS), max_size=4))
    members = []
    for key in keys:
        value = scalars
        if depth:
            value = st.one_of(
                scalars, scalars, objects(depth - 1), st.lists(scalars, max_size=2).map(lambda v: f"[{','.join(v)}]")
            )
        members.append(f"{draw(spaces)}{json.dumps(key)}{draw(spaces)}:{draw(value)}{draw(spaces)}")
    return "{" + ",".join(members) + "}" + draw(st.sampled_from(["", "", " ", "x"]))


def agree(lines, found, fits, read, wanted):
    exact, _ = parsed.pairs_of(lines, read, set(wanted))
    for name in wanted:
        mine = found[name] if name in found.columns else pl.Series([None] * len(lines), dtype=pl.String)
        theirs = exact[name] if name in exact.columns else pl.Series([None] * len(lines), dtype=pl.String)
        assert mine.filter(fits).to_list() == theirs.filter(fits).to_list()
        assert mine.filter(~fits).null_count() == (~fits).sum()


@settings(max_examples=300, deadline=None)
@given(
    st.lists(objects() | st.sampled_from(["", "plain", "[1]"]), min_size=1, max_size=6),
    st.sets(st.sampled_from(["a", "b", "a_b", "c", "x_y", "q_", "_"]), min_size=1),
)
def test_json(lines, wanted):
    series = pl.Series(lines)
    found, fits = json_shapes.read(series, wanted.__contains__)
    agree(series, found, fits, read_object, wanted)
    failed = [why for why in map(read_object, series.filter(fits)) if why[1]]
    assert not failed


pairs = st.one_of(
    st.builds(
        "{}={}".format,
        st.sampled_from(["a", "b", "x.y", "2xx", "é"]),
        st.sampled_from(
            ["", "1", '""', '"a=1"', '"x y"', '"\\""', '"\\q"', "x=y", "C:\\q", "\ufffd", '"open', 'q"', '" a=2 "']
        ),
    ),
    st.sampled_from(["flag", "=x", '"', "a", 'a"b=1']),
)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.lists(pairs, max_size=5).map(" ".join), min_size=1, max_size=6),
    st.sets(st.sampled_from(["a", "b", "x_y", "_2xx", "flag"]), min_size=1),
)
def test_logfmt(lines, wanted):
    series = pl.Series(lines)
    found, fits = logfmt_shapes.read(series, sorted(wanted))
    agree(series, found, fits, read_pairs, wanted)


def test_common_lines_are_read_by_expressions():
    lines = pl.Series(
        ['{"t": 1, "level": "info", "http": {"status": 200}}', '{"t": 1, "level": "warn", "user": "é\\n"}'] * 50
    )
    found, fits = json_shapes.read(lines, {"level", "http_status", "user"}.__contains__)
    assert fits.all()
    assert found.head(2).to_dicts() == [
        {"level": "info", "http_status": "200", "user": None},
        {"level": "warn", "http_status": None, "user": "é\n"},
    ]
    found, fits = logfmt_shapes.read(pl.Series(['level=info msg="x \\" y" n=1', "n=2"]), ["n", "msg"])
    assert fits.all()
    assert found.to_dicts() == [{"n": "1", "msg": 'x " y'}, {"n": "2", "msg": None}]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.lists(pairs, max_size=4).map(" ".join), min_size=1, max_size=8))
def test_every_pair_of_logfmt(lines):
    series = pl.Series(lines, dtype=pl.String)
    found, fits = logfmt_shapes.read_every(series, lambda _: True)
    exact, whys = parsed.pairs_of(series, read_pairs, Needs(every=True))
    assert whys.null_count() == len(lines)
    for name in {*found.columns, *exact.columns}:
        mine = found[name] if name in found.columns else pl.Series([None] * len(lines), dtype=pl.String)
        theirs = exact[name] if name in exact.columns else pl.Series([None] * len(lines), dtype=pl.String)
        assert mine.filter(fits).to_list() == theirs.filter(fits).to_list()


def test_every_pair_of_like_lines_is_read_at_once():
    lines = pl.Series(["level=info n=1", 'level=warn msg="a b" n=2', "n=3 level=x"] * 100)
    found, fits = logfmt_shapes.read_every(lines, lambda name: name != "n")
    assert fits.all()
    assert found.select("level", "msg").head(3).rows() == [("info", None), ("warn", "a b"), ("x", None)]
    assert "n" not in found.columns


@settings(max_examples=300, deadline=None)
@given(
    st.lists(objects(), min_size=1, max_size=6),
    st.sampled_from([("a",), ("b",), ("a", "b"), ("c", "a"), ("x.y",), ("none",), ("a", 0)]),
)
def test_value_at_a_path(lines, path):
    series = pl.Series(lines, dtype=pl.String)
    found, fits = json_shapes.read_value(series, path)
    exact = pl.Series([json_paths.find(line, path) for line in lines], dtype=pl.String)
    assert found.filter(fits).to_list() == exact.filter(fits).to_list()


def test_values_of_like_lines_are_read_at_once():
    lines = pl.Series(
        ['{"t": 1, "a": {"b": "x y"}, "n": 1.50}', '{"t": 2, "a": {"b": "\\u00e9"}}', '{"t": 3, "n": 2}'] * 100
    )
    found, fits = json_shapes.read_value(lines, ("a", "b"))
    assert fits.all()
    assert found.head(3).to_list() == ["x y", "é", None]
    assert json_shapes.read_value(lines, ("n",))[0].head(3).to_list() == ["1.50", None, "2"]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.lists(pairs, max_size=5).map(" ".join), min_size=1, max_size=6))
def test_pairs_of_which_the_last_counts(lines):
    series = pl.Series(lines, dtype=pl.String)
    names = {"a", "b", "x_y", "_2xx", "flag"}
    found, fits = logfmt_shapes.read_only(series, names)
    exact, _ = parsed.pairs_of(series, partial(read_pairs, keep_empty=True), names, last=True)
    for name in names:
        theirs = exact[name] if name in exact.columns else pl.Series([None] * len(lines), dtype=pl.String)
        assert found[name].filter(fits).fill_null("").to_list() == theirs.filter(fits).fill_null("").to_list()
