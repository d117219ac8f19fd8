"""What every page has: its files, its theme, its way back."""

import gzip

import pytest
from starlette.requests import Request

from tailrace.access.model import Principal
from tailrace.web.explorer.assets import assets, script_texts
from tailrace.web.explorer.frame import NAV, Frame, may, theme, wants_page
from tailrace.web.explorer.texts import common
from web.conftest import House


def asked(query: str = "", cookie: str = "", accept: str = "", who: Principal | None = None) -> Request:
    headers = [(b"cookie", cookie.encode()), (b"accept", accept.encode())]
    state = {} if who is None else {"principal": who}
    scope = {"type": "http", "method": "GET", "path": "/", "query_string": query.encode(), "headers": headers}
    return Request({**scope, "state": state, "scheme": "http", "server": ("localhost", 80)})


@pytest.mark.parametrize(
    ("query", "cookie", "shown"),
    [
        ("", "", ""),
        ("", "tailrace_theme=dark", "dark"),
        ("theme=light", "tailrace_theme=dark", "light"),
        ("theme=pink", "", ""),
        ("", 'tailrace_theme="><b>', ""),
    ],
)
def test_the_theme_is_one_of_two_or_the_systems(query: str, cookie: str, shown: str) -> None:
    assert theme(asked(query, cookie)) == shown


def test_a_choice_of_theme_is_kept_and_leads_back(house: House) -> None:
    answer = house.client.get("/theme", params={"to": "dark", "next": "/?q=%7B%7D"}, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/?q=%7B%7D")
    assert "tailrace_theme=dark" in answer.headers["set-cookie"]
    assert 'data-theme="dark"' in house.client.get("/").text
    house.client.get("/theme?to=")
    assert "data-theme" not in house.client.get("/").text
    elsewhere = house.client.get("/theme?to=dark&next=//evil.example", follow_redirects=False)
    assert elsewhere.headers["location"] == "/"


def test_files_are_sent_packed_to_those_who_take_that(house: House) -> None:
    packed = house.client.get("/static/explorer.js")
    plain = house.client.get("/static/explorer.js", headers={"Accept-Encoding": "identity"})
    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert packed.text == plain.text
    assert plain.headers["content-type"].startswith("text/javascript")


def test_the_script_is_one_small_file() -> None:
    script = assets()["explorer.js"]
    assert gzip.decompress(script.packed) == script.body
    assert len(script.packed) <= 50 * 1024


def test_rooms_do_not_say_two_things_by_one_name() -> None:
    assert all(isinstance(text, str) and text for text in script_texts().values())


def test_every_view_has_a_name_and_a_key_of_its_own() -> None:
    assert all(view.title == common.NAV[view.name] for view in NAV)
    assert len({view.key for view in NAV}) == len({view.path for view in NAV}) == len(NAV)


def test_tenants_are_shown_the_views_that_they_may_use() -> None:
    frame = Frame("box")
    html = frame.page(asked(who=Principal("ann", "shop")), "layout.html", view="search").body.decode()
    assert [view.path for view in NAV if f'<a href="{view.path}" data-key' in html] == ["/"]


def test_who_may_not_change_is_not_offered_to() -> None:
    assert may(asked(), "admin")
    assert not may(asked(who=Principal("ann", scopes=frozenset({"query"}))), "admin")


def test_browsers_get_pages_and_programs_data() -> None:
    assert wants_page(asked(accept="text/html,application/xhtml+xml"))
    assert not wants_page(asked(accept="*/*"))


def test_rooms_do_not_share_two_things_under_one_name() -> None:
    frame = Frame("box")
    frame.share(mine=len)
    frame.share(mine=len)
    with pytest.raises(ValueError, match="another 'mine'"):
        frame.share(mine=max)
    with pytest.raises(ValueError, match="another 'line_html'"):
        frame.share(line_html=str)
