"""What is refused, where and why; what a pattern means is in `tests/parse/test_pattern.py`."""

import polars as pl
import pytest

from tailrace.patterns.capture import capture_regex
from tailrace.patterns.grok import expand
from tailrace.patterns.library import LIBRARY
from tailrace.patterns.regex import PatternError, groups_of


@pytest.mark.parametrize(
    ("pattern", "column", "what"),
    [
        (r"ab(?=c)(?P<x>c)", 3, "looking ahead"),
        (r"(?P<x>c)(?!d)", 9, "looking ahead"),
        (r"(?<!a)(?P<x>c)", 1, "looking behind"),
        (r"(?P<x>c)\1", 9, "back-reference"),
        (r"(?P<x>c)(?P=x)", 9, "back-reference"),
        (r"(?P<x>c)\k<x>", 9, "back-reference"),
        (r"(?>a)(?P<x>c)", 1, "atomic"),
        (r"(?P<x>c)(?P<x>d)", 9, "'x' is there twice"),
        (r"(?P<x-y>c)", 1, "cannot name a group"),
        (r"a(?P<x>c", 2, "unclosed group"),
        (r"^a(?P<x>c", 3, "unclosed group"),
        (r"(?P<x>c)[z-a]", 10, "invalid character class range"),
    ],
)
def test_a_pattern_that_cannot_be_used_says_where(pattern, column, what):
    with pytest.raises(PatternError, match=what) as caught:
        groups_of(pattern)
    assert caught.value.column == column


@pytest.mark.parametrize("pattern", [r"[(?=x)](?P<a>b)", r"\(\?=(?P<a>b)", r"[^](?=]*(?P<a>b)", r"\\1(?P<a>b)"])
def test_what_only_looks_like_it_is_taken(pattern):
    assert groups_of(pattern) == ("a",)


@pytest.mark.parametrize("name", LIBRARY)
def test_every_named_pattern_compiles_and_has_no_alternative_that_escapes(name):
    regex = expand(f"x%{{{name}}}y").regex
    assert pl.Series(["qqq"]).str.contains(regex).to_list() == [False]


@pytest.mark.parametrize(
    ("pattern", "definitions", "what"),
    [
        ("%{IPX:a}", {}, "column 1: there is no pattern 'IPX'; did you mean 'IP'"),
        ("x %{INT:a:itn}", {}, "column 3: there is no type 'itn'; did you mean 'int'"),
        ("%{A:a}", {"A": "%{B}", "B": "%{A}"}, "uses itself"),
        ("%{INT:a} %{INT:a}", {}, "'a' is there twice"),
        ("%{INT:a.b}", {}, "cannot name a field"),
    ],
)
def test_a_grok_pattern_that_cannot_be_used(pattern, definitions, what):
    with pytest.raises(PatternError, match=what):
        expand(pattern, definitions)


@pytest.mark.parametrize(
    ("pattern", "what"),
    [
        ("no capture", "at least one capture"),
        ("<_> only", "at least one capture"),
        ("<a><b>", "column 4: two captures in a row"),
        ("<a> <a>", "column 5: the capture 'a' is there twice"),
    ],
)
def test_a_capture_pattern_that_cannot_be_used(pattern, what):
    with pytest.raises(PatternError, match=what):
        capture_regex(pattern)
