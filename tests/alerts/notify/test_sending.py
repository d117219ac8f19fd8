from __future__ import annotations

import pytest

from alerts.notify.inboxes import Answer, MailInbox, WebInbox
from alerts.notify.samples import T0
from tailrace.alerts.notify.receivers import Receiver
from tailrace.alerts.notify.sending import Tried, attempt, channels
from tailrace.clock import ManualClock


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")  # a plugin of Apprise
def test_a_test_goes_by_every_way() -> None:
    with WebInbox() as web, MailInbox() as mail:
        receiver = Receiver.model_validate(
            {
                "name": "team",
                "alertmanager": f"{web.url}/am",
                "webhook": f"{web.url}/hook",
                "email": {
                    "smarthost": f"127.0.0.1:{mail.port}", "from": "a@b.c", "to": "d@e.f", "encryption": "none",
                    "hello": "test",
                },
                "pagerduty": {"routing_key": "k", "url": f"{web.url}/duty"},
                "slack": f"json://127.0.0.1:{web.port}/slack",
                "teams": f"json://127.0.0.1:{web.port}/teams",
                "apprise": f"json://127.0.0.1:{web.port}/apprise",
            }
        )  # fmt: skip
        tried = attempt(receiver, "http://tailrace/", ManualClock(T0))
    kinds = ["alertmanager", "webhook", "email", "pagerduty", "slack", "teams", "apprise"]
    assert tried == [Tried(kind) for kind in kinds]
    paths = [posted.path for posted in web.got]
    assert paths == ["/am/api/v2/alerts", "/hook", "/duty", "/slack", "/teams", "/apprise"]
    assert len(mail.got) == 1
    assert web.got[1].json["alerts"][0]["annotations"] == {
        "summary": "This is a test of the receiver 'team'; nothing is wrong."
    }


def test_what_fails_is_told_and_the_others_are_tried() -> None:
    with WebInbox() as web:
        web.answers.append(Answer(404))
        receiver = Receiver.model_validate(
            {"name": "team", "alertmanager": "http://127.0.0.1:1", "webhook": f"{web.url}/s3cret"}
        )
        tried = attempt(receiver, clock=ManualClock(T0))
    assert [(one.way, one.error) for one in tried] == [
        ("alertmanager", "http://127.0.0.1:1/: no connection: [Errno 111] Connection refused"),
        ("webhook", f"{web.url}/: answered 404"),
    ]


def test_what_a_channel_says_of_itself() -> None:
    receiver = Receiver.model_validate(
        {
            "name": "team",
            "alertmanager": {"urls": "http://h", "renew_s": 30},
            "webhook": "http://h",
            "send_resolved": False,
        }
    )
    assert [(one.kind, one.send_resolved, one.renew_ns) for one in channels(receiver)] == [
        ("alertmanager", False, 30_000_000_000),
        ("webhook", False, 0),
    ]
