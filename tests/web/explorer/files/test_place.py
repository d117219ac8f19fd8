"""The address of the pages of files."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import QueryParams

from tailrace.web.explorer.files.place import Place, read


def test_defaults_stay_out_of_the_address() -> None:
    assert Place({"path": "/", "sort": "size", "page": "1"}).url() == "/files"
    assert Place({"path": "/a"}, "map").url() == "/files/map?path=%2Fa"


def test_links_to_other_pages_keep_where_one_is_and_no_more() -> None:
    place = Place({"host": "h", "path": "/a", "from": "now-7d", "sort": "name", "who": "vi"}, "changes")
    assert place.url("growth") == "/files/growth?host=h&path=%2Fa&from=now-7d"
    assert place.url(who="") == "/files/changes?host=h&path=%2Fa&from=now-7d&sort=name"
    assert place.url("history", from_="") == "/files/history?host=h&path=%2Fa"


def test_another_order_begins_at_the_first_page() -> None:
    place = Place({"path": "/a", "page": "3"})
    assert place.url(sort="name") == "/files?path=%2Fa&sort=name"
    assert place.url(page=4) == "/files?path=%2Fa&page=4"


@pytest.mark.parametrize(("text", "page"), [("", 1), ("0", 1), ("7", 7), ("-1", 1), ("x", 1), ("9" * 30, 1), ("²", 1)])
def test_pages(text: str, page: int) -> None:
    assert Place({"page": text}).page == page


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40))
def test_whatever_a_path_is_called_comes_back_from_the_address(name: str) -> None:
    url = Place({"path": f"/d/{name}"}).url()
    assert read(QueryParams(url.partition("?")[2]), "tree").get("path") == f"/d/{name}"
