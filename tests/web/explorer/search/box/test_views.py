import re
from html import unescape

import pytest

from tailrace.errors import QueryTimeoutError
from tailrace.query.run import Request
from web.conftest import House, S

HOUR = 3_600 * S


def offers(house: House, text: str, at: int | None = None, **more: str) -> dict[str, tuple[str, str]]:
    """Return the suggestions: name to what is put in and what is said of it."""
    at = len(text.encode("utf-16-le")) // 2 if at is None else at
    answer = house.client.get("/explore/complete", params={"q": text, "at": at, **more})
    assert answer.status_code == 200, answer.text
    found = re.findall(
        r'<li role="option" id="offer-\d+" aria-selected="false" data-insert="([^"]*)" data-back="\d"><bdi[^>]*>(.*?)</bdi>(.*?)</li>',
        answer.text,
    )
    said = {name: re.sub(r"<[^>]+>", "", rest).strip() for _, name, rest in found}
    return {unescape(name): (unescape(insert), unescape(said[name])) for insert, name, _ in found}


@pytest.fixture
def filled(house: House) -> House:
    house.store(*[(-S * at, "x") for at in range(1, 4)], level="error", host="a", pod="web-1", fields={"status": 500})
    house.store((-9 * S, "y"), level="info", host="a", pod='we"b\\', fields={"path": "/a b", "took": 1.5})
    house.store((-9 * S, "z"), host="b", pod="db")
    house.store((-5 * HOUR, "old"), host="old", pod="web-1")
    return house


def test_labels_of_streams_with_their_number_of_values(filled: House) -> None:
    assert offers(filled, "{") == {
        "host": ('host="', "label, 2 values"),
        "pod": ('pod="', "label, 3 values"),
        "service_name": ('service_name="', "label, 1 value"),
    }
    assert offers(filled, '{host="b", p') == {"pod": ('pod="', "label, 1 value")}
    assert offers(filled, '{po="x"}', 3) == {"pod": ("pod", "label, 3 values")}  # it has an operator already


def test_values_with_counts_of_the_range_and_of_the_matchers_to_the_left(filled: House) -> None:
    assert offers(filled, '{host="') == {"a": ('"a"', "4"), "b": ('"b"', "1")}
    assert offers(filled, '{pod="w') == {"web-1": ('"web-1"', "3"), 'we"b\\': ('`we"b\\`', "1")}
    assert offers(filled, '{host="b", pod="') == {"db": ('"db"', "1")}
    assert offers(filled, '{host="', **{"from": "now-6h"})["old"] == ('"old"', "1")
    assert offers(filled, '{pod=~"we') == {"web-1": ('"web-1"', "3"), 'we"b\\': ('`we"b\\\\`', "1")}


def test_counts_of_segments_that_the_range_cuts_say_at_most(filled: House) -> None:
    filled.store((-2 * HOUR, "p"), (-S, "p"), host="long")
    assert offers(filled, '{host="lo') == {"long": ('"long"', "≤ 2")}


def test_plain_words_are_completed_to_keys_and_values(filled: House) -> None:
    assert offers(filled, "sta")["status"] == ("status:", "number 3")
    assert offers(filled, "ho") == {"host": ("host:", "label, 2 values")}
    assert offers(filled, "error pod:w") == {"web-1": ("web-1", "3"), 'we"b\\': ('"we\\"b\\\\"', "1")}
    assert offers(filled, "path:") == {"/a b": ('"/a b"', "1")}
    assert offers(filled, "level:") == {"error": ("error", "3"), "info": ("info", "1")}


def test_stages_fields_functions_and_ranges(filled: House) -> None:
    stage = offers(filled, '{host="a"} | ')
    assert list(stage)[:2] == ["json", "logfmt"]
    assert stage["status"] == ("status", "number 3")
    assert stage["took"] == ("took", "number 1")
    assert offers(filled, '{host="a"} | js')["json"] == ("json", "take the members of JSON lines as labels")
    assert offers(filled, '{host="a"} | status=') == {"500": ('"500"', "3")}
    assert "status" in offers(filled, "sum by (")
    assert offers(filled, "sum(rat") == {
        "rate": ("rate(", "lines per second"),
        "rate_counter": ("rate_counter(", "growth of a counter per second"),
        "bytes_rate": ("bytes_rate(", "bytes of lines per second"),
    }
    assert offers(filled, 'rate({host="a"}[5') == {"5m": ("5m", "five minutes"), "15m": ("15m", "a quarter of an hour")}
    assert "|= " not in offers(filled, '{host="a"} ')
    assert offers(filled, '{host="a"} ')["|="] == ('|= ""', "lines with a text")


def test_places_are_counted_as_browsers_count(filled: House) -> None:
    text = '{host="\U0001f600", pod="db'
    answer = filled.client.get("/explore/complete", params={"q": text, "at": len(text) + 1}).text
    assert 'data-start="16" data-end="19"' in answer
    for at in ("-5", "0", "9999"):
        assert filled.client.get("/explore/complete", params={"q": text, "at": at}).status_code == 200


def test_where_a_sample_takes_too_long_a_wider_one_is_taken_and_said(
    filled: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tailrace.web.explorer.search.box import complete

    real, asked = complete.run, []

    def slow(request: Request, *parts: object) -> object:
        asked.append(request.query)
        if "rare" in request.query:
            raise QueryTimeoutError("too slow")
        return real(request, *parts)

    monkeypatch.setattr(complete, "run", slow)
    for text in ('{host="a"} |= "rare" | st', '{host="a"} |= "rare" | sta'):
        answer = filled.client.get("/explore/complete", params={"q": text, "at": len(text)}).text
        assert '<bdi class="what">status</bdi> <span class="kind">number</span> <span class="n">3</span>' in answer
        assert "Counts are of the newest 4 lines, those too that the query does not find." in answer
    assert asked == ['{host="a"} |= "rare"', '{host="a"}']  # once


def test_fields_are_offered_without_counts_when_a_sample_takes_too_long(
    filled: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tailrace.web.explorer.search.box import complete

    def slow(*_: object) -> None:
        raise QueryTimeoutError("too slow")

    monkeypatch.setattr(complete, "run", slow)
    assert offers(filled, "sta") == {"status": ("status:", "number")} | {
        name: one for name, one in offers(filled, "sta").items() if name != "status"
    }


def test_many_values_are_cut_and_said_so(house: House) -> None:
    for number in range(60):
        house.store((-S, "x"), host=f"h{number:02}")
    answer = house.client.get("/explore/complete", params={"q": "{host=", "at": 6}).text
    assert answer.count('role="option"') == 50
    assert "10 more: type to narrow them down" in answer


def test_hostile_values_are_text(house: House) -> None:
    house.store((-S, "x"), host='<script>"\u202e')
    answer = house.client.get("/explore/complete", params={"q": "{host=", "at": 6}).text
    assert "<script>" not in answer
    assert 'data-insert="`&lt;script&gt;&#34;' in answer or 'data-insert="&#34;&lt;script&gt;\\&#34;\\u202e' in answer


def test_a_check_says_nothing_of_what_can_be_read(house: House) -> None:
    for query in ("", '{a="b"}', "plain words", 'rate({a="b"}[5m])'):
        answer = house.client.get("/explore/check", params={"q": query})
        assert (answer.status_code, answer.text) == (204, "")


def test_a_check_gives_the_mistake_with_a_proposal(house: House) -> None:
    answer = house.client.get("/explore/check", params={"q": '{a="b"} | jso', "from": "now-5m", "tab": "chart"})
    text = unescape(answer.text)
    assert answer.status_code == 200
    assert "`jso` is neither a stage nor a test of a label" in text
    assert "          <b>^</b> line 1, column 11" in text
    assert 'href="/?q=%7Ba%3D%22b%22%7D+%7C+json&from=now-5m&tab=chart"><code>{a="b"} | json</code>' in text
    assert "from=" in house.client.get("/explore/check", params={"q": "x", "from": "soon"}).text


# --- the page ---------------------------------------------------------------------------------------


def test_words_go_to_their_query_and_stay_known(house: House) -> None:
    house.store((-2 * S, "Failed one"), host="a", fields={"status": 500})
    house.store((-S, "failed two"), host="b", fields={"status": 404})
    asked = {"q": "failed status:>=500 host:a", "from": "now-1h", "mode": "wrap"}
    answer = house.client.get("/", params=asked)
    assert answer.status_code == 303
    page = house.client.get(answer.headers["location"])
    text = unescape(page.text)
    assert '>{host="a"} |~ "(?i)failed" | status >= 500</textarea>' in text
    assert "“<bdi>failed status:>=500 host:a</bdi>” was read as this LogQL." in text
    assert "<b>1</b> lines" in text
    assert "mode=wrap" in answer.headers["location"]
    words = unescape(re.search(r'id="words"[^>]* href="([^"]+)"', page.text)[1])  # type: ignore[index]
    again = unescape(house.client.get(words).text)
    assert ">failed status:>=500 host:a</textarea>" in again
    assert "<b>1</b> lines" in again
    clicked = house.client.get(f"/explore/edit?{answer.headers['location'][2:]}&out=stream.host%3Db").headers[
        "location"
    ]
    assert "typed=" not in clicked  # the words are not those of the query that the click made


def test_a_word_that_names_a_level_offers_the_level(house: House) -> None:
    house.store((-S, "no such word"), level="error")
    page = unescape(house.client.get("/", params={"q": "error"}, follow_redirects=True).text)
    assert "Search the level instead: <code>level:error</code>" in page


def test_a_mistake_in_the_range_of_words_is_shown(house: House) -> None:
    answer = house.client.get("/", params={"q": "some words", "from": "soon"})
    assert answer.status_code == 400
    assert "from=" in answer.text
    assert ">some words</textarea>" in answer.text


def test_format_lays_the_query_out_without_script(house: House) -> None:
    query = '{host="a"} |= "x" | json | status >= 500 | line_format "{{.x}}"'
    answer = house.client.get("/", params={"q": query, "fmt": "1", "from": "now-5m"})
    assert answer.status_code == 303
    assert "from=now-5m" in answer.headers["location"]
    assert "fmt" not in answer.headers["location"]
    page = unescape(house.client.get(answer.headers["location"]).text)
    assert '>{host="a"}\n  |= "x"\n  | json\n  | status >= 500\n  | line_format "{{.x}}"</textarea>' in page
    wrong = house.client.get("/", params={"q": '{host="a"} # why', "fmt": "1"})
    assert wrong.status_code == 400
    assert "would lose its comments" in wrong.text


def test_a_mistake_on_the_page_offers_what_was_meant(house: House) -> None:
    page = house.client.get("/", params={"q": '{host="a"} | jso'}).text
    link = unescape(re.search(r'<li>Use <a href="([^"]+)"', page)[1])  # type: ignore[index]
    assert house.client.get(link).status_code == 200
    assert '{host="a"} | json</textarea>' in unescape(house.client.get(link).text)


def test_a_very_long_line_of_a_query_is_shown_around_the_mistake(house: House) -> None:
    query = '{a="' + "x" * 5_000 + '"} | jso | json'
    page = house.client.get("/explore/check", params={"q": query}).text
    shown = re.search(r"<pre[^>]*>(.*?)\n *<b>", page, re.DOTALL)
    assert shown is not None
    assert len(unescape(shown[1])) <= 121
    assert "| jso | json" in unescape(shown[1])


# --- the plan -----------------------------------------------------------------------------------------


def test_the_plan_says_what_is_read_and_what_it_cost(house: House) -> None:
    house.store((-S, "one"), (-2 * S, "two"), host="a", fields={"status": 500})
    house.store((-5 * HOUR, "older"), host="a")
    page = house.client.get("/", params={"q": '{host="a"} |= "o" | status >= 500', "tab": "explain"}).text
    text = re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", page)))
    assert "rows read 2 of 3 in the table" in text
    assert "segments read 1 of 2" in text
    assert "33.3 % of the table did not have to be read." in text
    assert "Skipped 1 segment, outside the range of time" in text
    assert 'In the scan |= "o"' in text
    assert page.index("<b>Read</b>") < page.index("<b>In the scan</b>")
    metric = house.client.get("/", params={"q": 'sum(rate({host="a"}[5m]))', "tab": "explain"}).text
    assert "rate, totals grouped by nothing" in metric


def test_a_mistake_in_what_is_explained_is_the_querys(house: House) -> None:
    answer = house.client.get("/", params={"q": '{host="a"} | jso', "tab": "explain"})
    assert answer.status_code == 400
    assert "did you mean" in answer.text
