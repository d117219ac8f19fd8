"""A webhook and a mail server are told of alerts, once each; they and the notifier are away for a while, then all comes."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from alerts.notify.inboxes import Answer, MailInbox, WebInbox
from e2e.notifying import Telling
from e2e.program import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.e2e


@pytest.fixture
def web() -> Iterator[WebInbox]:
    with WebInbox() as opened:
        yield opened


@pytest.fixture
def mail() -> Iterator[MailInbox]:
    with MailInbox() as opened:
        yield opened


def telling(data: Path, web: WebInbox, mail: MailInbox, **route: object) -> Telling:
    """Return a notifier that tells both, by one receiver with two ways."""
    email: dict[str, Any] = {"smarthost": f"127.0.0.1:{mail.port}", "from": "t@x.y", "to": "me@x.y", "hello": "test"}
    team = {"name": "team", "webhook": f"{web.url}/hook", "email": {**email, "encryption": "none"}}
    return Telling(data, [team], **route)


def told(web: WebInbox) -> Counter[tuple[str, str]]:
    """Return of which hosts the webhook was told, with the state, and how often."""
    return Counter((alert["labels"]["host"], alert["status"]) for posted in web.got for alert in posted.json["alerts"])


def subjects(mail: MailInbox) -> list[str]:
    return [one.message["Subject"] for one in mail.got]


def test_both_are_told_of_what_fires_and_of_its_end(tmp_path: Path, web: WebInbox, mail: MailInbox) -> None:
    ours = telling(tmp_path / "data", web, mail, group_by=["alertname", "host"])
    try:
        ours.fire("a1", "b1")
        until(lambda: len(web.got) == len(mail.got) == 2, 10, "both told of both")
        ours.end("a1")
        until(lambda: len(web.got) == len(mail.got) == 3, 10, "both told of the end")
    finally:
        ours.close()
    assert told(web) == {("a1", "firing"): 1, ("b1", "firing"): 1, ("a1", "resolved"): 1}
    assert sorted(subjects(mail)[:2]) == [f"[FIRING:1] CartErrors host={host} severity=page" for host in ("a1", "b1")]
    assert subjects(mail)[2] == "[RESOLVED] CartErrors host=a1 severity=page"


def test_all_are_away_for_a_while_then_everything_comes_once(tmp_path: Path, web: WebInbox, mail: MailInbox) -> None:
    ours = telling(tmp_path / "data", web, mail, group_by=["..."])
    try:
        web.close()
        mail.close()
        ours.fire("a1", "b1")
        until(lambda: _attempts(ours) >= 2, 10, "an attempt each")
        ours.restart()
        ours.fire("c1")
        until(lambda: len(ours.notifier.deliveries.shown(("waiting",))) == 6, 10, "three for each wait")
        mail.open()
        until(lambda: len(mail.got) == 3, 10, "all mail came")
        assert web.got == []
        ours.end("a1")
        until(lambda: len(mail.got) == 4, 10, "mail of the end came")
        web.open()
        until(lambda: len(web.got) == 4, 15, "all came to the webhook")
        until(lambda: not ours.notifier.deliveries.shown(("waiting", "parked")), 10, "all is known to be there")
    finally:
        ours.close()
    assert told(web) == {("a1", "firing"): 1, ("b1", "firing"): 1, ("c1", "firing"): 1, ("a1", "resolved"): 1}
    of_a1 = [
        alert["status"] for posted in web.got for alert in posted.json["alerts"] if alert["labels"]["host"] == "a1"
    ]
    assert of_a1 == ["firing", "resolved"]
    keys = [posted.headers["idempotency-key"] for posted in web.got]
    assert len(set(keys)) == 4


def _attempts(ours: Telling) -> int:
    return sum(min(one.attempts, 1) for one in ours.notifier.deliveries.shown(("waiting",)))


def test_what_is_refused_is_parked_without_its_secrets_and_holds_nothing_up(
    tmp_path: Path, web: WebInbox, mail: MailInbox
) -> None:

    web.answers.append(Answer(401, body="no /hook for you"))
    ours = telling(tmp_path / "data", web, mail, group_by=["..."])
    try:
        ours.fire("a1")
        until(lambda: ours.notifier.deliveries.shown(("parked",)), 10, "it is parked")
        ours.fire("b1")
        until(lambda: len(web.got) == 1, 10, "the next is taken")
        [parked] = ours.notifier.deliveries.shown(("parked",))
        assert parked.error == f"{web.url}/: answered 401: no /******** for you"
        assert ours.notifier.deliveries.retry(parked.id)
        ours.notifier.poke()
        until(lambda: len(web.got) == 2, 10, "it is taken when it is sent again")
    finally:
        ours.close()
    assert told(web) == {("a1", "firing"): 1, ("b1", "firing"): 1}
