"""Recorded series in queries: which sample counts at a point, which labels are left, and what the language takes."""

from __future__ import annotations

import polars as pl
import pytest

from tailrace.errors import QueryError
from tailrace.query import named
from tailrace.query.grid import Grid
from tailrace.query.named import SAMPLES, nameless, on_grid
from tailrace.query.parser import parse
from tailrace.query.syntax import Binary, Matcher, Matching, Named

S = 10**9
MINUTE = 60 * S


class Kept:
    """Samples of one name: (host, minute, value), with None where the series ended."""

    def __init__(self, *rows):
        self.rows = rows

    def samples(self, name, start_ns, end_ns):
        assert name == "m"
        rows = [
            (f'{{__name__="m", host="{host}"}}', round(minute * MINUTE), value, value is None)
            for host, minute, value in self.rows
            if start_ns <= round(minute * MINUTE) < end_ns
        ]
        return pl.DataFrame(rows, schema=SAMPLES, orient="row")


def points(kept, first, last, step=1.0, **more):
    """Return the value at each minute, by host."""
    grid = Grid(round(first * MINUTE), round(step * MINUTE), round((last - first) / step) + 1)
    frame = on_grid(Named("m", **more), kept, grid).frame
    return {(row["label.host"], first + step * row["step"]): row["value"] for row in frame.iter_rows(named=True)}


def test_the_newest_sample_of_five_minutes_counts():
    assert points(Kept(("a", 1, 5.0), ("a", 3, 7.0)), 0, 9) == {
        ("a", 1): 5.0,
        ("a", 2): 5.0,
        **{("a", minute): 7.0 for minute in (3, 4, 5, 6, 7)},
    }


def test_a_sample_is_too_old_after_exactly_five_minutes():
    kept = Kept(("a", 1, 5.0))
    assert points(kept, 6 - 1 / 60, 6 - 1 / 60) == {("a", 6 - 1 / 60): 5.0}
    assert points(kept, 6, 6) == {}


def test_a_series_ends_at_its_stale_mark():
    kept = Kept(("a", 1, 5.0), ("a", 2, None), ("b", 1, 6.0), ("a", 4, 8.0))
    assert points(kept, 1, 4) == {
        ("a", 1): 5.0,
        ("a", 4): 8.0,
        **{("b", minute): 6.0 for minute in (1, 2, 3, 4)},
    }


def test_points_between_samples_and_an_offset():
    kept = Kept(("a", 1, 5.0), ("a", 2, 7.0))
    assert points(kept, 1, 2.5, 0.5) == {("a", 1): 5.0, ("a", 1.5): 5.0, ("a", 2): 7.0, ("a", 2.5): 7.0}
    assert points(kept, 2, 3, offset_ns=MINUTE) == {("a", 2): 5.0, ("a", 3): 7.0}


def test_matchers_choose_series():
    kept = Kept(("a", 1, 5.0), ("b", 1, 6.0))
    assert points(kept, 1, 1, matchers=(Matcher("host", "=~", "b|c"),)) == {("b", 1): 6.0}
    assert points(kept, 1, 1, matchers=(Matcher("host", "=", "c"),)) == {}


def test_a_name_that_operators_drop():
    assert on_grid(Named("m"), Kept(("a", 1, 5.0)), Grid(MINUTE, 1, 1)).labels == ["label.__name__", "label.host"]
    assert on_grid(Named("m", plain=True), Kept(("a", 1, 5.0)), Grid(MINUTE, 1, 1)).labels == ["label.host"]


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("m", [False]),
        ("m > 1", [False]),
        ("1 < m", [False]),
        ("m > bool 1", [True]),
        ("m * 2", [True]),
        ("m / n", [True, True]),
        ("m > n", [True, True]),
        ("m and n", [False, False]),
        ("sum(m)", [True]),
        ("topk(1, m)", [False]),
        ("sum(topk(1, m))", [True]),
        ("sum by (__name__) (m)", [False]),
        ('label_replace(m, "a", "b", "c", "d")', [False]),
    ],
)
def test_where_the_name_is_kept(text, plain):
    assert [one.plain for one in named.names(nameless(parse(text, names=True)))] == plain


def test_sets_do_not_compare_names():
    found = nameless(parse("m and n", names=True))
    assert isinstance(found, Binary)
    assert found.matching == Matching(on=False, labels=("__name__",))
    on = nameless(parse("m unless on (host) n", names=True))
    assert isinstance(on, Binary)
    assert on.matching == Matching(on=True, labels=("host",))


@pytest.mark.parametrize(
    "text",
    [
        "up",
        'cart:errors:rate5m{host="a", zone!~"eu|us"} offset 1h',
        'sum by (host) (a:b) / sum(rate({app="x"} |= "e" [5m]))',
        "ALERTS > 0 unless on (host) :odd",
        "topk(2, a:b offset 5m)",
    ],
)
def test_what_is_read_is_written_the_same(text):
    query = parse(text, names=True)
    assert parse(str(query), names=True) == query


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("rate(a:b[5m])", "`rate` takes a log query"),
        ("a:b[5m]", "recorded series have no range"),
        ("a:b(1)", "unknown function `a:b`"),
        ('a:b{host=~"("}', "("),
        ("a:b offset", "expected a duration after `offset`"),
        ("{a:b}", "expected"),
    ],
)
def test_what_is_refused(text, says):
    with pytest.raises(QueryError, match=says.replace("(", r"\(")):
        parse(text, names=True)


def test_a_query_of_lines_has_no_names():
    with pytest.raises(QueryError, match="unexpected character ':'"):
        parse("a:b > 1")
    with pytest.raises(QueryError, match="expected a stream selector"):
        parse("up")


@pytest.mark.parametrize("text", ["a:b offset 5m", "sum(a:b)", "1"])
def test_what_is_no_selector(text):
    with pytest.raises(QueryError, match="no selector of series"):
        named.selector(text)
