"""A real Alertmanager is told of alerts: they arrive, group, stay while they fire, end; also when it was away."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from alerts.notify.inboxes import WebInbox
from e2e.alertmanager import ALERTMANAGER, Alertmanager
from e2e.notifying import Telling
from e2e.program import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(ALERTMANAGER is None, reason="prometheus-alertmanager is not installed (scripts/peers)"),
]

RENEW_S = 1
AHEAD_S = 4 * RENEW_S  # an alert ends there unless it is told again


@pytest.fixture
def inbox() -> Iterator[WebInbox]:
    with WebInbox() as opened:
        yield opened


@pytest.fixture
def alertmanager(tmp_path: Path, inbox: WebInbox) -> Iterator[Alertmanager]:
    with Alertmanager(tmp_path / "alertmanager", inbox.url) as started:
        yield started


def telling(data: Path, *addresses: str) -> Telling:
    return Telling(data, [{"name": "am", "alertmanager": {"urls": addresses, "renew_s": RENEW_S}}])


def told(inbox: WebInbox, status: str) -> set[str]:
    """Return the hosts of which the Alertmanager has told."""
    alerts: list[dict[str, Any]] = [alert for posted in inbox.got for alert in posted.json["alerts"]]
    return {alert["labels"]["host"] for alert in alerts if alert["status"] == status}


def test_alerts_arrive_group_stay_and_end(tmp_path: Path, inbox: WebInbox, alertmanager: Alertmanager) -> None:
    ours = telling(tmp_path / "data", alertmanager.url)
    try:
        ours.fire("a1", "b1")
        until(lambda: told(inbox, "firing") == {"a1", "b1"}, 10, "both told")
        both = until(lambda: [posted.json for posted in inbox.got if len(posted.json["alerts"]) == 2], 10, "as a group")
        assert both[0]["groupLabels"] == {"alertname": "CartErrors"}
        assert both[0]["commonLabels"] == {"alertname": "CartErrors", "severity": "page"}
        before = alertmanager.alerts()["a1"]
        assert before["annotations"] == {"summary": "a1 has errors"}
        assert before["generatorURL"] == "http://tailrace.invalid/rule/files/shop/CartErrors"
        until(lambda: alertmanager.alerts()["a1"]["endsAt"] > before["endsAt"], 10, "the end is renewed")
        ours.restart()
        ends = alertmanager.alerts()["a1"]["endsAt"]
        until(lambda: alertmanager.alerts()["a1"]["endsAt"] > ends, 10, "the end is renewed after a restart")
        assert alertmanager.alerts()["a1"]["startsAt"] == before["startsAt"]
        assert told(inbox, "resolved") == set()
        ours.end("a1")
        until(lambda: told(inbox, "resolved") == {"a1"}, 10, "one is over")
        ours.end("b1")
        until(lambda: told(inbox, "resolved") == {"a1", "b1"}, 10, "both are over")
        assert inbox.got[-1].json["status"] == "resolved"
    finally:
        ours.close()


def test_it_was_away_for_a_while(tmp_path: Path, inbox: WebInbox) -> None:
    alertmanager = Alertmanager(tmp_path / "alertmanager", inbox.url)
    with alertmanager:
        pass  # it has an address now, where nobody is
    ours = telling(tmp_path / "data", alertmanager.url)
    try:
        ours.fire("a1", "b1")
        until(lambda: any(one.attempts for one in ours.notifier.deliveries.shown(("waiting",))), 10, "one attempt")
        ours.fire("c1")
        ours.end("b1")
        ours.restart()
        with alertmanager:
            until(lambda: {"a1", "c1"} <= told(inbox, "firing"), 15, "all that fire are told")
            ours.end("a1", "c1")
            until(lambda: {"a1", "c1"} <= told(inbox, "resolved"), 10, "all are over")
            assert ours.notifier.deliveries.shown(("waiting", "parked")) == []
    finally:
        ours.close()


def test_an_alert_ends_while_it_is_away(tmp_path: Path, inbox: WebInbox) -> None:
    alertmanager = Alertmanager(tmp_path / "alertmanager", inbox.url).start()
    ours = telling(tmp_path / "data", alertmanager.url)
    try:
        ours.fire("a1")
        until(lambda: told(inbox, "firing") == {"a1"}, 10, "told")
        alertmanager.close()
        ours.end("a1")
        until(lambda: any(one.attempts for one in ours.notifier.deliveries.shown(("waiting",))), 10, "one attempt")
        with alertmanager:  # which remembers what it told, and knows of no alert
            until(lambda: told(inbox, "resolved") == {"a1"}, 15, "told of the end")
    finally:
        ours.close()
        alertmanager.close()


def test_one_of_two_is_away(tmp_path: Path, inbox: WebInbox, alertmanager: Alertmanager) -> None:
    ours = telling(tmp_path / "data", "http://127.0.0.1:1", alertmanager.url)
    try:
        ours.fire("a1")
        until(lambda: told(inbox, "firing") == {"a1"}, 10, "the other is told")
    finally:
        ours.close()


def test_an_alert_ends_when_nobody_tells_of_it_any_more(
    tmp_path: Path, inbox: WebInbox, alertmanager: Alertmanager
) -> None:
    ours = telling(tmp_path / "data", alertmanager.url)
    try:
        ours.fire("a1")
        until(lambda: told(inbox, "firing") == {"a1"}, 10, "told")
    finally:
        ours.close()
    until(lambda: told(inbox, "resolved") == {"a1"}, AHEAD_S + 6, "it is over at its end")
