"""What an Alertmanager is sent; that a real one takes it is tested in `e2e`."""

from __future__ import annotations

import pytest

from alerts.notify.inboxes import Answer, WebInbox
from alerts.notify.samples import T0, notification, told
from tailrace.alerts.notify.channels.alertmanager import Alertmanager
from tailrace.alerts.notify.model import Refused
from tailrace.alerts.notify.receivers import Receiver
from tailrace.clock import ManualClock
from tailrace.errors import TransientError


def alertmanager(clock: ManualClock, *urls: str, **settings: object) -> Alertmanager:
    receiver = Receiver.model_validate({"name": "am", "alertmanager": {"urls": urls, **settings}})
    assert receiver.alertmanager is not None
    return Alertmanager(receiver.alertmanager, clock)


def test_an_alert_that_fires_ends_four_renewals_ahead_and_one_that_is_over_when_it_was() -> None:
    clock = ManualClock(T0)
    with WebInbox() as inbox:
        channel = alertmanager(clock, inbox.url + "/prefix/")
        said = notification(told("a1"), told("b1", "resolved"))
        channel.send(said)
        clock.advance(60)
        channel.send(said)
    assert channel.renew_ns == 60_000_000_000
    assert [posted.path for posted in inbox.got] == ["/prefix/api/v2/alerts"] * 2
    assert inbox.got[0].json == [
        {
            "labels": {"alertname": "CartErrors", "host": "a1", "severity": "page"},
            "annotations": {"summary": "a1 has errors"},
            "startsAt": "2023-11-14T22:03:20Z",
            "endsAt": "2023-11-14T22:17:20Z",  # 22:13:20 and 4 minutes
            "generatorURL": "http://tailrace:9080/?q=a1",
        },
        {
            "labels": {"alertname": "CartErrors", "host": "b1", "severity": "page"},
            "annotations": {"summary": "b1 has errors"},
            "startsAt": "2023-11-14T22:03:20Z",
            "endsAt": "2023-11-14T22:12:20Z",
            "generatorURL": "http://tailrace:9080/?q=b1",
        },
    ]
    assert [alert["endsAt"] for alert in inbox.got[1].json] == ["2023-11-14T22:18:20Z", "2023-11-14T22:12:20Z"]


def test_many_alerts_come_in_batches() -> None:
    with WebInbox() as inbox:
        alertmanager(ManualClock(T0), inbox.url).send(notification(*(told(f"h{number}") for number in range(130))))
    assert [len(posted.json) for posted in inbox.got] == [64, 64, 2]
    hosts = [alert["labels"]["host"] for posted in inbox.got for alert in posted.json]
    assert hosts == [f"h{number}" for number in range(130)]
    assert [posted.headers["idempotency-key"] for posted in inbox.got] == ["key-1-0", "key-1-1", "key-1-2"]


def test_each_of_several_is_told_and_one_is_enough() -> None:
    with WebInbox() as first, WebInbox() as second:
        channel = alertmanager(ManualClock(T0), first.url, "http://127.0.0.1:1", second.url)
        channel.send(notification())
        assert len(first.got) == len(second.got) == 1
        first.answers.append(Answer(500))
        channel.send(notification())
        assert (first.tried, len(first.got), len(second.got)) == (2, 1, 2)


def test_none_of_several() -> None:
    with WebInbox() as first, WebInbox() as second:
        channel = alertmanager(ManualClock(T0), first.url, second.url)
        first.answers.append(Answer(400, body="bad label"))
        second.answers.append(Answer(503))
        with pytest.raises(TransientError, match="503"):
            channel.send(notification())
        first.answers.append(Answer(400, body="bad label"))
        second.answers.append(Answer(400, body="bad label"))
        with pytest.raises(Refused, match="400: bad label"):
            channel.send(notification())
