"""One tenant never sees a row, a label or a name of a field of another, whichever address it asks."""

from __future__ import annotations

import json
import time

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from security.conftest import CANARY, House, routes
from security.test_permissions import filled
from tailrace.web.permissions import permission

QUERIES = (
    '{app="web"}',
    '{app=~".+"} | json',
    '{app="web"} or {canary=~".+"}',
    '{__tenant_id__="bank"}',
    '{__tenant_id__=~".*"}',
    '{__tenant_id__!="shop"}',
    '{canary="canary-of-bank-9c1e"}',
    '{app="web"} |= "canary"',
    'sum by (canary) (count_over_time({app="web"}[1h]))',
    'sum(count_over_time({app="web"}[1h]))',
    'count_over_time({app="web"}[1h])',
    'sum by (canary) (bytes_over_time({app="web"}[1h]))',
    'topk(9, sum by (msg) (count_over_time({app="web"} | json [1h])))',
)


def asks(path: str) -> list[dict[str, str]]:
    """Return parameters that get something out of an address."""
    end = time.time_ns() + 60_000_000_000
    span = {"start": str(end - 3_600_000_000_000), "end": str(end), "since": "1h", "step": "60"}
    if path.rpartition("/")[2] in {"query", "query_range", "tail", "explain", "live", "explore", ""}:
        return [{"query": query, "q": query, "output": "jsonl", "from": "now-1h", **span} for query in QUERIES]
    return [
        {**span, "query": '{app=~".+"}', "match[]": '{app=~".+"}', "match": '{app=~".+"}', "limit": "1000"},
        {**span},
    ]


@pytest.mark.filterwarnings("ignore:Duplicate Operation ID")  # of a path that takes several methods
@pytest.mark.parametrize("tenant", CANARY)
def test_no_address_shows_what_is_of_another(house: House, tenant: str) -> None:
    """All addresses that a tenant may use, both ways of asking, all queries; its own secret shows that they answer."""
    (other,) = set(CANARY) - {tenant}
    leaks, own = [], set()
    with house.client(tenant) as client:
        for method, path in routes(house.app):
            needed = permission(method, filled(path))
            if not needed.tenants or needed.public or method == "HEAD" or path.endswith("/tail"):
                continue
            if needed.scope == "push":
                continue
            for asked in asks(path):
                for name in ("canary", "app", "msg", CANARY[other].replace("-", "_"), "x"):
                    where = path.replace("{name}", name)
                    text = said(client, method, where, asked)
                    there = CANARY[other] in text.replace("_", "-")
                    if there and not echoed(asked, name, where, CANARY[other], text):
                        leaks.append((method, where, asked.get("query"), text[:400]))
                    if CANARY[tenant] in text:
                        own.add(path)
                    if where == path:
                        break
    assert leaks == []
    assert {"/loki/api/v1/query_range", "/api/v1/logs/query", "/loki/api/v1/series", "/"} <= own


def said(client: httpx.Client, method: str, path: str, asked: dict[str, str]) -> str:
    """Return an answer; of one that never ends the begin."""
    if path.endswith("/live"):
        with client.stream(method, path, params=asked) as answer:
            return next(answer.iter_text(), "")
    if method == "POST":
        return client.post(path, data=asked).text
    return client.request(method, path, params=asked).text


def echoed(asked: dict[str, str], name: str, where: str, canary: str, text: str) -> bool:
    """Tell whether a secret stands in an answer just because it stood in the question."""
    question = json.dumps(asked) + name + where
    return canary in question.replace("_", "-") and '"values":[[' not in text and text.count("msg") == 0


@pytest.mark.parametrize("query", [one for one in QUERIES if one.startswith("{") and " or " not in one])
def test_a_live_tail_shows_nothing_of_another(house: House, query: str) -> None:
    url = f"ws://127.0.0.1:{house.port}/loki/api/v1/tail"
    headers = {"Authorization": f"Bearer {house.tokens['shop']}"}
    asked = str(httpx.QueryParams({"query": query, "limit": "100"}))
    try:
        with connect(f"{url}?{asked}", additional_headers=headers, proxy=None) as socket:
            text = str(socket.recv(timeout=1))
    except TimeoutError:
        text = ""  # nothing came, as it should be
    except InvalidStatus as error:  # a query that Loki refuses too
        text = error.response.body.decode()
    assert CANARY["bank"] not in text


def test_a_tenant_that_claims_another_one_s_label_brings_lines_of_its_own(house: House) -> None:
    """The reserved label is written by the server, whatever the sender put there."""
    now_ns = str(time.time_ns())
    stream = {"app": "forged", "__tenant_id__": "bank"}
    with house.client("shop") as client:
        body = {"streams": [{"stream": stream, "values": [[now_ns, "forged by shop"]]}]}
        assert client.post("/loki/api/v1/push", json=body).status_code == 204
    found = {}
    for who in ("bank", "shop", "operator"):
        with house.client(who) as client:
            answer = client.get("/loki/api/v1/series", params={"match[]": '{app="forged"}'})
            found[who] = [one["__tenant_id__"] for one in answer.json()["data"]]
    assert found == {"bank": [], "shop": ["shop"], "operator": ["shop"]}


def test_the_own_lines_come_on_a_live_tail(house: House) -> None:
    """Else the test above would hold of a tail that shows nothing."""
    url = f"ws://127.0.0.1:{house.port}/loki/api/v1/tail"
    asked = str(httpx.QueryParams({"query": '{app="web"}', "limit": "100"}))
    headers = {"Authorization": f"Bearer {house.tokens['shop']}"}
    with connect(f"{url}?{asked}", additional_headers=headers, proxy=None) as socket:
        assert CANARY["shop"] in str(socket.recv(timeout=60))


def test_an_operator_cannot_bring_lines_of_a_tenant_by_a_label(house: House) -> None:
    now_ns = str(time.time_ns())
    with house.client("operator") as client:
        body = {"streams": [{"stream": {"app": "slip", "__tenant_id__": "bank"}, "values": [[now_ns, "x"]]}]}
        assert client.post("/loki/api/v1/push", json=body).status_code == 204
        (series,) = client.get("/loki/api/v1/series", params={"match[]": '{app="slip"}'}).json()["data"]
    assert "__tenant_id__" not in series


@pytest.mark.parametrize("other", ["bank", "bank|shop", "shop|bank", "../bank", 'bank", app="', "*", ".*"])
def test_a_token_of_one_tenant_cannot_name_another(house: House, other: str) -> None:
    with house.client("shop") as client:
        headers = [(b"X-Scope-OrgID", other.encode())]
        answer = client.get("/loki/api/v1/labels", headers=headers)
    assert answer.status_code in {400, 403}
    assert CANARY["bank"] not in answer.text


def test_two_headers_of_a_tenant_are_refused(house: House) -> None:
    with house.client("operator") as client:
        answer = client.get("/loki/api/v1/labels", headers=[("X-Scope-OrgID", "shop"), ("X-Scope-OrgID", "bank")])
    assert answer.status_code == 400


def test_an_operator_who_names_a_tenant_sees_its_rows_alone(house: House) -> None:
    with house.client("operator", **{"X-Scope-OrgID": "shop"}) as client:
        found = client.get("/loki/api/v1/label/canary/values").json()["data"]
    assert found == [CANARY["shop"]]


def test_what_one_asked_is_not_remembered_for_the_other(house: House) -> None:
    """Answers of whole segments are kept by path: the paths of tenants differ."""
    query = 'sum by (canary) (count_over_time({app="web"}[1h]))'
    for _ in range(3):
        for who in ("operator", "shop", "bank"):
            with house.client(who) as client:
                result = client.get("/loki/api/v1/query", params={"query": query}).json()["data"]["result"]
            canaries = {one["metric"]["canary"] for one in result}
            assert canaries == (set(CANARY.values()) if who == "operator" else {CANARY[who]})


def test_equal_lines_of_two_tenants_are_no_repeats_of_each_other(house: House) -> None:
    now_ns = str(time.time_ns())
    body = {"streams": [{"stream": {"app": "twins"}, "values": [[now_ns, "the same line"]]}]}
    for who in ("shop", "bank"):
        with house.client(who) as client:
            assert client.post("/loki/api/v1/push", json=body).status_code == 204
    for who in ("shop", "bank"):
        with house.client(who) as client:
            query = 'count_over_time({app="twins"}[1h])'
            (one,) = client.get("/loki/api/v1/query", params={"query": query}).json()["data"]["result"]
        assert one["value"][1] == "1"
