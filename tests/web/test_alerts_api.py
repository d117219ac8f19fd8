"""Alertmanager's API v2 over a notifier whose clock a test moves: shapes, filters, failures."""

from __future__ import annotations

import httpx
import pytest
from fastapi import FastAPI

from alerts.notify.telling import START, WEBHOOK, S, World
from tailrace.errors import TailraceError
from tailrace.web import alerts_api, receivers_api
from tailrace.web.refusals import refuse
from tailrace.web.times import iso
from web.conftest import _served

NOW = "2023-11-14T22:13:20Z"


@pytest.fixture
def world(tmp_path):
    made = World(
        tmp_path,
        route={"group_by": ["alertname"], "routes": [{"receiver": "db", "matchers": ["service=db"]}]},
        receivers=["default", "db"],
        inhibit_rules=[{"source_matchers": ["alertname=Down"], "target_matchers": ["alertname=Slow"]}],
    )
    yield made
    made.control.close()


async def answered(request, error):
    return refuse(request, error)


@pytest.fixture
def client(world):
    app = FastAPI()
    for family in (TailraceError, Exception):
        app.add_exception_handler(family, answered)
    app.include_router(alerts_api.routes(world.notifier, world.control, world.clock))
    app.include_router(receivers_api.routes(world.notifier))
    with _served(app) as address, httpx.Client(base_url=address, timeout=20, trust_env=False) as made:
        yield made


def post(client, *alerts):
    return client.post("/api/v2/alerts", json=[{"labels": labels} for labels in alerts])


def names(client, **params) -> list[str]:
    return [one["labels"]["alertname"] for one in client.get("/api/v2/alerts", params=params).json()]


# --- alerts --------------------------------------------------------------------------------------


def test_an_alert_as_it_is_shown(client):
    body = {
        "labels": {"alertname": "A", "service": "db", "empty": ""},
        "annotations": {"summary": "so slow"},
        "generatorURL": "http://p/graph",
    }
    answer = client.post("/api/v2/alerts", json=[body])
    assert (answer.status_code, answer.content) == (200, b"")
    assert client.get("/api/v2/alerts").json() == [
        {
            "annotations": {"summary": "so slow"},
            "endsAt": "2023-11-14T22:18:20Z",
            "fingerprint": "712407771ebda3e2",  # as a real Alertmanager has it
            "receivers": [{"name": "db"}],
            "startsAt": NOW,
            "status": {"inhibitedBy": [], "mutedBy": [], "silencedBy": [], "state": "active"},
            "updatedAt": NOW,
            "generatorURL": "http://p/graph",
            "labels": {"alertname": "A", "service": "db"},
        }
    ]


def test_bad_alerts_are_refused_and_the_others_stored(client):
    bad = [
        {"labels": {}},
        {"labels": {"a": ""}},
        {"labels": {"a": 1}},
        {"labels": {"a": "b"}, "startsAt": "2023-11-14T22:13:20Z", "endsAt": "2023-11-14T22:13:19Z"},
        {"labels": {"a": "b"}, "startsAt": "yesterday"},
        "no object",
    ]
    answer = client.post("/api/v2/alerts", json=[*bad, {"labels": {"alertname": "Good"}}])
    assert answer.status_code == 400
    assert isinstance(answer.json(), str)
    assert all(f"alerts[{index}]: " in answer.json() for index in range(6))
    assert names(client) == ["Good"]


def test_a_body_that_is_none(client):
    for body in ("{", '{"labels": {}}'):
        answer = client.post("/api/v2/alerts", content=body)
        assert answer.status_code == 400
        assert answer.json().startswith("the body is no")


def test_more_alerts_than_may_be_known_are_refused_as_a_whole(client, monkeypatch):
    monkeypatch.setattr("tailrace.alerts.notify.intake.FOREIGN_ALERTS", 2)
    post(client, {"alertname": "A"})
    answer = post(client, {"alertname": "A"}, {"alertname": "B"}, {"alertname": "C"})
    assert (answer.status_code, answer.json()) == (503, "more than 2 alerts from elsewhere are known; come again")
    assert names(client) == ["A"]
    assert post(client, {"alertname": "B"}).status_code == 200


def test_an_alert_without_an_end_is_over_after_the_resolve_timeout(client, world):
    post(client, {"alertname": "A"})
    world.clock.advance(299)
    assert names(client) == ["A"]
    post(client, {"alertname": "A"})
    world.clock.advance(299)
    assert names(client) == ["A"]
    world.clock.advance(1)
    assert names(client) == []


def test_an_alert_that_is_over_is_not_shown(client):
    post(client, {"alertname": "A"})
    client.post("/api/v2/alerts", json=[{"labels": {"alertname": "A"}, "endsAt": NOW}])
    assert names(client) == []


def test_a_time_that_was_not_set_is_none(client):
    unset = "0001-01-01T00:00:00.000Z"
    client.post("/api/v2/alerts", json=[{"labels": {"alertname": "A"}, "startsAt": unset, "endsAt": unset}])
    assert client.get("/api/v2/alerts").json()[0]["endsAt"] == "2023-11-14T22:18:20Z"


def test_reports_of_one_alert_become_one(client, world):
    """The earliest start counts while they overlap; an end that was said outweighs one that was assumed."""
    labels = {"alertname": "A"}
    said = {"labels": labels, "startsAt": iso(START - 60 * S), "endsAt": iso(START + 600 * S)}
    client.post("/api/v2/alerts", json=[said])
    world.clock.advance(60)
    post(client, labels)  # ends in five minutes, it is assumed
    shown = client.get("/api/v2/alerts").json()[0]
    assert (shown["startsAt"], shown["endsAt"]) == (iso(START - 60 * S), iso(START + 600 * S))


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({}, ["Down", "Quiet", "Slow", "Up"]),
        ({"active": "false"}, ["Quiet", "Slow"]),
        ({"silenced": "false"}, ["Down", "Slow", "Up"]),
        ({"inhibited": "false"}, ["Down", "Quiet", "Up"]),
        ({"silenced": "false", "inhibited": "false"}, ["Down", "Up"]),
        ({"unprocessed": "false"}, ["Down", "Quiet", "Slow", "Up"]),
        ({"filter": 'alertname=~"S.*|U.*"'}, ["Slow", "Up"]),
        ({"filter": ["service=db", "alertname!=Up"]}, ["Slow"]),
        ({"receiver": "d.*t"}, ["Down", "Quiet"]),
        ({"receiver": "d"}, []),
    ],
)
def test_filters(client, params, expected):
    post(client, {"alertname": "Down"}, {"alertname": "Slow", "service": "db"}, {"alertname": "Up", "service": "db"})
    post(client, {"alertname": "Quiet"})
    made = client.post("/api/v2/silences", json=silence(matchers=[matcher("alertname", "Quiet")])).json()["silenceID"]
    assert names(client, **params) == expected
    found = {one["labels"]["alertname"]: one["status"] for one in client.get("/api/v2/alerts").json()}
    assert found["Quiet"] == {"state": "suppressed", "silencedBy": [made], "inhibitedBy": [], "mutedBy": []}
    assert found["Slow"]["state"] == "suppressed"
    assert len(found["Slow"]["inhibitedBy"]) == 1


def test_filters_that_are_none(client):
    for params, said in (
        ({"filter": "a"}, "filter: 'a' is no list of tests"),
        ({"receiver": "("}, "receiver: the regular expression '(' is wrong"),
        ({"active": "maybe"}, "active='maybe' is neither true nor false"),
    ):
        answer = client.get("/api/v2/alerts", params=params)
        assert answer.status_code == 400
        assert answer.json().startswith(said)


def test_groups(client):
    post(client, {"alertname": "B"}, {"alertname": "A", "h": "1"}, {"alertname": "A", "h": "2"})
    post(client, {"alertname": "A", "service": "db"})
    found = [
        (one["receiver"]["name"], one["labels"], one["routeLabels"], [alert["labels"] for alert in one["alerts"]])
        for one in client.get("/api/v2/alerts/groups").json()
    ]
    assert found == [
        ("db", {"alertname": "A"}, {"service": "db"}, [{"alertname": "A", "service": "db"}]),
        ("default", {"alertname": "A"}, {}, [{"alertname": "A", "h": "1"}, {"alertname": "A", "h": "2"}]),
        ("default", {"alertname": "B"}, {}, [{"alertname": "B"}]),
    ]
    only = client.get("/api/v2/alerts/groups", params={"receiver": "db"}).json()
    assert [one["receiver"]["name"] for one in only] == ["db"]


# --- silences ------------------------------------------------------------------------------------


def matcher(name="a", value="b", **more):
    return {"name": name, "value": value, "isRegex": False, "isEqual": True, **more}


def silence(start_s=0, end_s=600, **more):
    times = {"startsAt": iso(START + start_s * S), "endsAt": iso(START + end_s * S)}
    return {"matchers": [matcher()], **times, "createdBy": "me", "comment": "why", **more}


def test_a_silence_from_its_making_to_its_end(client, world):
    name = client.post("/api/v2/silences", json=silence()).json()["silenceID"]
    expected = silence() | {"id": name, "updatedAt": NOW, "status": {"state": "active"}}
    assert client.get(f"/api/v2/silence/{name}").json() == expected
    assert client.get("/api/v2/silences").json() == [expected]
    world.clock.advance(60)
    answer = client.delete(f"/api/v2/silence/{name}")
    assert (answer.status_code, answer.content) == (200, b"")
    after = client.get(f"/api/v2/silence/{name}").json()
    assert (after["status"], after["endsAt"]) == ({"state": "expired"}, iso(START + 60 * S))


def test_all_four_kinds_of_matchers(client):
    kinds = [
        matcher("a", "x"),
        matcher("b", "x", isEqual=False),
        matcher("c", "x|y", isRegex=True),
        matcher("d", "x.*", isRegex=True, isEqual=False),
    ]
    name = client.post("/api/v2/silences", json=silence(matchers=kinds)).json()["silenceID"]
    assert client.get(f"/api/v2/silence/{name}").json()["matchers"] == kinds
    assert [one["id"] for one in client.get("/api/v2/silences", params={"filter": 'c="x|y"'}).json()] == [name]
    assert client.get("/api/v2/silences", params={"filter": 'c="z"'}).json() == []


def test_isequal_may_be_left_out(client):
    plain = [{"name": "a", "value": "b", "isRegex": False}]
    assert client.post("/api/v2/silences", json=silence(matchers=plain)).status_code == 200


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ([], "the body is no silence"),
        (silence(matchers=[]), "a silence needs a matcher"),
        (silence(matchers=[matcher("a", "(", isRegex=True)]), "matchers[0]: the regular expression '(' is wrong"),
        (silence(matchers=[{"name": "a"}]), "matchers[0] is no matcher"),
        (silence(matchers=[matcher(isRegex="yes")]), "matchers[0]: isRegex and isEqual are true or false"),
        (silence(end_s=-1, start_s=-2), "the end time is in the past"),
        (silence(end_s=0), "the start time must be before the end time"),
        (silence() | {"endsAt": "soon"}, "endsAt='soon' is no time"),
        (silence() | {"endsAt": None}, "startsAt and endsAt are required"),
        (silence() | {"comment": 1}, "comment is no text"),
    ],
)
def test_silences_that_are_refused(client, body, said):
    answer = client.post("/api/v2/silences", json=body)
    assert answer.status_code == 400
    assert answer.json().startswith(said)
    assert client.get("/api/v2/silences").json() == []


def test_a_silence_that_is_not_there(client):
    for answer in (
        client.get("/api/v2/silence/x"),
        client.delete("/api/v2/silence/x"),
        client.post("/api/v2/silences", json=silence(id="x")),
    ):
        assert (answer.status_code, answer.json()) == (404, "there is no silence 'x'")


# --- status and receivers ------------------------------------------------------------------------


def test_status_and_receivers(client):
    assert client.get("/api/v2/receivers").json() == [{"name": "db"}, {"name": "default"}]
    status = client.get("/api/v2/status").json()
    assert status["cluster"]["status"] == "disabled"
    assert status["uptime"] == NOW
    assert "receiver: default" in status["config"]["original"]
    assert status["versionInfo"]["version"]


# --- our own resources ---------------------------------------------------------------------------


def test_a_receiver_that_is_saved_is_told_in_addition(client, world):
    body = {"receiver": {"webhook": "http://127.0.0.1:2/secret"}, "route": {"matchers": ["team=x"], "group_wait": "0s"}}
    assert client.put("/api/v1/receivers/mine", json=body).json() == {"name": "mine"}
    post(client, {"alertname": "A", "team": "x"}, {"alertname": "B"})
    world.run(60)
    assert [len(world.channel(name).got) for name in ("mine", "default")] == [1, 2]
    shown = client.get("/api/v1/receivers/mine").json()
    assert (shown["origin"], shown["receiver"]["name"]) == ("saved", "mine")
    assert "secret" not in str(shown) + client.get("/api/v2/status").text + client.get("/api/v1/receivers").text
    assert [one["receiver"]["name"] for one in client.get("/api/v1/receivers").json()["receivers"]] == [
        "default",
        "db",
        "mine",
    ]
    assert client.delete("/api/v1/receivers/mine").status_code == 200
    assert client.get("/api/v1/receivers/mine").status_code == 404
    assert client.delete("/api/v1/receivers/mine").status_code == 404
    assert client.get("/api/v2/receivers").json() == [{"name": "db"}, {"name": "default"}]


@pytest.mark.parametrize(
    ("name", "body", "said"),
    [
        ("mine", {}, "$.receiver: this key is required"),
        ("mine", {"receiver": {}}, "this receiver has no way to be told"),
        ("mine", {"receiver": {"name": "other", "webhook": WEBHOOK}}, "$.receiver.name: 'other' is not the name"),
        ("db", {"receiver": {"webhook": WEBHOOK}}, "$.receiver.name: 'db' is a receiver of the configuration"),
        ("mine", {"receiver": {"webhook": WEBHOOK, "weebhook": 1}}, "$.receiver.weebhook: unknown key 'weebhook'"),
        (
            "mine",
            {"receiver": {"webhook": WEBHOOK}, "route": {"receiver": "x"}},
            "$.route.receiver: there is no receiver 'x'",
        ),
        (
            "mine",
            {"receiver": {"webhook": WEBHOOK}, "route": {"matchers": ["a"]}},
            "$.route.matchers[0]: 'a' is no list",
        ),
    ],
)
def test_receivers_that_are_refused(client, name, body, said):
    answer = client.put(f"/api/v1/receivers/{name}", json=body)
    assert answer.status_code == 400
    assert said in answer.json()["error"]["what"]


def test_what_is_parked_is_shown_sent_again_or_dropped(client, world):
    from tailrace.alerts.notify.model import Refused

    world.channel("default").error = Refused("HTTP 400: no")
    post(client, {"alertname": "A"}, {"alertname": "B"})
    world.run(60)
    first, second = client.get("/api/v1/notifications").json()["notifications"]
    assert (first["state"], first["error"], first["receiver"], first["reason"], first["attempts"]) == (
        "parked",
        "HTTP 400: no",
        "default",
        "first",
        1,
    )
    world.channel("default").error = None
    assert client.post(f"/api/v1/notifications/{first['id']}/retry").status_code == 200
    assert client.delete(f"/api/v1/notifications/{second['id']}").status_code == 200
    world.run(70)
    assert [one.key for one in world.channel("default").got] == [first["key"]]
    assert client.get("/api/v1/notifications").json() == {"notifications": []}
    states = {state: len(listed(client, state)) for state in ("sent", "dropped", "waiting")}
    assert states == {"sent": 1, "dropped": 1, "waiting": 0}
    for call in (client.post(f"/api/v1/notifications/{first['id']}/retry"), client.delete("/api/v1/notifications/99")):
        assert call.status_code == 404
    assert client.get("/api/v1/notifications", params={"state": "lost"}).status_code == 400


def listed(client, state):
    return client.get("/api/v1/notifications", params={"state": state}).json()["notifications"]
