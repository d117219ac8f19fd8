"""Formats that a user declares, and several formats in order."""

import tomllib
from pathlib import Path

import polars as pl
import pytest
from pydantic import ValidationError

from tailrace.batch import is_field
from tailrace.contracts import Reading
from tailrace.parse.first_match import FirstMatch
from tailrace.parse.json_lines import JsonLines
from tailrace.parse.logfmt import Logfmt
from tailrace.parse.pattern import Pattern
from tailrace.patterns.settings import PatternSettings

CASES = [
    case
    for file in sorted((Path(__file__).parent.parent / "cases" / "patterns").glob("*.toml"))
    for case in tomllib.loads(file.read_text())["case"]
]
UTC = Reading(timezone="UTC")
READ_NS = 1_767_400_000_000_000_000  # 2026-01-03T00:26:40Z


def lines(*texts: str) -> pl.DataFrame:
    return pl.DataFrame({"_line": texts, "_observed_ns": [READ_NS] * len(texts)}, schema_overrides={"_line": pl.String})


def fields(row: dict) -> dict:
    return {name: value for name, value in row.items() if is_field(name) and value is not None}


def test_every_kind_has_its_examples():
    for kind in ("regex", "grok", "pattern"):
        assert sum(kind in case for case in CASES) >= 25


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_cases(case):
    known = {key: case[key] for key in ("regex", "grok", "pattern", "types", "definitions") if key in case}
    parser = Pattern(PatternSettings(name="mine", **known))
    row = parser.parse(lines(case["line"]), UTC).row(0, named=True)
    assert fields(row) == case.get("want", {})
    assert row["_error"] == case.get("error")
    assert row["_line"] == case["line"]
    assert row["_format"] == ("mine" if "want" in case and case["line"].strip() else None)


def test_time_level_and_message_are_taken():
    settings = PatternSettings(
        name="mine", pattern="<ts> <lvl> <msg>", time="ts", time_format="%d.%m.%y-%H:%M:%S", level="lvl", message="msg"
    )
    row = Pattern(settings).parse(lines("02.01.26-03:04:05 ERR disk is full"), UTC).row(0, named=True)
    assert row["_time_ns"] == 1_767_323_045_000_000_000
    assert (row["_level"], row["_line"], fields(row)) == ("error", "disk is full", {"lvl": "ERR"})


def test_a_dash_for_a_number_is_no_value_and_no_error():
    settings = PatternSettings(name="mine", pattern="<path> <size>", types={"size": "int"})
    row = Pattern(settings).parse(lines("/a -"), UTC).row(0, named=True)
    assert (row["_error"], fields(row)) == (None, {"path": "/a"})


def test_text_that_is_no_time_stays():
    settings = PatternSettings(name="mine", pattern="<ts>|<msg>", time="ts", message="msg")
    frame = Pattern(settings).parse(lines("2026-01-02T03:04:05Z|a", "yesterday|b"), UTC)
    assert frame["_time_ns"].to_list() == [1_767_323_045_000_000_000, None]
    assert [fields(row) for row in frame.iter_rows(named=True)] == [{}, {"ts": "yesterday"}]


def test_the_exact_line_is_kept_when_it_is_asked_for():
    settings = PatternSettings(name="mine", pattern="<who>: <msg>", message="msg")
    row = Pattern(settings).parse(lines("ann: hello"), Reading(raw="keep")).row(0, named=True)
    assert (row["_line"], fields(row)) == ("ann: hello", {"who": "ann", "msg": "hello"})


def test_a_line_that_matches_with_no_group_fits():
    settings = PatternSettings(name="mine", regex=r"^(?P<n>\d+)?;|^(?P<a>a)")
    frame = Pattern(settings).parse(lines("1;", ";", "b", "a", ""), UTC)
    assert frame["_format"].to_list() == ["mine", "mine", None, "mine", None]
    assert frame["_error"].to_list() == [None, None, "PatternParserErr", None, None]


@pytest.mark.parametrize(
    ("form", "text", "ns"),
    [
        ("%Y-%m-%d %H:%M:%S%.f", "2026-01-02 03:04:05.123456789", 1_767_323_045_123_456_789),
        ("%d/%b/%Y:%H:%M:%S %z", "02/Jan/2026:03:04:05 +0100", 1_767_319_445_000_000_000),
        ("%b %d %H:%M:%S", "Jan  2 03:04:05", 1_767_323_045_000_000_000),
        ("%b %d %H:%M:%S", "Dec 31 23:59:59", 1_767_225_599_000_000_000),
        ("%s", "1767323045", 1_767_323_045_000_000_000),
        ("%s", "1767323045678", 1_767_323_045_678_000_000),
        ("%m/%d/%y %I:%M:%S %p", "01/02/26 03:04:05 PM", 1_767_366_245_000_000_000),
        ("%Y-%m-%d", "yesterday", None),
    ],
)
def test_declared_times(form, text, ns):
    settings = PatternSettings(name="mine", regex="^(?P<t>.*)$", time="t", time_format=form)
    assert Pattern(settings).parse(lines(text), UTC)["_time_ns"].to_list() == [ns]


def test_a_record_within_a_field_is_taken_apart():
    settings = PatternSettings(name="mine", pattern="<app>: <rest>", nested={"rest": "json"})
    frame = Pattern(settings).parse(lines('web: {"a": 1, "b": {"c": "x"}}', "web: {broken"), UTC)
    assert [fields(row) for row in frame.iter_rows(named=True)] == [
        {"app": "web", "a": 1, "b_c": "x"},
        {"app": "web", "rest": "{broken"},
    ]


def test_a_nested_field_named_like_an_outer_one_is_kept_beside_it():
    settings = PatternSettings(name="mine", pattern="<app>: <rest>", nested={"rest": "logfmt"})
    frame = Pattern(settings).parse(lines("web: app=inner n=1"), UTC)
    assert fields(frame.row(0, named=True)) == {"app": "web", "app_extracted": "inner", "n": "1"}


def test_the_first_format_that_a_line_fits_reads_it():
    mine = Pattern(PatternSettings(name="mine", pattern="took <ms>ms", types={"ms": "int"}))
    frame = FirstMatch([JsonLines(), mine, Logfmt()]).parse(
        lines('{"msg": "hi", "n": 1}', "took 5ms", "a=1 b=2", "took xms", "nothing of these", ""), UTC
    )
    assert frame["_format"].to_list() == ["json:msg", "mine", "logfmt", "mine", None, None]
    assert frame["_error"].to_list() == [None, None, None, "PatternTypeErr", "NoFormatFits", None]
    assert frame["_line"].to_list()[0] == "hi"
    assert frame["ms"].to_list() == [None, 5, None, None, None, None]


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        ({"regex": "(?P<a>x)", "grok": "%{INT:a}"}, "has regex and grok"),
        ({}, "exactly one of regex, grok, pattern, has none"),
        ({"regex": "(?P<a>x)", "time": "b"}, "no group 'b'; it has a"),
        ({"regex": "^x$"}, "no group has a name"),
        ({"regex": "(?P<a>x)", "time": "a", "time_format": "%Q"}, "'%Q' is no part of a time format"),
        ({"pattern": "<a><b>"}, "pattern: column 4: two captures in a row"),
    ],
)
def test_settings_that_make_no_sense(settings, what):
    with pytest.raises(ValidationError, match=what):
        PatternSettings(name="mine", **settings)
