"""Make what sends to a receiver, and try it.

Comes in: a receiver's settings. Goes out: its channels, one per way; nothing is sent before it is asked for. `attempt`
sends a message that says it is a test, and tells of each way whether it was taken.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tailrace.alerts.notify.message import writing
from tailrace.alerts.notify.model import Notification, ToldAlert
from tailrace.clock import SystemClock
from tailrace.errors import TailraceError

if TYPE_CHECKING:
    from tailrace.access.outbound import Outbound
    from tailrace.alerts.notify.model import Channel
    from tailrace.alerts.notify.receivers import Receiver, Way
    from tailrace.clock import Clock


@dataclass(frozen=True, slots=True)
class Tried:
    """How a test of one way went; `error` is empty if the message was taken."""

    way: str
    error: str = ""


def channels(receiver: Receiver, clock: Clock | None = None) -> tuple[Channel, ...]:
    """Return what sends to a receiver, one per way; a `ConfigError` says what none can be made of."""
    return tuple(channel(receiver, way, clock or SystemClock()) for way in receiver.ways)


def channel(receiver: Receiver, way: Way, clock: Clock, outbound: Outbound | None = None) -> Channel:
    """Return what sends to a receiver by one of its ways; a `ConfigError` says why there can be no such thing.

    `outbound` says where it may call; None: anywhere, as receivers of the configuration may.
    """
    from tailrace.alerts.notify.channels.alertmanager import Alertmanager
    from tailrace.alerts.notify.channels.apprise import Apprise
    from tailrace.alerts.notify.channels.email import Email
    from tailrace.alerts.notify.channels.pagerduty import PagerDuty
    from tailrace.alerts.notify.channels.webhook import Webhook

    resolved, written = receiver.send_resolved, writing(receiver.title, receiver.body)
    if receiver.alertmanager and way == "alertmanager":
        return Alertmanager(receiver.alertmanager, clock, send_resolved=resolved, outbound=outbound)
    if receiver.webhook and way == "webhook":
        return Webhook(receiver.webhook, clock, send_resolved=resolved, outbound=outbound)
    if receiver.email and way == "email":
        return Email(receiver.email, written, send_resolved=resolved, outbound=outbound)
    if receiver.pagerduty and way == "pagerduty":
        return PagerDuty(receiver.pagerduty, clock, written, send_resolved=resolved, outbound=outbound)
    settings = getattr(receiver, way)
    return Apprise(settings, written, kind=way, send_resolved=resolved)


def attempt(
    receiver: Receiver, external_url: str = "", clock: Clock | None = None, outbound: Outbound | None = None
) -> list[Tried]:
    """Send a test by each way of a receiver, once; return how that went."""
    clock = clock or SystemClock()
    said = example(receiver.name, clock.now_ns(), external_url)
    return [Tried(way, _failure(receiver, way, said, clock, outbound)) for way in receiver.ways]


def _failure(receiver: Receiver, way: Way, said: Notification, clock: Clock, outbound: Outbound | None) -> str:
    try:
        channel(receiver, way, clock, outbound).send(said)
    except TailraceError as error:
        return str(error)
    return ""


def example(receiver: str, now_ns: int, external_url: str = "") -> Notification:
    """Return a notification that says it is a test."""
    labels = {"alertname": "TestReceiver", "receiver": receiver, "severity": "none"}
    notes = {"summary": f"This is a test of the receiver {receiver!r}; nothing is wrong."}
    key = f"test-{receiver}-{now_ns}"
    alert = ToldAlert("firing", labels, notes, now_ns, 0, external_url, f"{now_ns & (1 << 64) - 1:016x}", 1.0)
    return Notification(
        receiver, f"test:{receiver}", {"alertname": "TestReceiver"}, labels, notes, (alert,), external_url, key,
        now_ns, "first",
    )  # fmt: skip
