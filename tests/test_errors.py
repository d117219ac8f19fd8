"""Messages: what, where, what to do."""

from __future__ import annotations

import pytest

from tailrace.errors import ConfigError, Problem, QueryError, TailraceError, did_you_mean, one_line


@pytest.mark.parametrize(
    ("problem", "text"),
    [
        (Problem("$.a", "wrong"), "$.a: wrong"),
        (Problem("$.a", "wrong", "mend it"), "$.a: wrong (mend it)"),
        (Problem("$.a", "wrong", "mend it", 3, 7), "3:7: $.a: wrong (mend it)"),
    ],
)
def test_a_problem_is_one_line(problem: Problem, text: str) -> None:
    assert str(problem) == text


def test_a_problem_in_a_file_starts_as_editors_link_it() -> None:
    assert Problem("$.a", "wrong", "", 3, 7).one_line("t.yaml") == "t.yaml:3:7: $.a: wrong"
    assert Problem("$.a", "wrong").one_line("t.yaml") == "t.yaml: $.a: wrong"


def test_a_config_error_of_one_text() -> None:
    error = ConfigError("cannot be read", file="t.yaml")
    assert str(error) == "t.yaml: cannot be read"
    assert error.problems == (Problem("$", "cannot be read"),)
    assert str(ConfigError("wrong")) == "wrong"


def test_a_config_error_of_several_problems_counts_them() -> None:
    error = ConfigError([Problem("$.a", "x"), Problem("$.b", "y", "z", 2, 1)], file="t.yaml")
    assert str(error) == "2 problems\nt.yaml: $.a: x\nt.yaml:2:1: $.b: y (z)"


@pytest.mark.parametrize(
    ("query", "position", "place"),
    [
        ("abc", 0, (1, 1)),
        ("abc", 2, (1, 3)),
        ("abc", 3, (1, 4)),
        ("a\nbc", 2, (2, 1)),
        ("a\n\nb", 2, (2, 1)),
        ("a\n", 2, (2, 1)),
    ],
)
def test_line_and_column(query: str, position: int, place: tuple[int, int]) -> None:
    assert QueryError("wrong", query=query, position=position).line_column == place


def test_a_query_error_shows_its_line_with_a_caret() -> None:
    error = QueryError("expected a number", query='{a="b"}\n | x > ', position=14, hint="write one")
    assert str(error) == "parse error at line 2, col 7: expected a number (write one)\n   | x > \n        ^"
    assert error.one_line() == "parse error at line 2, col 7: expected a number (write one)"


def test_a_query_error_without_a_place_is_one_line() -> None:
    assert str(QueryError("the range is empty", hint="widen it")) == "the range is empty (widen it)"
    assert QueryError("x", query="abc").line_column is None


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            QueryError("expected a number", query='{a="b"} | x > ', position=14),
            "parse error at line 1, col 15: expected a number",
        ),
        (TailraceError("the disk\n is  full"), "the disk is full"),
        (TimeoutError(), "TimeoutError"),
    ],
)
def test_a_failure_is_said_on_one_line(error: Exception, said: str) -> None:
    assert one_line(error) == said


def test_every_family_is_caught_as_one() -> None:
    assert issubclass(ConfigError, TailraceError)
    assert issubclass(QueryError, TailraceError)


def test_did_you_mean() -> None:
    assert did_you_mean("lisen", ["listen", "data"]) == "did you mean 'listen'?"
    assert did_you_mean("zzz", ["listen", "data"]) == ""
    assert did_you_mean("x", []) == ""
