from __future__ import annotations

from hashlib import sha256

import pytest

from alerts.notify.inboxes import Answer, WebInbox
from alerts.notify.samples import T0, notification, told
from tailrace.alerts.notify.channels.pagerduty import PagerDuty
from tailrace.alerts.notify.message import usual
from tailrace.alerts.notify.model import BusyError, Refused
from tailrace.alerts.notify.receivers import Receiver
from tailrace.clock import ManualClock


def pagerduty(url: str, **settings: object) -> PagerDuty:
    settings = {"routing_key": "r0uting", "url": f"{url}/v2/enqueue", **settings}
    receiver = Receiver.model_validate({"name": "duty", "pagerduty": settings})
    assert receiver.pagerduty is not None
    return PagerDuty(receiver.pagerduty, ManualClock(T0), usual)


def test_a_group_opens_an_incident_and_ends_it() -> None:
    fires = notification(told("a1"), told("b1", "resolved"))
    with WebInbox() as inbox:
        channel = pagerduty(inbox.url)
        channel.send(fires)
        channel.send(notification(told("a1", "resolved")))
    key = sha256(b'{}:{alertname="CartErrors"}').hexdigest()
    opened, ended = (posted.json for posted in inbox.got)
    assert ended == {"routing_key": "r0uting", "event_action": "resolve", "dedup_key": key}
    payload = opened.pop("payload")
    assert opened == {
        "routing_key": "r0uting",
        "event_action": "trigger",
        "dedup_key": key,
        "client": "Tailrace",
        "client_url": "http://tailrace:9080/",
        "links": [{"href": "http://tailrace:9080/?q=a1", "text": "the query"}],
    }
    assert payload["summary"] == "[FIRING:1] CartErrors severity=page"
    assert payload["severity"] == "error"  # `page` is none of PagerDuty's
    assert payload["timestamp"] == "2023-11-14T22:03:20Z"
    assert payload["custom_details"] == {
        "text": usual(fires).body, "alertname": "CartErrors", "severity": "page"
    }  # fmt: skip


def test_severity_of_the_label() -> None:
    with WebInbox() as inbox:
        pagerduty(inbox.url).send(notification(common_labels={"severity": "critical"}))
    assert inbox.got[0].json["payload"]["severity"] == "critical"


def test_refusals_do_not_show_the_key() -> None:
    with WebInbox() as inbox:
        inbox.answers.append(Answer(400, body='{"errors":["r0uting is no key"]}'))
        with pytest.raises(Refused, match="is no key") as raised:
            pagerduty(inbox.url).send(notification())
        assert "r0uting" not in str(raised.value)
        inbox.answers.append(Answer(429, {"Retry-After": "3"}))
        with pytest.raises(BusyError):
            pagerduty(inbox.url).send(notification())
