"""From a search to a saved alert, and back into the editor: forms without script."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

import yaml

from tailrace.alerts.unit_tests.files import load
from tailrace.alerts.unit_tests.run import run
from web.explorer.alerts.conftest import Hook, Room
from web.explorer.alerts.test_views import text_of

Q = '{service_name="cart"} |= "boom"'
MINUTE = 60
HOUR = 3_600


def booms(room: Room, *minutes: int) -> None:
    """Store ten lines with a boom, and one without, in each of some minutes before now."""
    for minute in minutes:
        room.store(*[(-MINUTE * minute + second, "boom") for second in range(1, 11)], host="a")
        room.store((-MINUTE * minute, "fine"), host="a")


def test_a_search_opens_the_form_with_its_preview(room: Room) -> None:
    booms(room, 30, 31, 90)
    page = room.get("/alerts/edit", q=Q, n="5", over="1m", name="x")
    said = text_of(page)
    assert 'sum(count_over_time({service_name="cart"} |= "boom" [1m])) > 5' in unescape(said)
    assert "It would have fired 2 times, 3m in all. Highest: 10 at 2025-12-31 22:31:00 ." in said
    assert page.count('<rect class="band"') == 2
    assert 'class="threshold"' in page
    link = re.search(r'threshold <a href="([^"]+)">above 10</a> it would not have', page)
    assert link is not None
    assert "It would not have fired." in text_of(room.get(unescape(link[1])))


def test_a_first_look_proposes_a_name_and_a_text(room: Room) -> None:
    page = room.get("/alerts/edit", q=Q)
    assert 'name="name" value="cart boom"' in page
    assert 'value="{{ $value | humanize }} lines"' in page
    assert "No line fits in this time: 0 rows were searched." in text_of(page)


def test_mistakes_stand_in_their_place(room: Room) -> None:
    caret = room.get("/alerts/edit", q='{app="x"} |= boom', name="x")
    assert "<b>^</b> line 1, column 14" in caret
    assert 'aria-invalid="true" aria-describedby="query-error"' in caret
    assert "$.rules[0].for" in room.get("/alerts/edit", q=Q, name="x", **{"for": "soon"})
    lines = room.get("/alerts/edit", write="expr", expr='{app="x"}', name="x")
    assert "this query gives lines, and a rule needs numbers" in lines
    assert "labels, line 1" in room.get("/alerts/edit", q=Q, name="x", labels="nonsense")
    free = room.get("/alerts/edit", write="expr", expr='sum(rate({app="x"}[5m]))', name="x")
    assert "This expression compares nothing" in free


def test_an_expression_that_compares_nothing_is_offered_a_threshold(room: Room) -> None:
    booms(room, 30)
    page = room.get(
        "/alerts/edit", expr='topk(1, sum by (host) (count_over_time({service_name="cart"}[1m])))', name="x"
    )
    link = re.search(r'<a href="([^"]+)">Compare it with 10', page)
    assert link is not None
    compared = room.get(unescape(link[1]))
    assert "[1m]))) &gt; 10</textarea>" in compared
    assert "It would not have fired." in text_of(compared)


def test_the_form_and_the_expression_lead_to_each_other(room: Room) -> None:
    page = room.get("/alerts/edit", q=Q, n="5", name="x", severity="page")
    free = unescape(re.search(r'id="alert-free" href="([^"]+)"', page)[1])  # type: ignore[index]
    typed = room.get(free)
    assert "&gt; 5</textarea>" in typed
    assert 'name="severity"' in typed
    back = unescape(re.search(r'<a href="([^"]+)">Back to the form', typed)[1])  # type: ignore[index]
    form = room.get(back)
    assert 'name="n" value="5"' in form
    assert '<option value="page" selected>' in form


def test_saved_edited_and_deleted(room: Room) -> None:
    answer = room.post("/alerts/edit", q=Q, n="5", over="1m", name="Booms", severity="page", every="1m")
    location = answer.headers["location"]
    assert location.endswith("?saved=1")
    page = room.get(location)
    assert "Saved. It is evaluated for the first time within 1m." in text_of(page)
    assert "/test" not in page
    room.post("/alerts/receivers", name="ops", way="webhook", url="http://127.0.0.1:1/x", tell="all")
    assert 'action="/alerts/receivers/ops/test"' in room.get(location)
    name = location.split("/")[-1].partition("?")[0]
    assert room.alerting.namespaces()["explorer"]["Booms"]["rules"] == [
        {
            "alert": "Booms",
            "expr": 'sum(count_over_time({service_name="cart"} |= "boom" [1m])) > 5',
            "labels": {"severity": "page"},
        }
    ]
    form = room.get("/alerts/edit", rule=name)
    assert "<title>Edit Booms" in form
    assert 'name="n" value="5"' in form
    changed = room.post("/alerts/edit", rule=name, q=Q, n="7", over="1m", name="Bangs", every="30s")
    assert list(room.alerting.namespaces()["explorer"]) == ["Booms"]
    assert room.alerting.namespaces()["explorer"]["Booms"]["interval"] == "30s"
    name = changed.headers["location"].split("/")[-1].partition("?")[0]
    assert "Bangs" in room.get(f"/alerts/rule/{name}")
    assert room.post(f"/alerts/rule/{name}/delete").headers["location"] == "/alerts/rules"
    assert "explorer" not in room.alerting.namespaces()
    room.post(f"/alerts/rule/{name}/delete", 404)


def test_a_rule_goes_from_its_group_and_leaves_the_others(room: Room) -> None:
    rules = [{"alert": name, "expr": f'sum(rate({{a="{name}"}}[1m])) > 1'} for name in ("One", "Two")]
    room.alerting.save("mine", {"name": "g", "limit": 3, "rules": rules})
    two = next(one for group in room.alerting.rules.current() for one in group.rules if one.name == "Two")
    room.post("/alerts/edit", rule=two.id, q='{a="b"}', n="2", name="Three")
    saved = room.alerting.namespaces()["mine"]["g"]
    assert [one["alert"] for one in saved["rules"]] == ["One", "Three"]
    assert saved["limit"] == 3
    one = next(one for group in room.alerting.rules.current() for one in group.rules if one.name == "One")
    room.post(f"/alerts/rule/{one.id}/delete")
    assert [each["alert"] for each in room.alerting.namespaces()["mine"]["g"]["rules"]] == ["Three"]


def test_what_is_wrong_saves_nothing_and_keeps_what_was_typed(room: Room) -> None:
    for wrong in ({"q": "{"}, {"name": ""}, {"n": "x"}, {"for": "x"}, {"webhook": "ftp://x"}, {"summary": "{{ $v"}):
        page = room.post("/alerts/edit", 400, **{"q": Q, "name": "Booms", "description": "typed", **wrong}).text
        assert 'role="alert"' in page, wrong
        assert ">typed</textarea>" in page, wrong
    assert room.alerting.namespaces() == {}
    assert room.alerting.notifier.names() == []
    room.post("/alerts/edit", q=Q, name="Booms")
    twice = room.post("/alerts/edit", 400, q=Q, name="Booms").text
    assert "There is an alert &#39;Booms&#39; already in explorer" in twice


def test_from_nothing_to_a_webhook_that_rings(room: Room, hook: Hook) -> None:
    page = room.get("/alerts/edit", q=Q)
    assert "There is no receiver yet, so nobody would be told." in page
    room.post("/alerts/edit", q=Q, n="2", over="1m", name="Booms", webhook=hook.url, summary="{{ $value }} booms")
    assert "It goes to <b><bdi>webhook" in room.get("/alerts/edit", q=Q)
    room.pass_time(0)
    room.store(*[(second, "boom") for second in (1, 2, 3)], host="a")
    room.pass_time(60)
    room.pass_time(30)  # its group has waited
    assert [one["status"] for one in hook.got] == ["firing"]
    assert hook.got[0]["alerts"][0]["annotations"] == {"summary": "3 booms"}
    assert "goes to: <bdi>webhook" in room.get("/alerts")
    assert "sent" in text_of(room.get("/alerts/outbox"))


def test_a_back_test_over_thirty_days(room: Room) -> None:
    booms(room, 30, 60 * 24 * 5, 60 * 24 * 29, 60 * 24 * 31)
    page = room.get("/alerts/edit", q=Q, n="5", over="1m", name="x", days="30")
    test = text_of(page.partition('id="alert-test"')[2])
    assert "fired 3 times in all 3m longest 1m notices 6 flaps 0" in test
    assert [f"2025-12-{day} 00:01:00 1m 10" in test for day in ("27", "03", "01")] == [True, True, False]
    piece = room.get("/alerts/edit/backtest", q=Q, n="5", over="1m", name="x")
    assert "<html" not in piece
    assert "43,200 windows over 33 rows" in text_of(piece)


def test_the_notice_is_shown_as_it_would_be_sent(room: Room) -> None:
    booms(room, 30)
    page = room.get("/alerts/edit", q=Q, n="5", over="1m", name="Booms", by="host", summary="{{ $labels.host }} booms")
    notice = text_of(page.partition("The notice that people would get")[2].partition("</details>")[0])
    assert notice.startswith("[FIRING:1] Booms host=a")
    assert "a booms" in notice
    assert "value: 10" in notice


def test_the_files_pass_the_test_command(room: Room, tmp_path: Path) -> None:
    booms(room, 30)
    params = {"q": Q, "n": "5", "over": "1m", "by": "host", "name": "Cart: booms", "for": "1m", "severity": "page"}
    rules = room.client.get("/alerts/edit/rules.yaml", params=params)
    test = room.client.get("/alerts/edit/test.yaml", params=params)
    assert 'filename="cart-booms.rules.yaml"' in rules.headers["content-disposition"]
    folder = tmp_path / "exported"
    folder.mkdir()
    (folder / "cart-booms.rules.yaml").write_text(rules.text)
    (folder / "cart-booms.test.yaml").write_text(test.text)
    read = yaml.safe_load(test.text)
    assert read["tests"][0]["input_logs"][0]["lines"][0]["text"] == "boom"
    labels = {"host": "a", "severity": "page"}
    assert [check["exp_alerts"] for check in read["tests"][0]["alert_rule_test"]] == [[{"exp_labels": labels}], []]
    results = list(run(load(folder / "cart-booms.test.yaml")))
    assert [result.failures for result in results] == [[]]
    (folder / "cart-booms.rules.yaml").write_text(rules.text.replace("> 5", "> 500"))
    assert next(iter(run(load(folder / "cart-booms.test.yaml")))).failures  # it can fail


def test_plain_words_are_read_as_in_the_search(room: Room) -> None:
    assert "(?i)boom" in room.get("/alerts/edit/preview", write="form", q="boom")
    page = room.get("/alerts/edit", write="form", q="boom -bang")
    assert "(?i)boom&#34; !~ &#34;(?i)bang&#34;</textarea>" in page
    room.post("/alerts/edit", write="form", q="boom", n="5", over="1m", name="Words", every="1m")
    rule = room.alerting.namespaces()["explorer"]["Words"]["rules"][0]
    assert rule["expr"] == 'sum(count_over_time({service_name=~".+"} |~ "(?i)boom" [1m])) > 5'
