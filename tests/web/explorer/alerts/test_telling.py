"""Silences, receivers with their test, and the outbox; without script."""

from __future__ import annotations

import re
from html import unescape

from web.explorer.alerts.conftest import Hook, Room
from web.explorer.alerts.test_views import BOOM, fires, text_of


def test_an_alert_is_silenced_and_speaks_again(room: Room) -> None:
    fires(room, labels={"severity": "page"})
    link = unescape(re.search(r'href="(/alerts/silences\?[^"]+)"', room.get("/alerts"))[1])  # type: ignore[index]
    form = room.get(link.partition("#")[0])
    assert "It would silence 1 alert that there is now: Boom" in text_of(form)
    matchers = unescape(re.search(r'name="matchers" value="([^"]*)"', form)[1])  # type: ignore[index]
    assert matchers == 'alertname="Boom", severity="page"'
    assert 'name="who" value="ann"' in form
    room.post("/alerts/silences", matchers=matchers, comment="<i>known</i>", who="ann", **{"for": "2h"})
    page = room.get("/alerts/silences")
    assert "<bdi>ann</bdi>: <bdi>&lt;i&gt;known&lt;/i&gt;</bdi>" in page
    assert "(2h left)" in text_of(page)
    assert 'badge warn">silenced<' in room.get("/alerts")
    assert 'badge bad">firing<' in room.get("/alerts", state="silenced")
    end = re.search(r'action="(/alerts/silences/[^"]+/expire)"', page)[1]  # type: ignore[index]
    room.post(end)
    ended = room.get("/alerts/silences")
    assert "expired" in ended
    again = unescape(re.search(r'href="(/alerts/silences\?[^"#]+)#new">again', ended)[1])  # type: ignore[index]
    assert "It would silence 1 alert" in text_of(room.get(again))
    assert "silenced<" not in room.get("/alerts").partition('class="alert-list"')[2]
    room.post("/alerts/silences/none/expire", 404)


def test_a_silence_that_is_none_is_refused_in_the_form(room: Room) -> None:
    for wrong in ({"matchers": "x"}, {"matchers": ""}, {"matchers": 'a=~".*"'}, {"for": "soon"}):
        given = {"matchers": 'a="b"', "comment": "typed", "for": "1h", **wrong}
        page = room.post("/alerts/silences", 400, **given).text
        assert 'role="alert"' in page, wrong
        assert 'value="typed"' in page, wrong
    assert "No alert that there is now has these labels." in room.get("/alerts/silences", matchers='a="b"')


def test_a_receiver_is_made_tried_changed_and_deleted(room: Room, hook: Hook) -> None:
    assert "There is no receiver" in room.get("/alerts/receivers")
    room.post("/alerts/receivers", name="ops", way="webhook", url=hook.url + "secret", tell="all", send_resolved="1")
    page = room.get("/alerts/receivers")
    assert "all alerts" in page
    assert "secret" not in page
    tried = room.post("/alerts/receivers/ops/test", 200).text
    assert "Webhook took the message." in text_of(tried)
    assert hook.got[0]["alerts"][0]["labels"]["alertname"] == "TestReceiver"
    hook.status = 400
    assert "not taken" in text_of(room.post("/alerts/receivers/ops/test", 200).text)
    form = room.get("/alerts/receivers/edit", name="ops")
    assert "secret" not in form.partition("<main")[2].partition("</main")[0].replace("leave empty to keep", "")
    change = {"old": "ops", "name": "day", "way": "webhook", "url": "", "tell": "some", "matchers": 'severity="page"'}
    room.post("/alerts/receivers", **change)
    page = room.get("/alerts/receivers")
    assert "severity=&#34;page&#34;" in page
    assert room.alerting.notifier.names() == ["day"]
    saved = room.alerting.notifier.receivers.definition("day")
    assert saved is not None
    assert saved["receiver"]["webhook"] == {"url": hook.url + "secret"}
    room.post("/alerts/receivers/day/delete")
    assert room.alerting.notifier.names() == []
    for gone in ("delete", "test"):
        room.post(f"/alerts/receivers/day/{gone}", 404)
    assert room.get("/alerts/receivers/edit", 404, name="day")


def test_a_receiver_that_is_none_is_refused_in_the_form(room: Room) -> None:
    given = {"name": "ops", "way": "webhook", "url": "http://h/x", "tell": "all"}
    for wrong in ({"url": "ftp://x"}, {"name": ""}, {"tell": "some"}, {"way": "pigeon"}, {"repeat_interval": "x"}):
        assert 'role="alert"' in room.post("/alerts/receivers", 400, **{**given, **wrong}).text, wrong
    room.post("/alerts/receivers", **given)
    assert "already" in room.post("/alerts/receivers", 400, **given).text
    answer = room.post("/alerts/receivers", **{**given, "name": "b", "next": "//evil.example/"})
    assert answer.headers["location"] == "/"


def test_each_way_has_a_form(room: Room) -> None:
    for way, field in (("email", "smarthost"), ("slack", "urls"), ("pagerduty", "routing_key"), ("nonsense", "url")):
        assert f'name="{field}"' in room.get("/alerts/receivers/edit", way=way)


def test_what_is_refused_is_parked_and_sent_again_or_dropped(room: Room, hook: Hook) -> None:
    hook.status = 400
    room.post("/alerts/receivers", name="ops", way="webhook", url=hook.url, tell="all", group_wait="0s")
    room.save("Boom")
    room.pass_time(0)
    room.store(*BOOM, host="a")
    room.pass_time(60)
    page = room.get("/alerts/outbox")
    assert 'badge bad">parked<' in page
    assert "400" in page
    number = re.search(r"/alerts/outbox/(\d+)/retry", page)[1]  # type: ignore[index]
    hook.status = 200
    room.post(f"/alerts/outbox/{number}/retry")
    room.alerting.notifier.step()
    assert 'badge good">sent<' in room.get("/alerts/outbox")
    room.post(f"/alerts/outbox/{number}/retry", 404)
    room.post(f"/alerts/outbox/{number}/drop", 404)
    assert "No notice is parked." in room.get("/alerts/outbox", state="parked")
