"""The grammar, by data: `tests/cases/query/syntax/*.toml` holds queries and their canonical form or exact error."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from tailrace.errors import QueryError
from tailrace.query.parser import parse, parse_selector
from tailrace.query.syntax import Binary, LogQuery, LogRange, Matcher, Number, RangeAggregation, Selector

CASES = Path(__file__).parents[1] / "cases" / "query" / "syntax"


def _cases():
    for file in sorted(CASES.glob("*.toml")):
        for case in tomllib.loads(file.read_text(encoding="utf-8"))["case"]:
            yield pytest.param(case, id=f"{file.stem}: {case['name']}")


@pytest.mark.parametrize("case", list(_cases()))
def test_case(case):
    if "canonical" in case:
        query = parse(case["query"])
        assert str(query) == case["canonical"]
        assert parse(str(query)) == query
    else:
        with pytest.raises(QueryError) as caught:
            parse(case["query"])
        assert str(caught.value) == case["error"]
        assert "\n" not in caught.value.one_line()


def test_there_are_enough_cases():
    assert len(list(_cases())) >= 150


def test_tree():
    assert parse('rate({a="b"}[5m] offset 1s) > bool 2') == Binary(
        ">",
        RangeAggregation("rate", LogRange(LogQuery(Selector((Matcher("a", "=", "b"),))), 300 * 10**9, 10**9)),
        Number(2.0),
        returns_bool=True,
    )


def test_positions_are_kept_but_do_not_count():
    near, far = parse('{a="b"}'), parse('   {a="b"}')
    assert near == far
    assert (near.at, far.at, far.selector.matchers[0].at, far.selector.matchers[0].value_at) == (0, 3, 4, 6)


def test_selector_alone_may_accept_everything():
    assert str(parse_selector("{}")) == "{}"
    assert str(parse_selector('{a!="b"}')) == '{a!="b"}'
    for text in ('{a="b"} |= "x"', '{a=~"("}', "a"):
        with pytest.raises(QueryError):
            parse_selector(text)


@pytest.mark.parametrize(
    "text",
    ["(" * 5000 + "1" + ")" * 5000, "1" + "+1" * 5000, "1" + "^1" * 5000, '{a="b"} | ' + "(" * 5000, "sum(" * 5000],
)
def test_deep_nesting_is_refused_not_a_crash(text):
    with pytest.raises(QueryError, match="more than 100"):
        parse(text)


def test_a_long_flat_condition_is_fine():
    query = '{a="b"} | ' + " or ".join(f'x="{n}"' for n in range(5000))
    assert str(parse(query)) == query


def test_too_long():
    with pytest.raises(QueryError, match="longer than 131071 bytes"):
        parse('{a="' + "é" * 65_536 + '"}')
