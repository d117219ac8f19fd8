"""What grammar cannot see. The exact texts stand in `tests/cases/query/syntax`."""

from __future__ import annotations

import pytest

from tailrace.errors import QueryError
from tailrace.query.check import accepts_empty
from tailrace.query.functions import RANGE, UNSUPPORTED, VECTOR
from tailrace.query.parser import parse
from tailrace.query.stages import STAGES
from tailrace.query.stages import UNSUPPORTED as STAGES_UNSUPPORTED
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


@pytest.mark.parametrize("name", sorted(UNSUPPORTED))
def test_functions_of_later_versions_are_named_plainly(name):
    with pytest.raises(QueryError, match=f"`{name}` is LogQL, but not in this version"):
        parse(f'{name}({{a="b"}} [5m])')


@pytest.mark.parametrize("name", sorted(STAGES_UNSUPPORTED))
def test_stages_of_later_versions_are_named_plainly(name):
    with pytest.raises(QueryError, match=f"`{name}` is LogQL, but not in this version"):
        parse(f'{{a="b"}} | {name} "x"')


def test_nothing_is_both_known_and_for_later():
    assert not UNSUPPORTED & (RANGE.keys() | VECTOR.keys())
    assert not STAGES_UNSUPPORTED & STAGES.keys()


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
