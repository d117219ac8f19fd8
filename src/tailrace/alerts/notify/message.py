"""Write a notification for people: a title of one line and a text.

Comes in: a notification. Goes out: a `Message`. Without templates the title says what happens and to whom, the text
tells of each alert its own labels, its annotations, its value, since when, and where to look. Templates are those of
Alertmanager; one that fails on a notification does not hold it back: the message is the usual one, with the reason.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, TypeAlias

from tailrace.alerts.notify.model import CORRECTION
from tailrace.alerts.notify.templates import filled
from tailrace.clock import NS_PER_S
from tailrace.limits import MESSAGE_ALERTS
from tailrace.query.template_values import TemplateError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tailrace.alerts.notify.model import Notification, ToldAlert

_FIRST: Final = ("summary", "description", "message")  # annotations that need no name
_UNITS: Final = ((86_400, "d"), (3_600, "h"), (60, "m"), (1, "s"))
_TITLE_CHARS: Final = 250


@dataclass(frozen=True, slots=True)
class Message:
    """What people read."""

    title: str  # one line
    body: str


Writing: TypeAlias = "Callable[[Notification], Message]"
"""What writes a notification for people."""


def writing(title_template: str | None, body_template: str | None) -> Writing:
    """Return what writes by templates, or as usual where there is none."""

    def write(notification: Notification) -> Message:
        message = usual(notification)
        fields = {"UsualTitle": message.title, "UsualBody": message.body}
        try:
            written = message.title if title_template is None else filled(title_template, notification, fields)
            text = message.body if body_template is None else filled(body_template, notification, fields)
        except TemplateError as error:
            return Message(message.title, f"{message.body}\n\n(The template of this message failed: {error})")
        return Message(" ".join(written.split())[:_TITLE_CHARS], text)

    return write


def usual(notification: Notification) -> Message:
    """Return the message that needs no template."""
    return Message(title(notification), body(notification))


def title(notification: Notification) -> str:
    """Return what happens, and to whom: `[FIRING:2] CartErrors host=a1 severity=page`."""
    firing = len(notification.firing)
    state = f"FIRING:{firing}" if firing else "RESOLVED"
    common = notification.common_labels
    names = dict.fromkeys(alert.labels.get("alertname", "") for alert in notification.alerts)
    name = common.get("alertname") or ", ".join(filter(None, names)) or "alerts"
    first = [label for label in notification.group_labels if label in common]
    rest = [label for label in sorted(common) if label not in first]
    labels = [f"{label}={common[label]}" for label in (*first, *rest) if label != "alertname" and common[label]]
    return " ".join(" ".join([f"[{state}]", name, *labels]).split())[:_TITLE_CHARS]


def body(notification: Notification) -> str:
    """Return each alert with its own labels, annotations, value, since when, and where to look."""
    paragraphs = []
    for heading, alerts in (("Firing", notification.firing), ("Resolved", notification.resolved)):
        shown = alerts[:MESSAGE_ALERTS]
        if alerts:
            paragraphs.append(f"{heading} ({len(alerts)})")
            paragraphs += ["\n".join(_alert(alert, notification)) for alert in shown]
        if len(shown) < len(alerts):
            paragraphs.append(f"… and {len(alerts) - len(shown)} more")
    if notification.truncated:
        paragraphs.append(f"{notification.truncated} further alerts are not listed here.")
    if notification.external_url:
        paragraphs.append(f"Tailrace: {notification.external_url}")
    return "\n\n".join(paragraphs)


def _alert(alert: ToldAlert, notification: Notification) -> Iterator[str]:
    common = notification.common_labels
    own = {name: value for name, value in sorted(alert.labels.items()) if value and common.get(name) != value}
    name = alert.labels.get("alertname", "alert")
    own.pop("alertname", None)
    yield "- " + " ".join([name, *(f"{label}={value}" for label, value in own.items())])
    yield from (f"  {line}" for line in _facts(alert, notification.at_ns))


def _facts(alert: ToldAlert, now_ns: int) -> Iterator[str]:
    notes = alert.annotations
    if CORRECTION in notes:
        yield _lines(notes[CORRECTION])
    yield from (_lines(notes[name]) for name in _FIRST if notes.get(name))
    if alert.value is not None and not math.isnan(alert.value):
        yield f"value: {alert.value:.10g}"
    began, ended = alert.starts_ns, alert.ends_ns or now_ns
    lasted = duration(ended - began)
    if alert.status == "firing":
        yield f"since: {moment(began)}" + (f" ({lasted})" if lasted else "")
    else:
        yield f"from {moment(began)} to {moment(ended)}" + (f" ({lasted})" if lasted else "")
    yield from (f"{name}: {_lines(notes[name])}" for name in sorted(notes) if name not in (*_FIRST, CORRECTION))
    if alert.generator_url:
        yield f"query: {alert.generator_url}"


def _lines(text: str) -> str:
    return text.strip().replace("\n", "\n  ")


def moment(at_ns: int) -> str:
    """Return a time to the second, as people read it.

    >>> moment(1_700_000_000_000_000_000)
    '2023-11-14 22:13:20 UTC'
    """
    return datetime.fromtimestamp(at_ns // NS_PER_S, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def duration(span_ns: int) -> str:
    """Return a span by its two greatest units, nothing for less than a second.

    >>> duration(3_725 * NS_PER_S), duration(90_000 * NS_PER_S), duration(0)
    ('1h 2m', '1d 1h', '')
    """
    left, words = span_ns // NS_PER_S, list[str]()
    for seconds, unit in _UNITS:
        count, left = divmod(max(left, 0), seconds)
        if count or words:
            words.append(f"{count}{unit}" if count else "")
    return " ".join(filter(None, words[:2]))
