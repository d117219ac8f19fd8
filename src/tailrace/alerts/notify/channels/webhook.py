"""Tell a service of the user's own what Alertmanager would post to it: version 4 of its webhook.

Goes out: one JSON object per notification, with two things more: `idempotencyKey`, also as a header, by which the
receiver knows a repetition, and `notification_reason` and `routeLabels` as newer Alertmanagers send them.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, ClassVar, Final

from tailrace.alerts.notify.channels.http import Service
from tailrace.alerts.notify.model import KEY_HEADER
from tailrace.alerts.shown import time_text
from tailrace.secret import parts_of, secret_of

if TYPE_CHECKING:
    from tailrace.access.outbound import Outbound
    from tailrace.alerts.notify.model import Notification, ToldAlert
    from tailrace.alerts.notify.ways import WebhookSettings
    from tailrace.clock import Clock

VERSION: Final = "4"
NEVER: Final = "0001-01-01T00:00:00Z"
"""The end of an alert that fires, as Alertmanager writes it."""


class Webhook:
    """Posts to one address."""

    kind: ClassVar = "webhook"
    renew_ns: ClassVar = 0

    def __init__(
        self, settings: WebhookSettings, clock: Clock, *, send_resolved: bool = True, outbound: Outbound | None = None
    ) -> None:
        self.send_resolved = send_resolved
        self._settings = settings
        self._service = Service(settings, clock, outbound)

    def send(self, notification: Notification) -> None:
        """Post it."""
        url = secret_of(self._settings.url, self._settings.url_file) or ""
        said = payload(notification, self._settings.max_alerts)
        self._service.post(url, as_json(said), {KEY_HEADER: notification.key}, hidden=parts_of(url))


def payload(notification: Notification, max_alerts: int = 0) -> dict[str, Any]:  # nested JSON
    """Return the body; of more than `max_alerts` alerts, unless that is 0, the first ones are in it."""
    alerts = notification.alerts[:max_alerts] if max_alerts else notification.alerts
    return {
        "version": VERSION,
        "groupKey": notification.group_key,
        "truncatedAlerts": notification.truncated + len(notification.alerts) - len(alerts),
        "status": notification.status,
        "receiver": notification.receiver,
        "groupLabels": dict(notification.group_labels),
        "commonLabels": dict(notification.common_labels),
        "commonAnnotations": dict(notification.common_annotations),
        "externalURL": notification.external_url,
        "alerts": [_alert(alert) for alert in alerts],
        "notification_reason": notification.reason,
        "routeLabels": dict(notification.route_labels),
        "idempotencyKey": notification.key,
    }


def as_json(value: object) -> bytes:
    """Return JSON; text that is no Unicode is replaced, since nobody could read it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def _alert(alert: ToldAlert) -> dict[str, Any]:
    return {
        "status": alert.status,
        "labels": dict(alert.labels),
        "annotations": dict(alert.annotations),
        "startsAt": time_text(alert.starts_ns),
        "endsAt": time_text(alert.ends_ns) if alert.ends_ns else NEVER,
        "generatorURL": alert.generator_url,
        "fingerprint": alert.fingerprint,
    }
