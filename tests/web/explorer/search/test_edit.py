import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailrace.errors import QueryError
from tailrace.query import parser
from tailrace.query.syntax import LogQuery
from tailrace.web.explorer.search.edit import click, edited, finds

ALL = '{service_name=~".+"}'


@pytest.mark.parametrize(
    ("query", "kind", "name", "value", "keep", "expected"),
    [
        (ALL, "stream", "host", "a", True, '{service_name=~".+", host="a"}'),
        (ALL, "stream", "service_name", "web", True, '{service_name="web"}'),
        (ALL, "stream", "service_name", "web", False, '{service_name=~".+", service_name!="web"}'),
        ('{host="a"}', "stream", "host", "b", True, '{host="b"}'),
        ('{host="a", app=~"w.+"}', "stream", "app", "web", True, '{host="a", app=~"w.+", app="web"}'),
        (ALL, "field", "status", "500", True, ALL + ' | status="500"'),
        (ALL + ' |= "x"', "field", "status", "500", False, ALL + ' |= "x" | status!="500"'),
        (ALL + ' | status="500"', "field", "status", "500", True, ALL + ' | status="500"'),
        (ALL, "field", "msg", 'say "x"\\\n', True, ALL + r' | msg="say \"x\"\\\n"'),
    ],
)
def test_a_click_edits_the_text_of_the_query(query, kind, name, value, keep, expected) -> None:
    assert edited(query, f"{kind}.{name}={value}", keep) == expected


@given(st.text(max_size=20), st.booleans(), st.sampled_from(["stream", "field"]))
def test_every_value_can_be_clicked_and_clicking_twice_changes_nothing(value: str, keep: bool, kind: str) -> None:
    once = edited(ALL, f"{kind}.name={value}", keep)
    assert edited(once, f"{kind}.name={value}", keep) == once


@pytest.mark.parametrize("clicked", ["", "stream", "stream.a", "other.a=b", "stream.a-b=c", "stream.=b", "nonsense"])
def test_a_broken_click_is_refused(clicked: str) -> None:
    with pytest.raises(QueryError):
        edited(ALL, clicked, keep=True)


def test_the_address_of_a_click_keeps_the_state() -> None:
    assert click("from=now-5m", "out", "field", "a", "x=&y") == "/explore/edit?from=now-5m&out=field.a%3Dx%3D%26y"
    assert click("", "in", "stream", "a", "b") == "/explore/edit?in=stream.a%3Db"


def test_a_metric_query_cannot_be_clicked() -> None:
    with pytest.raises(QueryError):
        edited('rate({a="b"}[1m])', "stream.a=b", keep=True)


def test_what_was_searched_for_is_known() -> None:
    query = parser.parse(ALL + ' |= "a.b" or "c" != "d" |~ "(?i)failed" |~ "x.*y" |~ `1\\.5` | json')
    assert isinstance(query, LogQuery)
    assert finds(query) == [r"a\.b", "c", "(?i:failed)", r"1\.5"]
