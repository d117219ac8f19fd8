import pytest

from tailrace.errors import QueryError
from tailrace.query import parser
from tailrace.query.syntax import LogQuery
from tailrace.web.explorer.search.chart import NONE, OF_FIELD, OF_LINES, Choice, choice, draw, expression
from tailrace.web.explorer.search.spans import Span
from tailrace.web.explorer.search.state import State
from web.conftest import NOW_NS, House, S


def log(text: str = '{a="b"}') -> LogQuery:
    query = parser.parse(text)
    assert isinstance(query, LogQuery)
    return query


@pytest.mark.parametrize(
    ("chosen", "text"),
    [
        (Choice(), 'sum by (detected_level) (count_over_time({a="b"} [1m]))'),
        (Choice("rate", split=NONE), 'sum (rate({a="b"} [1m]))'),
        (Choice("bytes", split="host"), 'sum by (host) (bytes_over_time({a="b"} [1m]))'),
        (Choice("avg", "n", "host"), 'avg_over_time({a="b"} | unwrap n | __error__="" [1m]) by (host)'),
        (
            Choice("max", "duration(took)", NONE),
            'max_over_time({a="b"} | unwrap duration(took) | __error__="" [1m]) by ()',
        ),
        (Choice("sum", "n", NONE), 'sum (sum_over_time({a="b"} | unwrap n | __error__="" [1m]))'),
        (Choice("p95", "n", "a"), 'quantile_over_time(0.95, {a="b"} | unwrap n | __error__="" [1m]) by (a)'),
    ],
)
def test_choices_are_metric_queries(chosen: Choice, text: str) -> None:
    assert expression(log(), chosen, 60 * S) == text


@pytest.mark.parametrize("stat", [*OF_LINES, *OF_FIELD])
@pytest.mark.parametrize("query", ['{a="b"}', '{a="b"} |= "x" | json | line_format "{{.y}}"'])
@pytest.mark.parametrize("split", [NONE, "host"])
def test_every_choice_of_every_query_parses(stat: str, query: str, split: str) -> None:
    assert not isinstance(parser.parse(expression(log(query), Choice(stat, "n", split), S)), LogQuery)


def test_choices_come_from_the_address() -> None:
    state = State(by="host", others=(("stat", "p50"), ("of", "duration(took)"), ("step", "5m"), ("x", "y")))
    assert choice(state) == Choice("p50", "duration(took)", NONE, 300 * S)
    assert choice(State(by="host")) == Choice("count", "", "host", None)
    assert choice(State(others=(("split", "pod"),))).split == "pod"


@pytest.mark.parametrize(
    ("others", "said"),
    [
        ((("stat", "mode"),), "stat='mode'"),
        ((("stat", "avg"),), "the average of which field?"),
        ((("of", "a b"),), "of='a b'"),
        ((("split", "a)"),), "split='a)'"),
        ((("step", "soon"),), "step='soon'"),
    ],
)
def test_a_choice_that_is_none_is_told(others: tuple[tuple[str, str], ...], said: str) -> None:
    with pytest.raises(QueryError, match=said.replace("?", r"\?").replace(")", r"\)")):
        choice(State(others=others))


def test_a_chart_counts_what_lies_in_its_steps(house: House) -> None:
    house.store((-1, "a"), (-60 * S, "b"), (-61 * S, "c"), host="h", fields={"n": 4})
    span = Span(NOW_NS - 120 * S, NOW_NS, "", "")
    tree = log('{service_name="app"}')
    drawn = draw(house.services, tree, span, State(others=(("split", "host"), ("step", "1m"))))
    assert [(curve.name, curve.points) for curve in drawn.chart.curves] == [
        ("host=h", {NOW_NS - 60 * S: 2.0, NOW_NS: 1.0})  # a point at T tells of (T - step, T]
    ]
    summed = draw(house.services, tree, span, State(others=(("stat", "sum"), ("of", "n"), ("step", "1m"))))
    assert [curve.points for curve in summed.chart.curves] == [{NOW_NS - 60 * S: 8.0, NOW_NS: 4.0}]
    metric = parser.parse('sum(count_over_time({service_name="app"}[2m]))')
    assert draw(house.services, metric, span, State()).choice is None


def test_too_fine_a_step_is_refused(house: House) -> None:
    with pytest.raises(QueryError, match="more than 1000 points"):
        draw(house.services, log(), Span(0, 86_400 * S, "", ""), State(others=(("step", "10s"),)))
