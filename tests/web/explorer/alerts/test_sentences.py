"""The sentence of the form, as an expression and back."""

from __future__ import annotations

import pytest

from tailrace.errors import QueryError
from tailrace.web.explorer.alerts.sentences import Sentence, is_metric, name_of, recognised, written

Q = '{app="x"} |= "boom"'


@pytest.mark.parametrize(
    ("said", "expr"),
    [
        (Sentence(Q, n="10"), 'sum(count_over_time({app="x"} |= "boom" [5m])) > 10'),
        (Sentence(Q, "rate", by="host, path", n="0.5"), 'sum by (host, path) (rate({app="x"} |= "boom" [5m])) > 0.5'),
        (Sentence(Q, cmp="below", over="60s", n="1"), 'sum(count_over_time({app="x"} |= "boom" [1m])) < 1'),
        (
            Sentence('{app="x"}', "share", by="host", n="5%"),
            (
                'sum by (host) (count_over_time({app="x"} | detected_level=~"error|critical|fatal" [5m]))'
                ' / sum by (host) (count_over_time({app="x"} [5m])) > 0.05'
            ),
        ),
        (
            Sentence('{app="x"}', "value", "ms", "p95", by="host", cmp="at least", n="-2"),
            'quantile_over_time(0.95, {app="x"} | unwrap ms [5m]) by (host) >= -2',
        ),
        (Sentence('{app="x"}', "value", "ms", "max"), 'max_over_time({app="x"} | unwrap ms [5m]) by () > 0'),
    ],
)
def test_a_sentence_is_an_expression(said: Sentence, expr: str) -> None:
    assert written(said) == expr
    found = recognised(expr)
    assert found is not None
    assert written(found) == expr


@pytest.mark.parametrize(
    "expr",
    [
        "up > 3",
        'sum(count_over_time({app="x"}[5m]))',
        'topk(3, sum by (a) (rate({app="x"}[5m]))) > 1',
        'sum without (a) (rate({app="x"}[5m])) > 1',
        'sum(rate({app="x"}[5m] offset 1h)) > 1',
        'sum(rate({app="x"}[5m])) > bool 1',
        'sum(rate({app="x"}[5m])) / sum(rate({app="y"}[5m])) > 1',
        'quantile_over_time(0.9, {app="x"} | unwrap ms [5m]) by () > 1',
        '{app="x"}',
        "sum(",
    ],
)
def test_what_no_sentence_says_stays_an_expression(expr: str) -> None:
    assert recognised(expr) is None


@pytest.mark.parametrize(
    ("said", "what"),
    [
        (Sentence(""), "which lines count"),
        (Sentence('{app="x"'), "expected"),
        (Sentence('rate({app="x"}[5m])'), "gives numbers already"),
        (Sentence(Q, over="soon"), "no length of time"),
        (Sentence(Q, over="0s"), "no length of time"),
        (Sentence(Q, by="host;drop"), "no name of a label"),
        (Sentence(Q, n="many"), "no number"),
        (Sentence(Q, n=""), "no number"),
        (Sentence(Q, cmp="near"), "compares nothing"),
        (Sentence(Q, "value"), "is missing"),
        (Sentence(Q, "value", "a b"), "no name of a field"),
        (Sentence(Q, "value", "ms", "often"), "makes no number"),
        (Sentence(Q, "luck"), "nothing that can be measured"),
    ],
)
def test_what_is_no_sentence_is_refused(said: Sentence, what: str) -> None:
    with pytest.raises(QueryError, match=what):
        written(said)


def test_a_mistake_in_the_query_is_pointed_at() -> None:
    with pytest.raises(QueryError) as caught:
        written(Sentence('{app="x"} |= boom'))
    assert caught.value.line_column == (1, 14)


def test_a_name_is_proposed() -> None:
    assert name_of(Sentence(Q)) == "x boom"
    assert name_of(Sentence('{filename="/var/log/cart.log"}', "share")) == "cart.log errors"
    assert name_of(Sentence("", "count")) == ""
    assert name_of(Sentence(Q), "rate({a='b'}[5m])") == ""


def test_a_query_that_gives_numbers_is_told_from_lines() -> None:
    assert is_metric('rate({app="x"}[5m])')
    assert not is_metric('{app="x"}')
    assert not is_metric("rate(")
    assert not is_metric("")
