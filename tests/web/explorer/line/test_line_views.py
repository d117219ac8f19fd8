import re
from html import unescape

import polars as pl
import pytest

from tailrace.batch import Batch, stream_text
from web.conftest import NOW_NS, House, S

HTML = {"accept": "text/html"}


def way(house: House, line: str, **given: str) -> str:
    """Return the address of a line, as the list links to it."""
    page = house.client.get("/", params={"q": '{service_name=~".+"}', "limit": "1000", **given}).text
    for row in re.findall(r'<li class="row.*?</li>', page, re.DOTALL):
        if unescape(re.sub(r"<[^>]+>", "", re.search(r'<code class="line">(.*?)</code>', row, re.DOTALL)[1])) == line:  # type: ignore[index]
            return unescape(re.search(r'href="(/line/[^"]+)"', row)[1])  # type: ignore[index]
    raise AssertionError(f"{line!r} is not in the list")


def path(link: str) -> str:
    return link.partition("?")[0]


@pytest.fixture
def filled(house: House) -> House:
    house.store(
        *[(-S * number, f"line {number}") for number in range(30, 0, -1)],
        level="error",
        host="a",
        fields={"status": 500, "note": "<b>&"},
    )
    return house


def test_a_line_has_a_page_with_all_its_fields_and_what_stands_around(filled: House) -> None:
    answer = filled.client.get(way(filled, "line 20", q='{host="a"} |= "20" | label_format more="{{.status}}"'))
    page = unescape(answer.text)
    assert answer.status_code == 200
    assert '<th scope="row">status <small>int</small></th>' in page
    assert '<th scope="row">more <small>int</small></th>' in page
    assert "<caption>Parsed by the query</caption>" in page
    assert "2026-01-01T00:00:00Z, 20.000 s after its time" in page
    assert f'<td class="value" colspan="2">{NOW_NS - 20 * S}</td>' in page
    shown = re.findall(r"<code class=\"line\">(.*?)</code>", page)
    assert shown == [f"line {n}" if n != 20 else "line <mark>20</mark>" for n in range(30, 9, -1)]
    assert "&lt;b&gt;&amp;" in answer.text


def test_filters_columns_and_top_values_of_a_field_are_links(filled: House) -> None:
    panel = unescape(filled.client.get(way(filled, "line 2", q='{host="a"}') + "&part=panel").text)
    assert "<html" not in panel
    links = set(re.findall(r'href="([^"]+)"', panel))
    base = "q=%7Bhost%3D%22a%22%7D&limit=1000"
    for link in (
        f"/explore/edit?{base}&in=field.status%3D500",
        f"/explore/edit?{base}&out=stream.host%3Da",
        f"/?{base}&cols=status",
        "/?q=%7Bhost%3D%22a%22%7D&limit=1000&by=status",
    ):
        assert link in links


def test_more_lines_around_never_repeat(filled: House) -> None:
    address = path(way(filled, "line 20"))
    page = unescape(filled.client.get(f"{address}?part=around&before=3&after=2").text)
    assert re.findall(r'<code class="line">line (\d+)', page) == ["23", "22", "21", "20", "19", "18"]
    more = re.search(r'href="([^"]+)#around" data-more>↑', page)[1]  # type: ignore[index]
    page = unescape(filled.client.get(more).text)
    assert re.findall(r'<code class="line">line (\d+)', page) == [str(number) for number in range(30, 17, -1)]
    assert "Nothing stands before." in page


@pytest.mark.parametrize("around", ["before=-5", "before=99999999", "around=elsewhere"])
def test_what_is_out_of_bounds_is_brought_into_them(filled: House, around: str) -> None:
    assert filled.client.get(f"{path(way(filled, 'line 20'))}?{around}").status_code == 200


def test_the_bytes_and_the_record_of_a_line(filled: House) -> None:
    address = path(way(filled, "line 7"))
    raw = filled.client.get(f"{address}/raw")
    assert raw.text == "line 7"
    assert raw.headers["content-type"] == "text/plain; charset=utf-8"
    record = filled.client.get(f"{address}/json").json()
    assert record["stream"] == {"host": "a", "service_name": "app"}
    assert record["fields"] == {"note": "<b>&", "status": "500"}
    assert (record["time_ns"], record["level"]) == (str(NOW_NS - 7 * S), "error")


def test_a_line_that_is_gone_is_said_to_be(filled: House) -> None:
    address = path(way(filled, "line 7"))
    for gone in (f"{address}99", f"/line/{NOW_NS}-000000000000-0"):
        answer = filled.client.get(gone)
        assert answer.status_code == 404
        assert "No stored line has this address" in answer.text
        assert "Search the time around it" in answer.text
        assert filled.client.get(f"{gone}/raw").status_code == 404
        assert filled.client.get(f"{gone}?part=panel").status_code == 404
    assert filled.client.get("/line/nonsense").status_code == 400
    assert filled.client.get("/line/nonsense/raw").status_code == 400
    assert filled.client.get("/line/9223372036854775807-000000000000-0").status_code == 404


def test_an_open_line_is_part_of_the_address_of_the_search(filled: House) -> None:
    address = path(way(filled, "line 7")).removeprefix("/line/")
    for mode in ("line", "table"):
        page = filled.client.get("/", params={"sel": address, "mode": mode}).text
        assert page.count('class="fields"') == 3
        assert page.count("<details open><summary") == page.count('id="sel"') == 1
    assert 'class="fields"' not in filled.client.get("/", params={"sel": f"{address}9"}).text
    answer = filled.client.get("/", params={"sel": "nonsense"})
    assert answer.status_code == 200
    assert "is not the address of a line" in answer.text


def test_a_line_that_the_query_leaves_out_or_does_not_show_is_shown_all_the_same(filled: House) -> None:
    address = path(way(filled, "line 7"))
    for query in ('{host="b"}', "sum(rate({host=~`.+`}[1m]))", "{mistake"):
        answer = filled.client.get(address, params={"q": query})
        assert answer.status_code == 200
        assert "line 7" in answer.text


def test_pushed_lines_of_one_time_are_found_by_the_text_that_a_query_gave_them(house: House) -> None:
    stream = stream_text({"service_name": "app", "host": "a"})
    frame = pl.DataFrame({"_time_ns": [NOW_NS - S] * 3, "_line": [f"pushed {number}" for number in range(3)]})
    frame = frame.with_columns(_observed_ns=pl.lit(NOW_NS), _stream=pl.lit(stream), _offset=pl.lit(None, pl.Int64))
    house.table.commit([Batch(frame, "test", 3, 1)])
    query = '{host="a"} | line_format "<{{__line__}}>"'
    link = way(house, "<pushed 1>", q=query)
    page = house.client.get(link)
    assert page.status_code == 200
    here = re.search(r'<li class="[^"]*\bhere\b.*?</li>', page.text, re.DOTALL)
    assert here is not None
    assert "pushed 1" in here[0]
    assert house.client.get(f"{path(link)}/raw", params={"q": query}).text == "pushed 1"


def test_repeated_lines_are_folded_on_request(house: House) -> None:
    house.store((-5 * S, "again"), (-4 * S, "again"), (-3 * S, "again"), (-2 * S, "other"), host="a")
    page = house.client.get("/?fold=1").text
    assert page.count('<li class="row') == 2
    assert "×3</span>" in page
    assert house.client.get("/").text.count('<li class="row') == 4


def test_columns_stand_beside_the_lines(filled: House) -> None:
    page = filled.client.get("/?cols=status,none&limit=2").text
    assert re.findall(r'<span class="src"><bdi>(.*?)</bdi>', page) == ["500", ""] * 2
    page = table = filled.client.get("/?cols=status,host&mode=table&limit=2").text
    table = table[table.index('<table class="lines as-table') :]
    assert re.findall(r'<th scope="col"><bdi>(.*?)</bdi>', table) == ["status", "host"]
    assert re.findall(r'<td class="src"><bdi>(.*?)</bdi>', table) == ["500", "a"] * 2
    assert 'href="/?limit=2&amp;mode=table&amp;cols=host%2Cstatus" aria-label="move status to the right"' in page
    assert '"status": "500"' in unescape(filled.client.get("/?mode=json").text)


def test_rows_for_the_script_are_those_of_the_page(filled: House) -> None:
    page = filled.client.get("/?limit=10").text
    url = unescape(re.search(r'data-url="(/explore/rows[^"]+)"', page)[1])  # type: ignore[index]
    older = unescape(re.search(r'rel="next" href="[^"]*cur=([^"&]+)', page)[1])  # type: ignore[index]
    part = filled.client.get(f"{url}&cur={older}").text
    following = filled.client.get(f"/?limit=10&cur={older}").text
    rows = re.findall(r'<li class="row.*?</li>', part, re.DOTALL)
    assert len(rows) == 10
    assert all(row in following for row in rows)
    assert 'data-older="1"' in part
    filled.store((-1, "a new one"), host="a")
    said = filled.client.get(f"{url}&part=arrived&cur={older}").text
    assert "1 more came in since:" in said
    assert "1 more came in since:" in filled.client.get(f"/?limit=10&cur={older}").text
    assert filled.client.get("/explore/rows?span=x").status_code == 400


def test_a_label_leads_to_its_lines(house: House) -> None:
    house.store((-2 * S, 'one "quoted"\n'), (-S, "two \u2028"), host="a", filename="/var/log/app.log")
    house.store((-S, "other"), host="b")
    answer = house.client.get("/logs/filename//var/log/app.log")
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == ['one "quoted"\n', "two \u2028"]
    assert house.client.get("/logs/host/b").json() == ["other"]
    assert house.client.get("/logs/host/a?limit=1").json() == ['one "quoted"\n']
    assert house.client.get("/logs/host/a?start=2020-01-01T00:00:00Z&end=2020-01-02T00:00:00Z").json() == []
    shown = house.client.get("/logs/filename//var/log/app.log", headers=HTML)
    assert shown.status_code == 303
    assert shown.headers["location"] == "/?q=%7Bfilename%3D%22%2Fvar%2Flog%2Fapp.log%22%7D"


@pytest.mark.parametrize("label", ["host/none", "none/a", "no-name/a", "host/", 'host/a"} or {"'])
def test_a_label_that_no_stream_has_is_not_found(filled: House, label: str) -> None:
    answer = filled.client.get(f"/logs/{label}")
    assert answer.status_code == 404
    assert "no stream has the label" in answer.text
    page = filled.client.get(f"/logs/{label}", headers=HTML)
    assert page.status_code == 404
    assert "No lines have this label" in page.text
