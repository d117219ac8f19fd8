"""Lines in memory: which streams a selector means there, and what a copy of some of them looks like to a query."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailrace.alerts.evaluate.copies import OWNER, CopiesEngine, UnreadError, copies_of
from tailrace.alerts.evaluate.held import Asked, Held, Streams
from tailrace.batch import Batch, stream_text
from tailrace.engines.polars import PolarsEngine
from tailrace.query.parser import parse, parse_selector
from tailrace.query.streams import select
from tailrace.query.syntax import LogQuery
from tailrace.store.table import LogTable

A, B, C = '{app="x", host="a"}', '{app="x", host="b"}', '{app="y"}'

labels = st.dictionaries(st.sampled_from(("app", "host", "zone")), st.sampled_from(("a", "b", "ab")))
matchers = st.builds(
    "{}{}{}".format,
    st.sampled_from(("app", "host", "zone")),
    st.sampled_from(("=", "!=", "=~", "!~")),
    st.sampled_from(('""', '"a"', '"b"', '"a|b"', '"a.*"', '".+"', '".*"')),
)


@given(st.lists(labels, max_size=8), st.lists(matchers, max_size=3))
def test_streams_are_chosen_as_a_query_chooses_them(sets, chosen):
    texts = sorted({stream_text(one) for one in sets})
    selector = parse_selector("{" + ", ".join(chosen) + "}")
    streams = Streams(texts)
    assert [streams.texts[place] for place in streams.chosen(selector)] == sorted(select(texts, selector)["_stream"])


@pytest.fixture
def held(tmp_path):
    """Two segments: times 1 to 4 of A, B, A, C, then 5 and 6 of B and A."""
    table = LogTable.open(tmp_path, create=True)
    for times, streams in (((1, 2, 3, 4), (A, B, A, C)), ((5, 6), (B, A))):
        lines = [f"line {at}" for at in times]
        frame = pl.DataFrame({"_time_ns": times, "_observed_ns": times, "_stream": streams, "_line": lines})
        form = pl.lit("json" if 5 in times else None, pl.String)
        frame = frame.with_columns(status=pl.col("_time_ns") * 100, _format=form)
        table.commit([Batch(frame, "test", len(times), 10)])
    snapshot = table.snapshot()
    segments = snapshot.segments(0, 100)
    streams = Streams(segments.streams()["_stream"].unique().to_list())
    return Held.read(snapshot, PolarsEngine(), segments, streams, (0, 1), ("_level",), (2, 7))


def asked(text):
    query = parse(text)
    assert isinstance(query, LogQuery)
    return Asked(query.selector, query.stages)


def test_rows_lie_by_stream_and_only_those_that_are_wanted(held):
    assert held.rows["_stream"].to_list() == [A, A, B, B]
    assert held.rows.select("_stream", "_time_ns").sort("_stream", "_time_ns").rows() == [
        (A, 3),
        (A, 6),
        (B, 2),
        (B, 5),
    ]
    assert held.within(3, 6).rows["_time_ns"].to_list() == [3, 5]
    assert held.within(2, 7) is held


def test_an_asker_reads_its_streams_and_the_lines_that_pass(held):
    assert held.places(asked('{app="x"}')).to_list() == [0, 1, 2, 3]
    assert held.places(asked('{host="b"}')).to_list() == [2, 3]
    assert held.rows["_time_ns"].gather(held.places(asked('{app="x"} |= "5"'))).to_list() == [5]
    assert held.places(asked('{app="y"}')).to_list() == []


def test_copies_have_the_name_of_their_asker_on_each_stream(held):
    copies = copies_of(held, [("0", asked('{host="a"}')), ("1", asked('{app="x"} !~ "3|5"'))])
    segments = copies.segments(0, 100)
    frame = CopiesEngine().collect(CopiesEngine().scan(segments, {"_stream": pl.String(), "_time_ns": pl.Int64()}))
    mine = [f'{text.removesuffix("}")}, {OWNER}="{name}"}}' for text, name in ((A, "0"), (A, "1"), (B, "1"))]
    assert frame.sort("_stream", "_time_ns").rows() == [(mine[0], 3), (mine[0], 6), (mine[1], 6), (mine[2], 2)]
    assert segments.streams().select("_stream", "rows", "line_bytes", "min_time_ns", "max_time_ns").rows() == [
        (mine[0], 2, 12, 3, 6),
        (mine[1], 1, 6, 6, 6),
        (mine[2], 1, 6, 2, 2),
    ]


def test_the_path_says_which_formats_are_there(held):
    """What is remembered of a path must be true of all that have it."""
    both, one, other = ('{app="x"}', '{app="x"} |~ "5|6"', '{app="x"} |~ "2|3"')
    paths = [copies_of(held, [("0", asked(text))]).segments(0, 100).path for text in (both, one, other, both)]
    assert paths == ['held:[null, "json"]', 'held:["json"]', "held:[null]", 'held:[null, "json"]']


def test_one_without_a_name_has_the_streams_as_they_are(held):
    segments = copies_of(held, [(None, asked('{host="a"}'))]).segments(0, 100)
    assert segments.streams()["_stream"].to_list() == [A]


def test_a_column_that_was_not_read_is_said_to_be(held):
    segments = copies_of(held, [("0", asked('{host="a"}'))]).segments(0, 100)
    with pytest.raises(UnreadError, match="status"):
        CopiesEngine().scan(segments, {"status": pl.Int64(), "_line": pl.String()})
    frame = CopiesEngine().collect(CopiesEngine().scan(segments, {"nowhere": pl.String(), "_level": pl.String()}))
    assert frame.rows() == [(None, None), (None, None)]


def test_nothing_is_one_empty_segment(held):
    segments = copies_of(held, [("0", asked('{app="y"}'))]).segments(0, 100)
    assert segments.frame.is_empty()
    assert segments.streams().is_empty()
    assert CopiesEngine().collect(CopiesEngine().scan(segments, {"_line": pl.String()})).is_empty()
    assert list(CopiesEngine().batches(CopiesEngine().scan(segments, {"_line": pl.String()}))) == []
