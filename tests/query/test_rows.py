import polars as pl

from tailrace.query.load import stream_table
from tailrace.query.rows import Rows


def rows(**columns):
    return Rows(pl.DataFrame(columns, schema_overrides=dict.fromkeys(columns, pl.String)))


def shown(found, *names):
    return found.frame.select(found.label(name).alias(name) for name in names).rows()


def test_a_label_is_whichever_source_has_it():
    some = rows(**{"stream.a": ["s", None, None], "meta.a": [None, "m", None], "parsed.a": [None, None, "p"]})
    assert shown(some, "a") == [("s",), ("m",), ("p",)]
    assert shown(some, "none") == [(None,)] * 1


def test_a_parsed_label_gives_way_to_the_stream_and_to_fields():
    some = rows(**{"stream.a": ["s", None, None], "meta.a": [None, "m", None]})
    found = some.with_parsed(pl.DataFrame({"a": ["1", "2", "3"]}))
    assert shown(found, "a", "a_extracted") == [("s", "1"), ("m", "2"), ("3", None)]


def test_of_two_parsers_the_first_wins_where_it_found_something():
    found = rows(x=["", ""]).with_parsed(pl.DataFrame({"a": ["1", None]})).with_parsed(pl.DataFrame({"a": ["2", "2"]}))
    assert shown(found, "a") == [("1",), ("2",)]


def test_where_fields_and_a_parser_want_the_extracted_name_the_parser_wins():
    some = rows(**{"stream.a": ["s", "s"], "meta.a_extracted": ["m", "m"]})
    found = some.with_parsed(pl.DataFrame({"a": ["1", None]}))
    assert shown(found, "a_extracted") == [("1",), ("m",)]


def test_a_parsed_label_that_was_dropped_is_not_parsed_again_on_that_line():
    first = rows(x=["", ""]).with_parsed(pl.DataFrame({"a": ["1", None]}))
    found = first.without("a").with_parsed(pl.DataFrame({"a": ["2", "2"]}))
    assert shown(found, "a") == [(None,), ("2",)]


def test_dropping_where_a_condition_holds():
    found = rows(**{"meta.a": ["x", "y"]}).without("a", pl.col("meta.a") == "x")
    assert shown(found, "a") == [(None,), ("y",)]


def test_an_earlier_error_stays():
    some = rows(x=["1", "2"])
    once = some.with_error(pl.col("x") == "1", "JSONParserErr", "first")
    twice = once.with_error(pl.lit(value=True), "LabelFilterErr", "second")
    assert shown(twice, "__error__", "__error_details__") == [("JSONParserErr", "first"), ("LabelFilterErr", "second")]
    assert once.errors().height == 1
    assert some.errors().height == 0


def test_present_but_empty_is_not_absent():
    found = rows(x=["", ""]).with_parsed(pl.DataFrame({"a": ["", None]}))
    assert shown(found, "a") == [("",), (None,)]


def test_the_stream_table_has_a_column_per_label_of_any_stream():
    table = stream_table(['{app="a", host="x"}', '{app="b"}', '{app="b"}'])
    assert table.columns == ["_stream", "stream.app", "stream.host"]
    assert table.rows() == [('{app="a", host="x"}', "a", "x"), ('{app="b"}', "b", None)]
    assert stream_table([]).columns == ["_stream"]
