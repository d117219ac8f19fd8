"""The parts around the lines, as the server sends them: counts, values, tabs, and parts alone."""

import re
from html import unescape

import pytest

from tailrace.errors import QueryError, TransientError
from tailrace.web.explorer.search import counts
from web.conftest import House, S

HOUR = 3_600 * S


@pytest.fixture
def filled(house: House) -> House:
    house.store(*[(-number * S, f"order {number} paid") for number in range(1, 31)], level="info", host="a")
    house.store(*[(-number * S, f"order {number} lost") for number in range(1, 6)], level="error", host="b")
    return house


def page(house: House, **parameters: str) -> str:
    answer = house.client.get("/explore", params=parameters)
    assert answer.status_code == 200
    return unescape(answer.text)


def test_counts_are_of_the_range_and_not_of_whole_buckets(filled: House) -> None:
    # buckets of the last 90 s are a second; 30.5 s ago lies in the middle of one
    html = page(filled, **{"from": "2025-12-31T23:59:55.5Z", "to": "2026-01-01T00:00:00Z"})
    assert "<b>8</b> lines" in html
    assert page(filled, **{"from": "2025-12-31T23:59:54.999Z"}).count("<b>10</b> lines") == 1


def test_counts_are_split_by_any_label(filled: House) -> None:
    html = page(filled, by="host")
    assert "<bdi>a</bdi> <b>30</b>" in html
    assert "<bdi>b</bdi> <b>5</b>" in html
    assert "in=stream.host%3Da" in html
    assert '<th scope="col"><bdi>a</bdi></th>' in html
    nothing = page(filled, by="nowhere")
    assert "without nowhere <b>35</b>" in nothing
    assert 'aria-current="true">nowhere</a>' in nothing


def test_counts_are_compared_with_an_earlier_range(filled: House) -> None:
    filled.store(*[(-HOUR - number * S, "before") for number in range(1, 71)])
    filled.store((-3 * HOUR, "the first"))
    html = page(filled, **{"from": "now-1h", "cmp": "previous"})
    assert "-50 %" in html
    assert "the period before: 70</small>" in html
    assert html.count('<path class="before"') == 1
    assert '<th scope="col">the period before</th>' in html
    cut = page(filled, **{"from": "now-3h", "cmp": "previous"})
    assert "the beginning of it is not stored" in cut
    assert not re.search(r"[+-]\d+ %", cut)


def test_what_was_not_searched_is_hatched_and_named(filled: House) -> None:
    html = page(filled, **{"from": "now-10m", "to": "2026-01-01T00:10:00Z"})
    assert html.count('class="gap"') == 2
    assert "hatched: before the first line that is stored, not yet" in re.sub(r"<[^>]*>", "", html)
    assert 'class="gap"' not in page(filled, **{"from": "2025-12-31T23:59:35Z", "to": "2025-12-31T23:59:55Z"})


def test_the_rail_tells_values_of_labels_and_fields_and_finds_them(house: House) -> None:
    house.store((-S, "x"), host="web-1", fields={"status": 500, "took": "5ms"})
    house.store((-2 * S, "y"), host="web-2", fields={"status": 200})
    html = page(house, part="rail")
    assert "Values of all 2 lines." in html
    assert 'in=field.status%3D500" title="Keep only 500"' in html
    assert re.search(r"took\s*<span class=\"n\">50 %", html)
    found = page(house, part="rail", find="web-2")
    assert "web-1" not in found
    assert "status" not in found
    assert "out=stream.host%3Dweb-2" in found
    assert "No name or value holds 'zzz'." in page(house, part="rail", find="zzz")


def test_the_tab_of_fields_lists_them_with_type_share_and_values(house: House) -> None:
    house.store(*[(-n * S, "x") for n in range(1, 21)], fields={"status": 500}, host="a")
    house.store((-30 * S, "user=ann"), host="a")
    html = page(house, tab="fields")
    assert "<b>4</b> labels and fields" not in html  # service_name, host, and one field
    assert "<b>3</b> labels and fields" in html
    row = re.search(r'<tr><th scope="row"><bdi>status</bdi></th>.*?</tr>', html, re.DOTALL)
    assert row is not None
    assert "<td>number</td>" in row[0]
    assert "95 %" in row[0]
    assert "stat=avg" in row[0]
    assert "Read the lines as logfmt</a>: user" in html


def test_unusual_values_are_told_with_both_shares(house: House) -> None:
    house.store(*[(-n * S, "x") for n in range(1, 101)], fields={"status": 500})
    house.store(*[(-HOUR - n * S, "x") for n in range(1, 101)], fields={"status": 200})
    house.store((-3 * HOUR, "the first"))
    html = page(house, tab="fields", **{"from": "now-1h", "cmp": "previous"})
    assert "Unusual, compared with the period before" in html
    assert re.search(r"<b>status</b> <bdi>500</bdi></a> 0 % → 100 %", html)


def test_the_tab_of_patterns_shows_and_hides_them(filled: House) -> None:
    html = page(filled, tab="patterns")
    assert "Made from all 35 lines." in html
    assert 'order <i class="hole">…</i> paid' in html
    shown = unescape(re.search(r'href="([^"]+)">show', html)[1])  # type: ignore[index]
    hidden = unescape(re.search(r'href="([^"]+)">hide', html)[1])  # type: ignore[index]
    assert "<b>30</b> lines" in unescape(filled.client.get(shown).text)
    assert "<b>5</b> lines" in unescape(filled.client.get(hidden).text)
    assert "tab=patterns" in hidden


def test_the_tab_of_charts_draws_and_leads_on(filled: House) -> None:
    html = page(filled, tab="chart", split="host", stat="count")
    assert 'sum by (host) (count_over_time({service_name=~".+"} [1m]))' in html
    for path in ("/dashboard/add?q=", "/metrics-from-logs/new?expr=", "/alerts/edit?expr="):
        assert f'href="{path}sum+by+%28host%29' in html
    wrong = page(filled, tab="chart", stat="avg")
    assert "the average of which field?" in wrong
    assert '<option value="avg" selected>' in wrong


def test_a_metric_query_has_only_the_tabs_that_it_can_fill(filled: House) -> None:
    html = page(filled, q='sum(count_over_time({host="a"}[5m]))', tab="patterns")
    assert re.findall(r'<nav class="tabs".*?</nav>', html, re.DOTALL)[0].count("<a ") == 2
    assert '<section class="metric"' in html


@pytest.mark.parametrize("tab", ["lines", "patterns", "fields", "chart"])
def test_a_mistake_in_the_query_is_shown_on_every_tab(house: House, tab: str) -> None:
    answer = house.client.get("/explore", params={"q": '{a="b"} | jso', "tab": tab})
    assert answer.status_code == 400
    assert "did you mean" in answer.text


@pytest.mark.parametrize("tab", ["patterns", "fields", "chart"])
def test_an_empty_result_says_so_on_every_tab(filled: House, tab: str) -> None:
    assert "No line fits, so there" in page(filled, q='{host="nowhere"}', tab=tab)


@pytest.mark.parametrize("part", ["overview", "rail", "patterns", "fields", "chart"])
def test_each_part_can_be_had_alone(filled: House, part: str) -> None:
    answer = filled.client.get("/explore", params={"part": part})
    assert answer.status_code == 200
    assert "<html" not in answer.text
    assert answer.text.strip().startswith(("<section", "<aside"))
    refused = filled.client.get("/explore", params={"part": part, "q": '{a="b"} | jso'})
    assert refused.status_code == 400
    assert "did you mean" in refused.text


def test_a_part_that_there_is_not_is_refused(house: House) -> None:
    assert house.client.get("/explore", params={"part": "nothing"}).status_code == 404


@pytest.mark.parametrize("error", [TransientError("the disk is gone"), QueryError("too many series")])
@pytest.mark.parametrize("tab", ["lines", "patterns", "fields"])
def test_counts_that_fail_leave_the_rest_alone(
    filled: House, monkeypatch: pytest.MonkeyPatch, error: Exception, tab: str
) -> None:
    def broken(*_: object) -> None:
        raise error

    monkeypatch.setattr(counts, "over_time", broken)
    html = page(filled, tab=tab)
    assert f"The counts are missing: {error}" in html
    if tab == "lines":
        assert "order 1 paid" in html


def test_names_and_values_of_enemies_do_no_harm(house: House) -> None:
    house.store((-S, "<u>1</u> \u202e x"), host='"><script>alert(1)</script>', fields={"f": "<img src=x onerror=y>"})
    for parameters in ({}, {"tab": "fields"}, {"tab": "patterns"}, {"by": "host"}, {"tab": "chart", "split": "host"}):
        html = house.client.get("/explore", params=parameters).text
        assert "<script>alert" not in html
        assert "<img src=x" not in html
        assert "<u>1</u>" not in html
