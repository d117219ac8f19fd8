"""Many expressions answered from one reading give what each gives alone, whatever they are and whatever else is asked."""

from __future__ import annotations

import math

import polars as pl
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from alerts.place import Place, alert, group
from tailrace.alerts.evaluate import asking
from tailrace.alerts.evaluate.asking import TableAsk
from tailrace.alerts.evaluate.contracts import Answers
from tailrace.batch import Batch
from tailrace.engines.polars import PolarsEngine
from tailrace.errors import TransientError
from tailrace.store.table import LogTable

S = 10**9
MINUTE = 60 * S
NOW = 1_767_225_600 * S
STREAMS = (
    '{app="shop", host="a"}',
    '{app="shop", host="b", zone="eu"}',
    '{app="cart", host="a"}',
    '{app="cart", zone="us"}',
    '{source="cron"}',
)
WORDS = (
    "error in pay",
    "timeout",
    "all is well",
    "Error 17",
    '{"took": 5, "user": "x"}',
    '{"took": "a"}',
    "took=7 user=y",
    "",
)


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """Lines of ten minutes in three segments, two of files with fields and one as pushed, none in the last second."""
    table = LogTable.open(tmp_path_factory.mktemp("data"), create=True)
    for part in range(3):
        number = pl.int_range(part, 600, 3, eager=True)
        times = number * S + (NOW - 600 * S)
        frame = pl.DataFrame(
            {
                "_time_ns": times,
                "_observed_ns": times,
                "_stream": [STREAMS[(n * 7) % len(STREAMS)] for n in number],
                "_line": [WORDS[(n * 5) % len(WORDS)] for n in number],
            }
        )
        if part < 2:  # the third was pushed
            frame = frame.with_columns(
                took=number % 16 / 4,  # halves and quarters: sums are exact in any order
                status=pl.Series([(200, 404, 500)[n % 3] for n in number]),
                user=pl.Series([("x", "y", None)[n % 3] for n in number], dtype=pl.String),
                _level=pl.Series([("info", "error")[n % 2] for n in number]),
                _format=pl.lit("json"),
            )
        table.commit([Batch(frame, "test", len(number), 20 * len(number))])
    return table


SELECTORS = (
    '{app="shop"}',
    '{app="cart"}',
    '{app="cart", host="a"}',
    '{host="a"}',
    '{app=~"shop|cart", zone=""}',
    '{app=~".+", zone!="eu"}',
    '{source="cron"}',
    '{app="none"}',
)
FILTERS = ("", '|= "error"', '|~ "(?i)error|timeout"', '!= "well" |= "o"', "|> `took=<_>`", '|= ip("10.0.0.0/8")')
STAGES = (
    "",
    "| status >= 404",
    '| detected_level="error"',
    '| json | user="x"',
    '| logfmt | __error__=""',
    '| json | __error__="" | drop user',
    "| json",  # some lines are none: an error
    "| keep app, user",
    '| label_format who="{{.host}}/{{.app}}"',
    "| user=~`x|y` | took > 1",
)
LINES = ("count_over_time", "rate", "bytes_over_time", "absent_over_time")
VALUES = (
    "sum_over_time",
    "max_over_time",
    "quantile_over_time(0.5, ",
    "last_over_time",
    "avg_over_time",
    "rate_counter",
)
RANGES = ("[1m]", "[5m]", "[90s] offset 1m")
ABOVE = (
    "{}",
    "sum({})",
    "sum by (host) ({})",
    "sum without (host) ({})",
    "topk(1, {})",
    "bottomk by (app) (1, {})",
    "count by (app) ({})",
    "max({}) - 1",
    "2 * {}",
    "{} or vector(0)",
    "sort_desc(sum by (app, host) ({}))",
    'label_replace({}, "node", "$1", "host", "(.*)")',
    "approx_topk(1, sum by (host) ({}))",
    "avg by (zone) ({}) > bool 1",
)
BETWEEN = (
    "{} / {}",
    "sum({}) / sum({})",
    "sum by (app) ({}) + on (app) sum by (app) ({})",
    "{} unless ignoring (zone) {}",
)
BETWEEN_MORE = ("{} and {}", "sum by (host) ({}) * ignoring (app) group_left () sum by (app, host) ({})")


def leaf(selector, filters, stages, function, span, *, values):
    if values:
        head = function if "(" in function else f"{function}("
        return f"{head}{selector} {filters} {stages} | unwrap took {span})"
    return f"{function}({selector} {filters} {stages} {span})"


lines = st.builds(leaf, *map(st.sampled_from, (SELECTORS, FILTERS, STAGES, LINES, RANGES)), values=st.just(False))
numbers = st.builds(leaf, *map(st.sampled_from, (SELECTORS, FILTERS, STAGES[:5], VALUES, RANGES)), values=st.just(True))
one = st.builds(str.format, st.sampled_from(ABOVE), lines | numbers)
two = st.builds(str.format, st.sampled_from(BETWEEN + BETWEEN_MORE), lines | numbers, lines | numbers)
windows = st.sampled_from(
    (range(NOW, NOW + 1, MINUTE), range(NOW - 3 * MINUTE, NOW + 1, MINUTE), range(NOW - 7 * S, NOW, 3 * S))
)


def same(found: Answers, expected: Answers) -> bool:
    """Compare answers; NaN is itself, an error has the same words, and means may be summed in another order."""
    assert found.at.keys() == expected.at.keys()
    return all(
        mine.error == theirs.error
        and mine.values.keys() == theirs.values.keys()
        and all(
            math.isclose(value, theirs.values[key], rel_tol=1e-12)
            or (math.isnan(value) and math.isnan(theirs.values[key]))
            for key, value in mine.values.items()
        )
        for mine, theirs in ((found.at[at_ns], expected.at[at_ns]) for at_ns in found.at)
    )


@settings(max_examples=30, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate))
@given(st.lists(one | two, min_size=4, max_size=8, unique=True), windows)
def test_what_is_asked_together_is_answered_as_alone(table, expressions, times):
    shared, alone = TableAsk(table, PolarsEngine()), TableAsk(table, PolarsEngine())
    shared.prepare([(text, times) for text in expressions])
    for text in expressions:
        assert same(shared(text, times), alone(text, times)), text


def words(count):
    return [f'sum by (host) (count_over_time({{app="shop"}} |= "{n}" [5m]))' for n in range(count)]


class Counted(PolarsEngine):
    """Counts the scans of files that it runs."""

    def __init__(self):
        self.scans = 0

    def collect(self, frame):
        self.scans += 1
        return super().collect(frame)


def test_lines_are_read_once_for_all(table):
    times, engine = range(NOW, NOW + 1, MINUTE), Counted()
    ask = TableAsk(table, engine)
    ask.prepare([(text, times) for text in words(50)])
    for text in words(50):
        assert not ask(text, times).at[NOW].error
    assert engine.scans == 1


def test_columns_that_were_missed_are_known_the_next_time(table):
    engine = Counted()
    ask = TableAsk(table, engine)
    expressions = [f'sum(count_over_time({{app="shop"}} | status >= {n} [5m]))' for n in range(400, 404)]
    for expected in (2, 3):  # the first round reads twice
        times = range(NOW, NOW + 1, MINUTE)
        ask.prepare([(text, times) for text in expressions])
        assert [ask(text, times).at[NOW].error for text in expressions] == [""] * 4
        assert engine.scans == expected


def test_what_looks_further_back_than_is_held_is_asked_alone(table):
    times = range(NOW, NOW + 1, MINUTE)
    ask, alone = TableAsk(table, PolarsEngine(), held_rows=350), TableAsk(table, PolarsEngine())
    long = 'sum(count_over_time({app="shop"}[10m]))'  # 600 lines; five minutes have 300
    ask.prepare([(text, times) for text in [*words(4), long]])
    assert (long, times) not in ask._ready
    assert len(ask._ready) == 4
    assert same(ask(long, times), alone(long, times))


def test_one_that_fails_does_not_fail_the_others(table):
    times = range(NOW, NOW + 1, MINUTE)
    ask = TableAsk(table, PolarsEngine())
    good, bad = ("sum by (user) (count_over_time({%s} | json [5m]))" % one for one in ('app="none"', 'source="cron"'))  # noqa: UP031
    ask.prepare([(text, times) for text in [good, bad, *words(4)]])
    assert ask(good, times).at[NOW].error == ""
    assert "JSONParserErr" in ask(bad, times).at[NOW].error


def test_the_number_of_series_is_bound_for_each_alone(table, monkeypatch):
    monkeypatch.setattr(asking, "SERIES_LIMIT", 2)
    times = range(NOW, NOW + 1, MINUTE)
    ask = TableAsk(table, PolarsEngine())
    few, many = "sum by (host) (rate({app=~`.+`}[5m]))", "sum by (host) (rate({host=~`.+`}[5m]))"
    ask.prepare([(text, times) for text in [few, many, *words(4)]])
    assert len(ask(few, times).at[NOW].values) == 3  # asked alone, whose bound is another one here
    assert len(ask(many, times).at[NOW].values) == 2


def test_a_table_that_cannot_be_read_is_an_answer(table, monkeypatch):
    times = range(NOW, NOW + 1, MINUTE)
    ask = TableAsk(table, PolarsEngine())

    def broken():
        raise TransientError("the disk is away")

    monkeypatch.setattr(table, "snapshot", broken)
    ask.prepare([(text, times) for text in words(4)])
    assert ask(words(1)[0], times).at[NOW].error == "the disk is away"


def test_a_second_round_forgets_what_the_first_did_not_ask(table):
    times = range(NOW, NOW + 1, MINUTE)
    ask = TableAsk(table, PolarsEngine())
    ask.prepare([(text, times) for text in words(4)])
    ask.prepare([])
    assert not ask._ready


def test_when_the_server_stops_there_is_no_answer(table):
    """Neither of one that is asked alone nor of what was read ahead: an error would be kept as a window's outcome."""
    times, stops = range(NOW, NOW + 1, MINUTE), [False]
    ask = TableAsk(table, PolarsEngine(), cancelled=lambda: stops[0])
    ask.prepare([(text, times) for text in words(4)])
    stops[0] = True
    with pytest.raises(TransientError, match="the server stops"):
        ask(words(1)[0], times)
    with pytest.raises(TransientError, match="the server stops"):
        ask('sum(count_over_time({app="shop"}[10m]))', times)


def test_a_round_asks_together_what_it_knows_to_ask(tmp_path, monkeypatch):
    here = Place(tmp_path)
    here.lines(1, 2)
    alone = []
    ask = here.ask._alone
    monkeypatch.setattr(here.ask, "_alone", lambda asked, times: alone.append(asked) or ask(asked, times))
    texts = [f'sum by (host) (count_over_time({{app="x"}} |= "{word}" [1m])) > 0' for word in ("b", "o", "oo", "om")]
    rules = group(*(alert(f"A{number}", text) for number, text in enumerate(texts)))
    assert [here.tick(minute, rules) for minute in (1, 2)] == [4, 4]
    assert alone == []
