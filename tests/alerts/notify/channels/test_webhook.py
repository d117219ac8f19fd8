"""The body is Alertmanager's, version 4, written out by hand here."""

from __future__ import annotations

import pytest

from alerts.notify.inboxes import Answer, WebInbox
from alerts.notify.samples import T0, S, notification, told
from tailrace.alerts.notify.channels.webhook import Webhook, payload
from tailrace.alerts.notify.model import BusyError, Refused
from tailrace.alerts.notify.receivers import Receiver
from tailrace.clock import ManualClock
from tailrace.errors import TransientError


def webhook(inbox_url: str, **settings: object) -> Webhook:
    receiver = Receiver.model_validate({"name": "team", "webhook": {"url": inbox_url, **settings}})
    assert receiver.webhook is not None
    return Webhook(receiver.webhook, ManualClock(T0))


def test_body_and_headers() -> None:
    with WebInbox() as inbox:
        webhook(f"{inbox.url}/hook?x=1").send(notification(told("a1"), told("b1", "resolved", runbook="R")))
    [got] = inbox.got
    assert got.path == "/hook?x=1"
    assert got.headers["content-type"] == "application/json"
    assert got.headers["idempotency-key"] == "key-1"
    assert got.json == {
        "version": "4",
        "groupKey": '{}:{alertname="CartErrors"}',
        "truncatedAlerts": 0,
        "status": "firing",
        "receiver": "team",
        "groupLabels": {"alertname": "CartErrors"},
        "commonLabels": {"alertname": "CartErrors", "severity": "page"},
        "commonAnnotations": {},
        "externalURL": "http://tailrace:9080/",
        "alerts": [
            {
                "status": "firing",
                "labels": {"alertname": "CartErrors", "host": "a1", "severity": "page"},
                "annotations": {"summary": "a1 has errors"},
                "startsAt": "2023-11-14T22:03:20Z",
                "endsAt": "0001-01-01T00:00:00Z",
                "generatorURL": "http://tailrace:9080/?q=a1",
                "fingerprint": "0000000000000061",
            },
            {
                "status": "resolved",
                "labels": {"alertname": "CartErrors", "host": "b1", "severity": "page"},
                "annotations": {"summary": "b1 has errors", "runbook": "R"},
                "startsAt": "2023-11-14T22:03:20Z",
                "endsAt": "2023-11-14T22:12:20Z",
                "generatorURL": "http://tailrace:9080/?q=b1",
                "fingerprint": "0000000000000062",
            },
        ],
        "notification_reason": "first",
        "routeLabels": {},
        "idempotencyKey": "key-1",
    }


def test_max_alerts_cuts_and_counts_but_says_the_state_of_all() -> None:
    said = payload(notification(told("a1", "resolved"), told("b1", "resolved"), told("c1"), truncated=2), 2)
    assert [alert["labels"]["host"] for alert in said["alerts"]] == ["a1", "b1"]
    assert said["truncatedAlerts"] == 3
    assert said["status"] == "firing"


def test_text_that_is_no_unicode_is_sent_all_the_same() -> None:
    with WebInbox() as inbox:
        webhook(inbox.url).send(notification(told("\udcff-ü")))
    assert inbox.got[0].json["alerts"][0]["labels"]["host"] == "?-ü"


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 599])
def test_what_may_pass(status: int) -> None:
    with WebInbox() as inbox:
        inbox.answers.append(Answer(status, body="come back"))
        with pytest.raises(TransientError, match=f"answered {status}: come back") as raised:
            webhook(inbox.url).send(notification())
    assert not isinstance(raised.value, BusyError)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 413, 422, 301, 302, 307, 304])
def test_what_is_final(status: int) -> None:
    with WebInbox() as inbox:
        inbox.answers.append(Answer(status, {"Location": "/elsewhere"} if 300 < status < 304 or status == 307 else {}))
        with pytest.raises(Refused, match=f"answered {status}"):
            webhook(inbox.url).send(notification())
    assert inbox.tried == 1


@pytest.mark.parametrize(
    ("said", "after_s"),
    [("7", 7), ("99999999999", 3600), ("Tue, 14 Nov 2023 22:13:50 GMT", 30), ("Tue, 14 Nov 2023 22:00:00 GMT", 0)],
)
def test_how_long_a_receiver_is_busy(said: str, after_s: float) -> None:
    with WebInbox() as inbox:
        inbox.answers.append(Answer(429, {"Retry-After": said}))
        with pytest.raises(BusyError) as raised:
            webhook(inbox.url).send(notification())
    assert raised.value.after_s == after_s


@pytest.mark.parametrize("said", ["", "soon", "-1", "٣", "Thu, 01 Jan 1970 00:00:00 +99999999999999"])
def test_an_odd_retry_after_counts_for_none(said: str) -> None:
    with WebInbox() as inbox:
        inbox.answers.append(Answer(503, {"Retry-After": said.encode().decode("latin-1")}))
        with pytest.raises(TransientError) as raised:
            webhook(inbox.url).send(notification())
    assert not isinstance(raised.value, BusyError)


def test_away_then_back() -> None:
    inbox = WebInbox().open()
    channel = webhook(inbox.url)
    channel.send(notification(key="1"))
    inbox.close()
    with pytest.raises(TransientError, match="no connection"):
        channel.send(notification(key="2"))
    with inbox:
        channel.send(notification(key="2"))
    assert [posted.headers["idempotency-key"] for posted in inbox.got] == ["1", "2"]


def test_no_answer_in_time() -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(TransientError, match=r"no answer within 0\.1 s"):
            webhook(f"http://127.0.0.1:{port}", timeout_s=0.1).send(notification())


def test_the_address_may_come_from_a_file_that_changes(tmp_path) -> None:
    file = tmp_path / "url"
    receiver = Receiver.model_validate({"name": "team", "webhook": {"url_file": str(file)}})
    assert receiver.webhook is not None
    channel = Webhook(receiver.webhook, ManualClock(T0))
    with pytest.raises(TransientError, match="No such file"):
        channel.send(notification())
    with WebInbox() as inbox:
        file.write_text(f"{inbox.url}/from-file\n")
        channel.send(notification())
    assert [posted.path for posted in inbox.got] == ["/from-file"]


def test_times_have_the_digits_that_they_need() -> None:
    said = payload(notification(told("a1", "resolved", began=T0 + 1, ended=T0 + S // 2)))
    assert said["alerts"][0]["startsAt"] == "2023-11-14T22:13:20.000000001Z"
    assert said["alerts"][0]["endsAt"] == "2023-11-14T22:13:20.5Z"
