"""What grammar cannot see. The exact texts stand in `tests/cases/query/syntax`."""

from __future__ import annotations

import pytest

from tailrace.errors import QueryError
from tailrace.query.check import accepts_empty
from tailrace.query.parser import parse
from tailrace.query.syntax import Matcher


@pytest.mark.parametrize(
    ("op", "value", "accepts"),
    [
        ("=", "", True),
        ("=", "x", False),
        ("!=", "", False),
        ("!=", "x", True),
        ("=~", ".*", True),
        ("=~", ".+", False),
        ("=~", "a|", True),
        ("=~", "", True),
        ("!~", ".*", False),
        ("!~", ".+", True),
        ("=~", r"\pL*", True),
        ("=~", r"\pL+", False),
        ("!~", r"\pL*", False),
        ("=~", "[[:alpha:]]?", True),
    ],
)
def test_accepts_empty(op, value, accepts):
    assert accepts_empty(Matcher("a", op, value)) is accepts


@pytest.mark.parametrize(
    "query",
    [
        'rate({a="b"} | json | x=~"(" [5m])',
        'sum(rate({a="b"} |~ "(" [5m]))',
        '1 + sum(rate({a="b"} | keep x=~"(" [5m]))',
        'rate({a="b"} | line_format "{{" [5m]) > 1',
    ],
)
def test_checks_reach_every_place(query):
    with pytest.raises(QueryError) as caught:
        parse(query)
    place = query.index("(", query.index("~")) if "~" in query else query.index("{{")
    assert caught.value.position == place
