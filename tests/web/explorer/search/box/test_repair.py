import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailrace.errors import QueryError
from tailrace.query import parser
from tailrace.web.explorer.search.box.repair import MOST, as_words, repairs

ALL = '{service_name=~".+"}'


def mistake(query: str) -> QueryError:
    with pytest.raises(QueryError) as found:
        parser.parse(query)
    return found.value


@pytest.mark.parametrize(
    ("query", "meant"),
    [
        ('{a="b"} | jso', '{a="b"} | json'),
        ('rat({a="b"}[5m])', 'rate({a="b"}[5m])'),
        ('{a="b"', '{a="b"}'),
        ('{a="b', '{a="b"}'),
        ("{a='b'}", '{a="b"}'),
        ("{a=\u201cb\u201d}", '{a="b"}'),
        ('{a=="b"}', '{a="b"}'),
        ("{a=b}", '{a="b"}'),
        ('host="a"}', '{host="a"}'),
        ('host="a" |= "x"', '{host="a"} |= "x"'),
        ('|= "x"', ALL + ' |= "x"'),
        ('"text"', ALL + ' |= "text"'),
        ("{}", ALL),
        ('{a!="b"}', '{service_name=~".+", a!="b"}'),
        ('{a="b"} |', '{a="b"}'),
        ('{a="b"} | "x"', '{a="b"} |= "x"'),
        ('{a="b"} and "x"', '{a="b"} |= "x"'),
        ('{a="b"} | status => 5', '{a="b"} | status >= 5'),
        ('rate({a="b"})', 'rate({a="b"} [5m])'),
        ('sum by (x) ({a="b"})', 'sum by (x) (count_over_time({a="b"} [5m]))'),
        ('rate({a="b"}[5min])', 'rate({a="b"}[5m])'),
    ],
)
def test_what_was_meant_is_proposed_first(query: str, meant: str) -> None:
    assert repairs(mistake(query))[0] == meant


def test_several_mistakes_at_once() -> None:
    found = repairs(mistake('{a="b"} | json | x=="y" && z=\'w\''))
    assert [str(parser.parse(one)) for one in found] == ['{a="b"} | json | x="y" and z="w"']


def test_what_cannot_be_guessed_has_no_proposal() -> None:
    assert repairs(mistake('{"level":"error"}')) == []
    assert repairs(QueryError("something else")) == []
    assert repairs(mistake('{a="' + "x" * 2_000 + '"')) == []


@given(st.text(st.sampled_from(list("{}()[]|=~!\"`\\, ab1'&:5m")), max_size=30))
def test_every_proposal_can_be_run(text: str) -> None:
    try:
        parser.parse(text)
    except QueryError as error:
        found = repairs(error)
        assert len(found) <= MOST
        for query in found:
            parser.parse(query)


def test_any_text_can_be_searched_for_as_it_stands() -> None:
    assert as_words('{"level":\n "error"}') == ALL + ' |= `{"level": "error"}`'
