import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import QueryParams

from tailrace.errors import QueryError
from tailrace.web.explorer.search.state import COMPARED, MODES, TABS, Cursor, State, read_state

texts = st.text(max_size=20).map(str.strip)
cursors = st.builds(
    Cursor, st.sampled_from(["before", "after"]), st.integers(-(2**62), 2**62), st.integers(0, 10**6 - 1)
)
names = st.from_regex(r"[a-z_][a-z0-9_]{0,9}", fullmatch=True)
states = st.builds(
    State,
    q=texts,
    start=texts,
    end=texts,
    limit=st.integers(1, 1_000),
    cursor=st.none() | cursors,
    mode=st.sampled_from(MODES),
    tab=st.sampled_from(TABS),
    by=names,
    compare=st.sampled_from(COMPARED),
    columns=st.lists(names, max_size=3).map(tuple),
    selected=texts,
    others=st.lists(st.tuples(st.just("later"), st.text(max_size=5)), max_size=2).map(tuple),
    live=st.booleans(),
)


@given(states)
def test_the_address_is_the_whole_state(state: State) -> None:
    url = state.url()
    assert read_state(QueryParams(url.partition("?")[2])) == state


def test_defaults_are_left_out() -> None:
    assert State().url() == "/"
    assert State(q="a", cursor=Cursor("before", 5, 1)).change(mode="wrap").url() == "/?q=a&mode=wrap"


def test_what_is_out_of_bounds_is_brought_into_them() -> None:
    assert read_state(QueryParams("limit=100000&mode=x")) == State(limit=1_000)
    with pytest.raises(QueryError):
        read_state(QueryParams("cur=before-1"))
