"""The page under attack: rows of others, forms of other sites, texts that want to be markup, questions without end."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from playwright.sync_api import expect, sync_playwright
from sqlalchemy import func, select

from security.conftest import CANARY, House, routes, running
from security.test_permissions import filled
from tailrace.control import METADATA
from tailrace.web.live import event
from tailrace.web.permissions import permission
from web.explorer.browser import ARGS, CHROMIUM, WAIT_MS, needs_chromium

WINDOW = {"from": "now-1h"}
TABS = ("lines", "patterns", "fields", "chart", "explain")
PARTS = ("overview", "rail", "patterns", "fields", "chart")
BEYOND = "9" * 19
"""More than 64 bits hold."""

KEPT = (
    *("access_audit", "access_tokens", "alert_groups", "dashboards", "deletions", "metrics", "notify_receivers"),
    *("notify_silences", "query_history", "saved_search_versions", "saved_searches", "short_links"),
)
"""Tables of what people change."""


# --- rows of others -------------------------------------------------------------------------------------


def addresses(client: httpx.Client) -> list[str]:
    """Return the addresses of the newest lines that somebody may see."""
    page = client.get("/explore", params={"q": '{app="web"}', **WINDOW}).text
    return [part.partition("?")[0].partition('"')[0] for part in page.split('href="/line/')[1:]]


def test_the_line_of_another_is_not_there(house: House) -> None:
    with house.client("bank") as bank, house.client("shop") as shop:
        theirs, own = addresses(bank)[0], addresses(shop)[0]
        for rest in ("", "/raw", "/json"):
            assert CANARY["shop"] in shop.get(f"/line/{own}{rest}").text
            for asked in ({}, {"part": "panel"}, {"part": "around"}):
                answer = shop.get(f"/line/{theirs}{rest}", params=asked)
                assert answer.status_code == 404
                assert CANARY["bank"] not in answer.text
        assert CANARY["bank"] not in shop.get("/", params={"q": '{app="web"}', "sel": theirs}).text


@pytest.mark.parametrize("query", ['{app="web"}', '{app=~".+"} | json', "canary", '{__tenant_id__="bank"}'])
def test_no_tab_and_no_part_shows_what_is_of_another(house: House, query: str) -> None:
    asked = {"q": query, **WINDOW, "by": "canary", "cols": "canary,msg", "find": "canary", "cmp": "previous"}
    with house.client("shop") as shop:
        for more in (*({"tab": tab} for tab in TABS), *({"part": part} for part in PARTS)):
            text = shop.get("/explore", params={**asked, **more}).text.replace("_", "-")
            assert CANARY["bank"] not in text, more


@pytest.mark.parametrize(
    "query",
    ["{", '{canary="', '{app="web"} | ', '{app="web"} | json | msg="', "c", "msg:", "sum by (", '{__tenant_id__="'],
)
def test_nothing_of_another_is_offered(house: House, query: str) -> None:
    with house.client("shop") as shop:
        answer = shop.get("/explore/complete", params={"q": query, "at": str(len(query)), **WINDOW})
    assert answer.status_code == 200
    assert CANARY["bank"] not in answer.text.replace("_", "-")


@pytest.mark.parametrize("accept", ["text/html", "application/json"])
def test_a_label_of_another_is_not_known(house: House, accept: str) -> None:
    with house.client("shop", Accept=accept) as shop:
        for key, value in (
            ("canary", CANARY["bank"]),
            ("__tenant_id__", "bank"),
            (CANARY["bank"].replace("-", "_"), "x"),
        ):
            assert shop.get(f"/logs/{key}/{value}").status_code == 404
        assert shop.get(f"/logs/canary/{CANARY['shop']}").status_code in {200, 303}


def test_an_export_of_another_can_neither_be_seen_nor_ended(house: House) -> None:
    job = "0123456789abcdef" * 2
    with house.client("bank") as bank:
        assert bank.get("/api/v1/logs/query", params={"query": '{app="web"}', "limit": "0", "job": job}).text
        assert bank.get(f"/explore/export/{job}").json()["state"] == "done"
    for who in ("shop", "operator"):
        with house.client(who) as other:
            assert other.get(f"/explore/export/{job}").status_code == 404
            assert other.post(f"/explore/export/{job}/cancel").status_code == 404


def test_queries_that_one_ran_are_told_to_nobody_else(house: House) -> None:
    with house.client("operator") as operator, house.client("query") as other:
        assert operator.post("/explore/history", data={"q": '{app="only the operator"}'}).status_code == 204
        assert "only the operator" in operator.get("/explore/history").text
        assert "only the operator" not in other.get("/explore/history").text
    with house.client("shop") as shop:
        assert "only the operator" not in shop.get("/explore/history").text


# --- who may change what --------------------------------------------------------------------------------


def test_a_search_of_another_is_changed_by_nobody_but_operators(house: House) -> None:
    with house.client("operator") as owner, house.client("query") as other:
        made = owner.post("/saved/new", data={"name": "mine", "address": "q=%7Bapp%3D%22web%22%7D"}).headers["location"]
        number = made.rpartition("/")[2]
        for path, given in (
            (f"/saved/{number}", {"name": "yours", "version": "1", "address": ""}),
            (f"/saved/{number}/delete", {}),
        ):
            assert other.post(path, data=given).status_code == 403
        assert "mine" in owner.get(f"/saved/{number}").text
        assert owner.post(f"/saved/{number}/delete").status_code == 303


def changing(house: House) -> list[tuple[str, str]]:
    """Return the addresses of the page that change something."""
    found = [one for one in routes(house.app) if one[0] not in {"GET", "HEAD"}]
    own = (
        "/saved",
        "/dashboard",
        "/alerts",
        "/files",
        "/metrics-from-logs",
        "/pipeline",
        "/explore",
        "/login",
        "/logout",
    )
    return [(method, filled(path)) for method, path in found if path.startswith(own)]


@pytest.mark.parametrize(
    "headers", [{"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "http://evil.example"}, {"Origin": "null"}],
    ids=str,
)  # fmt: skip
def test_no_form_of_another_site_is_taken(plain: House, headers: dict[str, str]) -> None:
    """Where no token is needed a cookie protects nothing."""
    asked = changing(plain)
    assert len(asked) > 25
    with plain.client(**headers) as client:
        taken = [one for one in asked if client.request(*one, data={"name": "x"}).status_code != 403]
    assert taken == []


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
@pytest.mark.parametrize(
    ("mode", "dest", "status"),
    [("navigate", "document", 200), ("navigate", "iframe", 403), ("no-cors", "image", 403), ("cors", "empty", 403)],
)
def test_a_foreign_page_may_link_and_nothing_else(plain: House, site: str, mode: str, dest: str, status: int) -> None:
    """It could not read what it is sent; but questions that cost much would be asked in its name."""
    with plain.client(**{"Sec-Fetch-Site": site, "Sec-Fetch-Mode": mode, "Sec-Fetch-Dest": dest}) as client:
        for path in ("/saved", "/alerts/edit/backtest", "/loki/api/v1/labels"):
            assert client.get(path).status_code == status, path


def test_what_is_only_looked_at_stays_as_it_is(plain: House) -> None:
    """Links, images and searching machines ask with GET: nothing may come of it."""
    tables = [METADATA.tables[name] for name in KEPT]

    def counted() -> list[int]:
        with plain.control.reading() as connection:
            return [connection.execute(select(func.count()).select_from(table)).scalar_one() for table in tables]

    given = {"q": '{app="x"}', "name": "x", "address": "q=x", "text": "x", "matchers": 'a="b"', "comment": "x", "who": "x",
             "way": "webhook", "url": "https://93.184.216.34/", "version": "1", "do": "remove"}  # fmt: skip
    before = counted()
    with plain.client(Accept="text/html") as client:
        for method, path in routes(plain.app):
            if method == "GET" and permission(method, filled(path)).scope and not path.endswith(("/tail", "/live")):
                client.get(filled(path), params=given)
    assert counted() == before


@needs_chromium
def test_a_browser_logs_in_where_there_is_no_tls(tmp_path: Path) -> None:
    """There it says of a form no more than `Origin`, and that only if the page lets it."""
    with running(tmp_path, host="logs.test", access={"tokens": "required"}) as house, sync_playwright() as playwright:
        args = [*ARGS, "--host-resolver-rules=MAP logs.test 127.0.0.1", "--no-proxy-server"]
        page = playwright.chromium.launch(executable_path=CHROMIUM, args=args).new_page()
        page.goto(f"http://logs.test:{house.port}/saved")
        page.get_by_label("Token").fill(house.tokens["operator"])
        page.get_by_role("button").click()
        expect(page).to_have_url(f"http://logs.test:{house.port}/saved", timeout=WAIT_MS)
        page.get_by_role("button", name="Log out").click()
        expect(page).to_have_url(f"http://logs.test:{house.port}/login", timeout=WAIT_MS)


def test_the_address_of_a_webhook_stands_in_no_address(plain: House) -> None:
    """It is a secret, and histories and logs keep addresses; and who made a link must not be told of alerts by it."""
    secret = "https://93.184.216.34/its-secret-part"
    asked = {"write": "expr", "expr": "1 > 0", "every": "1h", "name": "x", "webhook": secret}
    with plain.client(Accept="text/html") as client:
        linked = client.get("/alerts/edit", params=asked).text.partition("<main")[2]
        tried = client.post("/alerts/edit", data={**asked, "preview": "1"})
        rules = client.get("/alerts/rules").text
    assert 'name="webhook"' in linked
    assert "its-secret-part" not in linked
    assert tried.status_code == 200
    assert tried.text.count("its-secret-part") == 1, "in its field, and in no link"
    assert ">x</a>" not in rules
    for button in ('name="preview" value="1"', 'name="days" value="30"'):
        assert 'formmethod="post"' in linked.partition(button)[2].partition(">")[0]


# --- texts ----------------------------------------------------------------------------------------------

EVIL = "\"'><img src=x onerror=alert(1)><script>alert(1)</script>\r\nSet-Cookie: evil=1"


def test_names_that_people_give_stay_text(plain: House) -> None:
    markup = EVIL.partition("\r")[0]
    with plain.client(Accept="text/html") as client:
        search = client.post("/saved/new", data={"name": markup, "about": EVIL, "address": "q=%7Bapp%3D%22web%22%7D"})
        board = client.post("/dashboard/new", data={"name": EVIL}).headers["location"].partition("?")[0]
        panel = {"title": EVIL, "query": '{app="web"}', "kind": "bars"}
        assert client.post(f"{board}/add", data=panel).status_code == 303
        receiver = {"way": "webhook", "name": markup, "url": "https://93.184.216.34/"}
        assert client.post("/alerts/receivers", data=receiver).status_code == 303
        rule = {
            "write": "expr",
            "expr": "1 > 0",
            "name": markup,
            "summary": EVIL,
            "notes": f"runbook=javascript:{markup}",
        }
        made = client.post("/alerts/edit", data=rule).headers["location"].partition("?")[0]
        number = search.headers["location"].rpartition("/")[2]
        pages = ["/saved", f"/saved/{number}", "/saved/menu", board, f"{board}?edit=1", "/dashboard/add", "/alerts/rules", made,
                 "/alerts", "/alerts/receivers", f"/alerts/receivers?saved={number}", "/alerts/outbox", "/"]  # fmt: skip
        shown = [client.get(page) for page in pages]
        files = [client.get(f"{board}/export"), client.get("/alerts/edit/rules.yaml", params=rule)]
        client.post(f"{made}/delete")
        client.post(f"/alerts/receivers/{httpx.URL('/').copy_with(path='/' + markup).raw_path.decode()[1:]}/delete")
    for page in shown:
        assert page.status_code == 200
        assert "<img src=x" not in page.text
        assert "<script>alert" not in page.text
        assert 'href="javascript:' not in page.text
    for file in files:
        assert file.headers["content-disposition"].isascii()
        assert "evil" not in file.headers.get("set-cookie", "")
        assert file.headers["content-disposition"].count('"') == 2


@pytest.mark.parametrize("end", ["\r", "\r\n", "\n"])
def test_no_text_becomes_a_field_of_a_stream(end: str) -> None:
    assert event("lines", f"a{end}event: failed") == "event: lines\ndata: a\ndata: event: failed\n\n"


# --- questions without end ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("/", {"cur": f"before--{BEYOND}-1-1-abcdefabcdef-{BEYOND}"}),
        ("/", {"sel": f"-{BEYOND}-abcdefabcdef-{BEYOND}"}),
        ("/explore/rows", {"span": f"-{BEYOND}_{BEYOND}", "cur": f"after-{BEYOND}-999999"}),
        (f"/line/-{BEYOND}-abcdefabcdef-1", {}),
        (f"/line/{BEYOND}-abcdefabcdef-{BEYOND}/raw", {}),
        ("/alerts/history", {"before": BEYOND}),
        *(("/explore", {"q": 'sum(count_over_time({app="web"}[1m]))', "part": part}) for part in PARTS),
    ],
    ids=str,
)
def test_what_cannot_be_meant_is_refused_and_no_failure(plain: House, path: str, asked: dict[str, str]) -> None:
    with plain.client(Accept="text/html") as client:
        assert client.get(path, params={"q": '{app="web"}', **asked}).status_code in {200, 303, 400, 404}


def test_a_test_of_a_rule_that_waits_for_years_is_refused(plain: House) -> None:
    """It was played in a thread that nothing ended: four of them, and no page of alerts was answered any more."""
    asked = {
        "write": "expr",
        "expr": 'count_over_time({app="web"}[1s]) > 0',
        "name": "x",
        "every": "1s",
        "for": "3650d",
    }
    with plain.client() as client:
        answer = client.get("/alerts/edit/test.yaml", params=asked)
    assert answer.status_code == 400
    assert "315,360,006 times" in answer.text
