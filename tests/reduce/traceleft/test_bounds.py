"""What rules say of a text for sure: never less than what the rule takes."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailrace.reduce.traceleft.bounds import beginnings
from tailrace.reduce.traceleft.rule import EventRule

PATHS = ("/a", "/a/b", "/ab", "/srv/x", "", "b")
PARTS = (
    "arg1 == '/a'", "filename = '/a/b'", "'/ab' == arg1", "arg1 in ('/a', 'b')", "arg1 like '/a%'", "arg1 like '/srv/_'",
    "arg1 != '/a'", "arg2 > 0", "arg1 ilike '/A'", "not arg1 == '/a'", "arg1 like '%b'", "arg1 =~ 'a'",
)  # fmt: skip


@pytest.mark.parametrize(
    ("rules", "known"),
    [
        (["arg1 == '/a'"], ("/a\0",)),
        (["filename == '/a' and arg2 == 0"], ("/a\0",)),
        (["arg1 like '/srv/%'"], ("/srv/",)),
        (["arg1 == '/a' or arg1 == '/b'"], ("/a\0", "/b\0")),
        (["arg1 == '/a'", "arg1 in ('/b', '/c')"], ("/a\0", "/b\0", "/c\0")),
        (["arg1 == '/a' or arg2 == 0"], None),
        (["arg1 == '/a'", ""], None),
        (["arg2 == 5"], None),
        (["arg1 like '%x'"], None),
        (["arg1 != '/a'"], None),
        (["arg1 == '\\xff'"], None),
        (['arg1 == "/a"'], None),  # a name in double quotes may be a text or an argument
    ],
)
def test_what_is_known(rules, known):
    assert beginnings(rules, "open", 1) == known


@given(
    st.lists(
        st.recursive(
            st.sampled_from(PARTS),
            lambda inner: st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(
                lambda p: f"({p[0]} {p[1]} {p[2]})"
            ),
            max_leaves=4,
        ),
        min_size=1,
        max_size=3,
    )
)
def test_what_a_rule_takes_is_never_left_out(rules):
    known = beginnings(rules, "open", 1)
    frame = pl.DataFrame({"name": ["open"] * len(PATHS), "arg1": PATHS, "arg2": list(range(len(PATHS)))})
    for rule in rules:
        for path in frame.filter(EventRule(rule, "open").mask(frame))["arg1"]:
            assert known is None or any((path + "\0").startswith(text) for text in known), rule
