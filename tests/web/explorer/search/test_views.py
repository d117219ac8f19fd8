import re
from html import unescape

import pytest

from web.conftest import NOW_NS, House, S

HOUR = 3_600 * S


def lines_of(html: str) -> list[str]:
    return [unescape(re.sub(r"<[^>]+>", "", one)) for one in re.findall(r'<code class="line">(.*?)</code>', html)]


def link(html: str, rel: str) -> str:
    return unescape(re.search(rf'rel="{rel}" href="([^"]+)"', html)[1])  # type: ignore[index]


def test_the_first_page_shows_the_newest_lines_without_a_query(house: House) -> None:
    house.store((-3 * S, "first"), (-1 * S, "second"), level="error", host="a", fields={"status": 500})
    answer = house.client.get("/")
    assert answer.status_code == 200
    assert lines_of(answer.text) == ["second", "first"]
    assert "<b>2</b> lines" in answer.text
    assert "last hour" in answer.text
    assert re.search(r'<li class="row lv-error" .*<span class="lv">error</span>', answer.text)
    assert lines_of(house.client.get("/explore").text) == ["second", "first"]


def test_every_answer_forbids_what_a_line_could_smuggle_in(house: House) -> None:
    house.store((-S, '<script>alert(1)</script><img src=x onerror=alert(2)>"\x1b[31m\u202e'), host='"><b>')
    answer = house.client.get("/")
    assert "<script>alert" not in answer.text
    assert "<img src=x" not in answer.text
    assert '<b>"' not in answer.text
    assert "\u202e" not in answer.text
    assert "\x1b" not in answer.text
    policy = answer.headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    assert not re.search(r"<[^>]+ (style|on\w+)=", answer.text)
    assert not re.search(r"<(script|style)>", answer.text)
    for path in ("/", "/ready", "/nothing", "/loki/api/v1/query", "/api/v1/logs/query", "/static/explorer.js"):
        headers = house.client.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"


def test_nothing_is_loaded_from_elsewhere(house: House) -> None:
    page = house.client.get("/").text
    own = [unescape(path) for path in re.findall(r'(?:src|href)="(/static/[^"]+)"', page)]
    assert len(own) == 4  # icon, style, script, mark
    assert not re.search(r'(?:src|href|action)="(?!/|#|\?)', page)
    for path in own:
        answer = house.client.get(path)
        assert answer.status_code == 200
        assert "immutable" in answer.headers["cache-control"]
        assert b"http://" not in answer.content.replace(b"http://www.w3.org/2000/svg", b"")
    assert house.client.get("/static/").status_code == 404
    assert house.client.get("/static/..%2fviews.py").status_code == 404


def test_without_lines_in_the_last_hour_the_range_goes_to_where_the_lines_are(house: House) -> None:
    house.store((-5 * HOUR, "old"))
    page = house.client.get("/").text
    assert lines_of(page) == ["old"]
    assert "Nothing was logged in the last hour, so this shows the last 6 hours" in page


def test_very_old_lines_are_shown_too(house: House) -> None:
    house.store((-400 * 24 * HOUR, "ancient"))
    page = house.client.get("/").text
    assert lines_of(page) == ["ancient"]
    assert "an hour of another time" in page


def test_lines_of_the_future_do_not_hide_the_present(house: House) -> None:
    house.store((-S, "now"), (50 * HOUR, "wrong clock"))
    assert lines_of(house.client.get("/").text) == ["now"]


def test_an_empty_table_says_so(house: House) -> None:
    assert "No lines are stored yet" in house.client.get("/").text


def test_an_empty_result_says_what_was_searched_and_offers_the_nearest_lines(house: House) -> None:
    house.store((-S, "other"), host="b")
    house.store((-3 * HOUR, "wanted"), host="a")
    page = house.client.get("/", params={"q": '{host="a"}', "from": "now-1h"}).text
    assert lines_of(page) == []
    assert "No line fits between 2025-12-31 23:00:00 and 2026-01-01 00:00:00 UTC" in page
    assert "The nearest line that fits is earlier, at 2025-12-31 21:00:00.000" in page
    offered = unescape(re.search(r'class="go" href="([^"]+)"', page)[1])  # type: ignore[index]
    assert lines_of(house.client.get(offered).text) == ["wanted"]
    assert "No line at any other time fits either" in house.client.get("/", params={"q": '{host="c"}'}).text


def test_a_mistake_is_shown_with_a_caret_and_a_hint(house: House) -> None:
    answer = house.client.get("/", params={"q": '{a="b"} | jso'})
    assert answer.status_code == 400
    text = unescape(answer.text)
    assert '{a="b"} | jso\n          <b>^</b> line 1, column 11</pre>' in text
    assert "did you mean 'json'?" in text
    assert '>{a="b"} | jso</textarea>' in text


@pytest.mark.parametrize(("name", "value"), [("from", "yesterday"), ("to", "1e99"), ("cur", "x"), ("limit", "many")])
def test_other_mistakes_of_an_address_are_shown_on_the_page(house: House, name: str, value: str) -> None:
    answer = house.client.get("/", params={name: value})
    assert answer.status_code == 400
    assert f"{name}=" in answer.text
    assert answer.headers["content-type"].startswith("text/html")


def test_plain_words_become_a_query_in_view(house: House) -> None:
    house.store((-2 * S, "Failed password for root"), (-S, "accepted password"))
    answer = house.client.get("/", params={"q": "failed password"}, follow_redirects=True)
    assert '{service_name=~".+"} |~ "(?i)failed" |~ "(?i)password"</textarea>' in unescape(answer.text)
    assert lines_of(answer.text) == ["Failed password for root"]
    assert "<mark>Failed</mark> <mark>password</mark> for root" in answer.text


def test_clicks_filter_in_and_out(house: House) -> None:
    house.store((-3 * S, "one"), host="a", fields={"status": 200})
    house.store((-2 * S, "two"), host="b", fields={"status": 500})
    page = house.client.get("/?from=now-1h").text
    links = {unescape(link) for link in re.findall(r'href="(/explore/edit[^"]+)"', page)}
    for click, left in (
        ("in=stream.host%3Da", ["one"]),
        ("out=field.status%3D500", ["one"]),
        ("out=stream.host%3Da", ["two"]),
    ):
        assert f"/explore/edit?from=now-1h&{click}" in links
        answer = house.client.get(f"/explore/edit?from=now-1h&{click}")
        assert answer.status_code == 303
        assert "from=now-1h" in answer.headers["location"]
        assert lines_of(house.client.get(answer.headers["location"]).text) == left


def test_pages_walk_through_equal_times_without_hole_or_repeat(house: House) -> None:
    house.store(*[(-1 - S * (number // 7), f"line {number}") for number in range(1, 61)])
    every = lines_of(house.client.get("/", params={"limit": 1_000}).text)
    assert len(every) == 60
    pages, url = [], "/?limit=8"
    while True:
        page = house.client.get(url).text
        pages.append(lines_of(page))
        if 'rel="next"' not in page:
            break
        url = link(page, "next")
    assert [line for page in pages for line in page] == every
    back = [pages[-1]]
    while 'rel="prev"' in page:
        page = house.client.get(link(page, "prev")).text
        back.insert(0, lines_of(page))
    assert [line for page in back[:-1] for line in page] == every[: len(every) - len(pages[-1])]


def test_the_counts_are_of_the_whole_range_not_of_the_page(house: House) -> None:
    house.store(*[(-S * number, "x") for number in range(1, 31)], level="warn", host="a")
    house.store((-S, "y"), level="fatal", host="b")
    page = house.client.get("/", params={"limit": 5}).text
    assert len(lines_of(page)) == 5
    assert "<b>31</b> lines" in page
    assert "<bdi>warn</bdi> <b>30</b>" in page
    assert re.search(r'<bdi>a</bdi></span> <span class="n">30</span>', page)
    assert page.count('<rect class="lv-fatal"') == 1


def test_a_part_that_fails_is_said_in_its_own_place(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    from tailrace.errors import TransientError
    from tailrace.web.explorer.search import counts

    def broken(*_: object) -> None:
        raise TransientError("the disk is gone")

    house.store((-S, "still here"))
    monkeypatch.setattr(counts, "by_labels", broken)
    page = house.client.get("/").text
    assert lines_of(page) == ["still here"]
    assert "The counts are missing: the disk is gone" in page


def test_more_streams_than_an_answer_may_have_still_count(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    from tailrace.query import series

    for number in range(4):
        house.store(*[(-S, "x")] * (number + 1), host=f"h{number // 2}", app=f"a{number % 2}")
    monkeypatch.setattr(series, "SERIES_LIMIT", 3)
    page = house.client.get("/").text
    counts = dict(re.findall(r"<bdi>([ha]\d)</bdi></span> <span class=\"n\">(\d+)</span>", page))
    assert counts == {"h0": "3", "h1": "7", "a0": "4", "a1": "6"}


def test_a_metric_query_gives_a_chart_and_its_numbers(house: House) -> None:
    house.store(*[(-S * number, "x") for number in range(1, 11)], host="a")
    page = house.client.get("/", params={"q": 'sum by (host) (count_over_time({host=~".+"}[1h]))'}).text
    assert "<b>1</b> series" in page
    assert "host=a" in page
    assert "<td>10</td>" in page
    empty = house.client.get("/", params={"q": 'sum by (host) (count_over_time({host="none"}[1h]))'}).text
    assert "there is nothing to count" in empty


def test_the_theme_is_in_the_address(house: House) -> None:
    assert '<html lang="en" data-theme="dark">' in house.client.get("/?theme=dark").text
    assert '<html lang="en">' in house.client.get("/").text


@pytest.mark.parametrize(
    "address",
    [
        "/?from=-9223372036.5&to=9223372036",
        "/?from=0&to=1",
        "/?cur=after-0-5",
        "/?cur=before-9223372036854775807-999999",
    ],
)
def test_the_ends_of_time_are_no_failure(house: House, address: str) -> None:
    house.store((-S, "x"))
    assert house.client.get(address).status_code == 200


def test_times_are_exact(house: House) -> None:
    house.store((-1, "x"))
    page = house.client.get("/").text
    assert f'data-at="{NOW_NS - 1}-0"' in page
    assert "2025-12-31T23:59:59.999999999Z" in page
