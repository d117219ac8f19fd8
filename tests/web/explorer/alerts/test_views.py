"""What fires, the rules, and one rule, as pages; without script."""

from __future__ import annotations

import re
from html import unescape

from tailrace.access.model import Principal
from web.explorer.alerts.conftest import Room

BOOM = [(second, "boom") for second in (1, 2, 3)]


def text_of(html: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


def fires(room: Room, **more: object) -> str:
    """Have an alert fire, and return the id of its rule."""
    name = room.save("Boom", **more)
    room.pass_time(0)
    room.store(*BOOM, host="a")
    room.pass_time(60)
    return name


def test_without_a_rule_the_page_says_what_to_do(room: Room) -> None:
    page = room.get("/alerts")
    assert "There is no alert yet." in page
    assert 'href="/alerts/edit"' in page
    assert "There is no rule yet." in room.get("/alerts/rules")
    assert "Nothing was told yet." in room.get("/alerts/history")


def test_an_alert_that_fires_is_listed_with_its_value_and_its_lines(room: Room) -> None:
    name = fires(room, labels={"severity": "page"}, annotations={"summary": "{{ $value }} booms"})
    page = room.get("/alerts")
    assert "<title>Alerts (1 firing)" in page
    assert re.search(r'<span class="badge bad">firing</span>\s*<h3><a href="/alerts/rule/' + name, page)
    assert "3 booms" in page
    assert "severity</bdi>=<bdi>page" in page
    assert "nobody is told" in page
    link = unescape(re.search(r'class="button" href="(/\?q=[^"]+)"', page)[1])  # type: ignore[index]
    assert 'Lines<span class="sr"> of Boom' in page
    assert room.get(link).count("boom</") >= 3  # the lines that made it fire
    assert 'title="alerts that fire">1<' in room.get("/alerts")


def test_alerts_are_filtered_and_grouped(room: Room) -> None:
    expr = 'sum by (host) (count_over_time({service_name="cart"} |= "boom" [1m])) > 1'
    room.save("Boom", expr=expr)
    room.pass_time(0)
    room.store(*BOOM, host="a")
    room.store(*BOOM, host="b")
    room.pass_time(60)
    assert room.get("/alerts").count('<li class="alert ') == 2
    assert room.get("/alerts", q='host="a"').count('<li class="alert ') == 1
    assert room.get("/alerts", q="boom").count('<li class="alert ') == 2
    assert "No alert fits this filter, of 2 there are." in room.get("/alerts", q="nobody")
    assert "No alert fits" in room.get("/alerts", state="pending")
    by = room.get("/alerts", by="host")
    assert by.count('<section class="card alerts-group">') == 2
    wrong = room.get("/alerts", 400, q='host="')
    assert 'role="alert"' in wrong


def test_an_alert_is_pending_then_fires_then_recovers(room: Room) -> None:
    room.save("Boom", **{"for": "1m"})
    room.pass_time(0)
    room.store(*[(second, "boom") for second in (1, 2, 61, 62)], host="a")
    room.pass_time(60)
    assert '<span class="badge warn">pending</span>' in room.get("/alerts")
    room.pass_time(60)
    assert '<span class="badge bad">firing</span>' in room.get("/alerts")
    room.pass_time(60)
    assert '<span class="badge good">recovered</span>' in room.get("/alerts")
    told = text_of(room.get("/alerts/history"))
    assert re.search(r"2026-01-01 00:03:00 resolved Boom 1m", told)  # it fired for a minute


def test_rules_are_searched_filtered_and_paged(room: Room) -> None:
    rules = [
        {"alert": f"Rule{number:04d}", "expr": f'sum(count_over_time({{app="a{number}"}}[1m])) > {number}'}
        for number in range(250)
    ]
    room.alerting.save("many", {"name": "g", "rules": rules})
    page = room.get("/alerts/rules")
    assert "<b>256</b> of 256 rules" in page  # with those about alerting itself
    assert page.count('<code class="rule-expr">') == 100
    assert room.get("/alerts/rules", page=3).count('<code class="rule-expr">') == 56
    assert room.get("/alerts/rules", page=99).count('<code class="rule-expr">') == 56
    found = room.get("/alerts/rules", q="a249")
    assert "<b>1</b> of 256 rules" in found
    assert "Rule0249" in found
    assert "<b>0</b> of 256" in room.get("/alerts/rules", state="firing")


def test_one_rule_shows_its_windows_its_notices_and_its_chart(room: Room) -> None:
    name = fires(room)
    page = room.get(f"/alerts/rule/{name}")
    said = text_of(page)
    assert "state firing" in said
    assert "2026-01-01 00:01:00 true 3 " in said
    assert 'class="threshold"' in page
    assert re.search(r"all together</bdi></th><td class=\"num\">3</td>", page)
    room.pass_time(60)
    room.pass_time(60)
    assert "not true" in text_of(room.get(f"/alerts/rule/{name}", outcome="zero"))
    assert "No window has this outcome" in room.get(f"/alerts/rule/{name}", outcome="error")
    assert "There is no rule with this id any more" in room.get("/alerts/rule/nothing", 404)


def test_an_evaluation_that_failed_stands_where_the_rule_stands(room: Room) -> None:
    name = room.save("Sum", expr='sum(sum_over_time({service_name="cart"} | logfmt | unwrap n [1m])) > 1')
    room.pass_time(0)
    room.store((1, "n=many"), host="a")
    room.pass_time(60)
    for path in (f"/alerts/rule/{name}", "/alerts/rules"):
        page = room.get(path)
        assert "&#39;n&#39; does not convert" in page, path
        assert "error" in text_of(page.partition("<main")[2]), path
    assert "Nothing fires and nothing is pending: 7 rules are looked after." in room.get("/alerts")


def test_what_others_sent_here_is_listed_too(room: Room) -> None:
    from tailrace.alerts.notify.alerts import KnownAlert, fingerprint

    labels = {"alertname": "<b>Foreign", "host": "\u202eevil"}
    now_ns = room.clock.now_ns()
    alert = KnownAlert(fingerprint(labels), labels, {}, now_ns, 0, now_ns, generator_url="javascript:alert(1)")
    room.alerting.notifier.post([alert])
    page = room.get("/alerts")
    assert "&lt;b&gt;Foreign" in page
    assert "<b>Foreign" not in page
    assert "\u202e" not in page
    assert "javascript:" not in page
    assert "sent here by somebody else" in page


def test_who_may_not_change_anything_is_told_what_it_takes(room: Room) -> None:
    name = fires(room)
    room.who[0] = Principal("bob", scopes=frozenset({"query"}))
    for path in (f"/alerts/rule/{name}", "/alerts/silences", "/alerts/edit", "/alerts/receivers"):
        page = room.get(path)
        assert "takes a token with the scope admin" in page, path
        assert 'method="post"' not in page.partition("<main")[2], path
    room.post("/alerts/edit", 403, name="x", q='{a="b"}')


def test_every_view_names_what_it_is_and_has_no_style_or_script_in_it(room: Room) -> None:
    name = fires(room)
    paths = ["/alerts", "/alerts/rules", f"/alerts/rule/{name}", "/alerts/history", "/alerts/silences"]
    paths += ["/alerts/receivers", "/alerts/receivers/edit", "/alerts/outbox", "/alerts/edit", "/alerts/edit?days=30"]
    for path in paths:
        page = room.get(path)
        assert page.count("<h1>") == 1, path
        assert not re.search(r"<[^>]+ (style|on\w+)=", page), path
        assert not re.search(r"<(script|style)>", page), path
