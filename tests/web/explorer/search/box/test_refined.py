import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailrace.query import parser
from tailrace.query.syntax import LogQuery
from tailrace.web.explorer.search.box.refined import query
from tailrace.web.explorer.search.box.sugar_terms import Known
from web.conftest import House, S

ALL = '{service_name=~".+"}'
KNOWN = Known(frozenset({"pod"}), frozenset({"status"}))


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        (ALL + " declined", ALL + ' |~ "(?i)declined"'),
        (ALL + "declined", ALL + ' |~ "(?i)declined"'),
        (ALL + " card declined -debug", ALL + ' |~ "(?i)card" |~ "(?i)declined" !~ "(?i)debug"'),
        (ALL + ' |~ "(?i)card" "timed out"', ALL + ' |~ "(?i)card" |= "timed out"'),
        (ALL + '\n|= "a b"\n  c', ALL + ' |= "a b" |~ "(?i)c"'),
        (ALL + ' | status="502" declined', ALL + ' | status="502" |~ "(?i)declined"'),
        (ALL + " | status >= 500 declined", ALL + ' | status >= 500 |~ "(?i)declined"'),
        (ALL + " status:>=500", ALL + " | status >= 500"),
        (ALL + " level:error", ALL + ' | detected_level="error"'),
        ('{host="a"} pod:web-1', '{host="a", pod="web-1"}'),
        (ALL + " pod:web-1 " + "/api", '{service_name=~".+", pod="web-1"} |~ "(?i)/api"'),
        (ALL + " a OR b", ALL + ' |~ "(?i)a" or "(?i)b"'),
        (ALL + ' |= "} x" y', ALL + ' |= "} x" |~ "(?i)y"'),
    ],
)
def test_words_behind_a_query_narrow_it_down(typed: str, read: str) -> None:
    assert query(typed, KNOWN) == read
    assert str(parser.parse(read)) == read


@pytest.mark.parametrize(
    "text",
    [
        "",
        "declined",
        ALL,
        ALL + ' |= "x"',
        ALL + " | json x",
        ALL + " json",
        ALL + " unwrap x",
        ALL + ' |= "x" or y',
        ALL + " and x",
        ALL + " status >= 500",
        ALL + ' = "x"',
        ALL + " - debug",
        ALL + " `x`",
        ALL + " 'x'",
        ALL + " [5m]",
        ALL + " | declined",
        ALL + ' {host="a"}',
        ALL + " 'a",
        '{host="a" declined',
        f"sum(rate({ALL}[5m])) declined",
        ALL + " word" * 500,
        ALL + " word" * 25,
    ],
)
def test_what_is_meant_as_logql_is_left_alone(text: str) -> None:
    assert query(text, KNOWN) is None


@given(st.text(st.sampled_from(list("ab1 :\"'`\\-*OR,<>=!.()#\n|{}~é")), max_size=25))
def test_what_is_read_can_be_run(text: str) -> None:
    found = query(ALL + text, KNOWN)
    assert found is None or isinstance(parser.parse(found), LogQuery)


def test_the_page_goes_to_the_narrowed_query_and_offers_what_was_typed(house: House) -> None:
    house.store((-2 * S, "card declined"), (-S, "card taken"))
    typed = ALL + " declined"
    page = house.client.get("/", params={"q": typed}, follow_redirects=True)
    assert page.url.params["q"] == ALL + ' |~ "(?i)declined"'
    assert page.url.params["typed"] == typed
    assert "card taken" not in page.text
    assert house.client.get("/explore/check", params={"q": typed}).status_code == 204
    assert house.client.get("/explore/check", params={"q": ALL + " status >= 500"}).status_code == 200
