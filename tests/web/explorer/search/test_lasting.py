import pytest
from starlette.datastructures import QueryParams

from tailrace.errors import QueryError
from tailrace.web.explorer.search.lasting import frozen, opened, opened_url, saved_address, state_of
from tailrace.web.explorer.search.spans import Span
from tailrace.web.explorer.search.state import read_state


def state(address: str):
    return read_state(QueryParams(address))


def test_what_is_saved_is_what_decides_the_result() -> None:
    shown = state("q=x&from=now-1h&cur=before-5-0&live=1&sel=1-2&tab=chart&cols=a,b&mine=1&refresh=5&saved=7-00000000")
    assert saved_address(shown) == "q=x&from=now-1h&tab=chart&cols=a%2Cb&mine=1"
    assert saved_address(state_of(saved_address(shown))) == saved_address(shown)


def test_a_page_knows_whether_it_still_shows_what_was_saved() -> None:
    url = opened_url(7, "q=x&from=now-1h")
    assert url.startswith("/?q=x&from=now-1h&saved=7-")
    same = state(url[2:])
    assert opened(same).id == 7  # type: ignore[union-attr]
    assert not opened(same).changed  # type: ignore[union-attr]
    assert not opened(state(url[2:] + "&cur=before-5-0&sel=1-2&live=1")).changed  # type: ignore[union-attr]
    assert opened(same.change(q="y")).changed  # type: ignore[union-attr]
    assert opened(same.change(columns=("a",))).changed  # type: ignore[union-attr]


@pytest.mark.parametrize("saved", ["", "7", "7-xyz", "<b>-00000000", "٧-00000000"])
def test_what_names_no_saved_search_is_none(saved: str) -> None:
    assert opened(state(f"q=x&saved={saved}")) is None


def test_a_shared_range_stays_and_the_open_line_too() -> None:
    span = Span(1_700_000_000_000_000_000, 1_700_000_060_000_000_000, "now-1m", "now")
    shared = frozen(state("q=x&from=now-1m&sel=1-2&cur=before-5-0&live=1&saved=7-00000000"), span)
    assert shared.url() == ("/?q=x&from=2023-11-14T22%3A13%3A20Z&to=2023-11-14T22%3A14%3A20Z&cur=before-5-0&sel=1-2")


def test_an_address_that_cannot_be_read_is_a_mistake() -> None:
    with pytest.raises(QueryError, match="cannot be read"):
        state_of("q=%ff")
