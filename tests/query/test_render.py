"""Answers as text; Loki's shapes are tested in `test_render_loki`."""

from __future__ import annotations

import csv
import io
import json
import math

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailrace.query import render
from tailrace.query.render.columns import PIECE_ROWS
from tailrace.query.result import SERIES_SCHEMA, Lines, Series, Stats

T = 1_700_000_000_000_000_000  # 2023-11-14 22:13:20 UTC


def lines(**columns):
    height = len(next(iter(columns.values())))
    base = {
        "_time_ns": [T + n for n in range(height)],
        "_line": ["x"] * height,
        "_level": pl.Series([None] * height, dtype=pl.String),
    }
    return Lines(
        pl.DataFrame(
            {
                **base,
                **{name.replace("__", ".", 1) if "__" in name else name: values for name, values in columns.items()},
            }
        ),
        Stats(),
    )


def series(*samples, labels, kind="matrix"):
    return Series(kind, labels, pl.DataFrame(samples, schema=SERIES_SCHEMA, orient="row"), Stats())


WEB = lines(
    _line=["GET /", 'say "x"\n\ttwice', "\x1b[31mred\x07"],
    _level=["info", None, "error"],
    stream__host=["a", "b", "a"],
    stream__app=["web"] * 3,
    meta__trace=[None, "t1", None],
    parsed__status=["200", "", None],
    parsed__gone=pl.Series([None] * 3, dtype=pl.String),
)
RATES = series(
    (0, T, 2.0),
    (0, T + 60 * 10**9, 0.5),
    (1, T + 250_000_000, math.nan),
    labels=({"level": "info"}, {"host": "a", "level": "warn"}),
)


def test_jsonl():
    assert "".join(render.to_jsonl(WEB)) == (
        '{"time":"2023-11-14T22:13:20.000000000Z","labels":{"app":"web","host":"a"},"line":"GET /","fields":{"level":"info","status":"200"}}\n'
        '{"time":"2023-11-14T22:13:20.000000001Z","labels":{"app":"web","host":"b"},"line":"say \\"x\\"\\n\\ttwice","fields":{"status":"","trace":"t1"}}\n'
        '{"time":"2023-11-14T22:13:20.000000002Z","labels":{"app":"web","host":"a"},"line":"\\u001b[31mred\\u0007","fields":{"level":"error"}}\n'
    )


def test_jsonl_of_times_before_1970():
    assert next(render.to_jsonl(lines(_time_ns=[-1]))).startswith('{"time":"1969-12-31T23:59:59.999999999Z"')


def test_jsonl_prefers_parsed_fields_and_a_level_of_its_own():
    found = lines(_level=["warn", "warn"], meta__x=["m", "m"], parsed__x=["p", None], meta__level=["50", None])
    assert [json.loads(text)["fields"] for text in "".join(render.to_jsonl(found)).splitlines()] == [
        {"level": "50", "x": "p"},
        {"level": "warn", "x": "m"},
    ]


def test_text_shows_the_labels_that_differ_and_no_control_characters():
    assert "".join(render.to_text(WEB)) == (
        "2023-11-14T22:13:20.000Z info  host=a GET /\n"
        '2023-11-14T22:13:20.000Z -     host=b say "x"\n    \ttwice\n'
        "2023-11-14T22:13:20.000Z error host=a �[31mred�\n"
    )


def test_text_with_chosen_labels_and_without_levels():
    found = lines(_line=["a", "b"], stream__host=["h", "h"])
    assert "".join(render.to_text(found)) == "2023-11-14T22:13:20.000Z a\n2023-11-14T22:13:20.000Z b\n"
    assert next(render.to_text(found, labels=["host", "none"])).startswith("2023-11-14T22:13:20.000Z host=h a\n")


def test_text_in_colour():
    first = next(render.to_text(WEB, colour=True)).splitlines()[0]
    assert first == "\x1b[2m2023-11-14T22:13:20.000Z\x1b[0m \x1b[32minfo \x1b[0m \x1b[2mhost=a\x1b[0m GET /"


def test_raw_is_exact():
    assert "".join(render.to_raw(WEB)) == 'GET /\nsay "x"\n\ttwice\n\x1b[31mred\x07\n'


def test_csv_guards_formulas():
    found = lines(_line=["=1+2", "-5", "+1.5", "@x", "a,b", "-x"], stream__host=["=h"] * 6, meta__time=["1"] * 6)
    rows = list(csv.reader(io.StringIO("".join(render.to_csv(found)))))
    assert rows[0] == ["time", "host", "time_extracted", "line"]
    assert rows[1] == ["2023-11-14T22:13:20.000000000Z", "'=h", "1", "'=1+2"]
    assert [row[3] for row in rows[1:]] == ["'=1+2", "-5", "+1.5", "'@x", "a,b", "'-x"]


def test_csv_keeps_a_label_that_is_also_a_field():
    found = lines(stream__host=["s"], parsed__host=["p"])
    assert "".join(render.to_csv(found)).splitlines()[0] == "time,host,host_extracted,line"


def test_parquet_keeps_nanoseconds():
    table = pl.read_parquet(render.to_parquet(WEB))
    assert table.columns == ["time", "app", "host", "level", "status", "trace", "line"]
    assert table["time"].dt.epoch("ns").to_list() == [T, T + 1, T + 2]
    assert table["line"].to_list() == WEB.frame["_line"].to_list()
    assert pl.read_parquet(render.to_parquet(RATES)).columns == ["time", "host", "level", "value"]


def test_numbers_as_text():
    assert "".join(render.to_text(RATES)) == (
        '2023-11-14T22:13:20.000Z    2  {level="info"}\n'
        '2023-11-14T22:14:20.000Z  0.5  {level="info"}\n'
        '2023-11-14T22:13:20.250Z  NaN  {host="a", level="warn"}\n'
    )


def test_numbers_as_jsonl_raw_and_csv():
    assert "".join(render.to_jsonl(RATES)).splitlines()[2] == (
        '{"time":"2023-11-14T22:13:20.250000000Z","labels":{"host":"a","level":"warn"},"value":"NaN"}'
    )
    assert "".join(render.to_raw(RATES)) == "2\n0.5\nNaN\n"
    assert "".join(render.to_csv(RATES)) == (
        "time,host,level,value\n"
        "2023-11-14T22:13:20.000000000Z,,info,2\n"
        "2023-11-14T22:14:20.000000000Z,,info,0.5\n"
        "2023-11-14T22:13:20.250000000Z,a,warn,NaN\n"
    )


def test_a_scalar_has_no_labels():
    two = series((0, T, 2.0), labels=({},), kind="scalar")
    assert "".join(render.to_text(two)) == "2023-11-14T22:13:20.000Z  2  {}\n"
    assert "".join(render.to_csv(two)) == "time,value\n2023-11-14T22:13:20.000000000Z,2\n"


@pytest.mark.parametrize(
    "empty", [Lines(WEB.frame.head(0), Stats()), Series("vector", (), RATES.frame.head(0), Stats())]
)
def test_nothing_found_is_no_text(empty):
    assert [list(write(empty)) for write in (render.to_jsonl, render.to_text, render.to_raw)] == [[], [], []]
    assert len("".join(render.to_csv(empty)).splitlines()) == 1
    assert pl.read_parquet(render.to_parquet(empty)).height == 0


def test_large_answers_come_in_pieces():
    many = lines(_line=[str(n) for n in range(PIECE_ROWS + 1)])
    pieces = list(render.to_raw(many))
    assert [piece.count("\n") for piece in pieces] == [PIECE_ROWS, 1]
    assert "".join(pieces).split() == many.frame["_line"].to_list()


texts = st.none() | st.text(max_size=12)


@given(st.lists(st.tuples(st.integers(-(2**62), 2**62), st.text(max_size=20), texts, texts), min_size=1, max_size=6))
def test_jsonl_is_exact_json_for_any_text(rows):
    times, found, hosts, fields = map(list, zip(*rows, strict=True))
    frame = pl.DataFrame(
        {"_time_ns": times, "_line": found, "stream.host": hosts, 'meta.a"\\b': fields},
        schema={"_time_ns": pl.Int64, "_line": pl.String, "stream.host": pl.String, 'meta.a"\\b': pl.String},
    )
    text = "".join(render.to_jsonl(Lines(frame, Stats())))
    objects = [json.loads(line) for line in text.split("\n")[:-1]]
    assert [(item["line"], item["labels"].get("host"), item["fields"].get('a"\\b')) for item in objects] == [
        row[1:] for row in rows
    ]
    assert not any(value is None for item in objects for value in (*item["labels"].values(), *item["fields"].values()))
