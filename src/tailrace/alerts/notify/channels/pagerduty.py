"""Open and end incidents at PagerDuty, by its Events API v2: one for each group of alerts.

The incident's key is made of the group's, so that a repetition opens no second one, and the group's end ends it.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any, ClassVar, Final

from tailrace.alerts.notify.channels.http import Service
from tailrace.alerts.notify.channels.webhook import as_json
from tailrace.alerts.notify.model import KEY_HEADER
from tailrace.alerts.shown import time_text
from tailrace.secret import secret_of

if TYPE_CHECKING:
    from tailrace.access.outbound import Outbound
    from tailrace.alerts.notify.message import Writing
    from tailrace.alerts.notify.model import Notification
    from tailrace.alerts.notify.ways import PagerDutySettings
    from tailrace.clock import Clock

_SUMMARY_CHARS: Final = 1_024  # PagerDuty refuses more
_SEVERITIES: Final = ("critical", "error", "warning", "info")


class PagerDuty:
    """Sends events for one integration key."""

    kind: ClassVar = "pagerduty"
    renew_ns: ClassVar = 0

    def __init__(
        self,
        settings: PagerDutySettings,
        clock: Clock,
        writing: Writing,
        *,
        send_resolved: bool = True,
        outbound: Outbound | None = None,
    ) -> None:
        self.send_resolved = send_resolved
        self._settings = settings
        self._writing = writing
        self._service = Service(settings, clock, outbound)

    def send(self, notification: Notification) -> None:
        """Open, renew or end the incident of the group."""
        routing_key = secret_of(self._settings.routing_key, self._settings.routing_key_file) or ""
        said = {"routing_key": routing_key, **self._event(notification)}
        self._service.post(self._settings.url, as_json(said), {KEY_HEADER: notification.key}, hidden=[routing_key])

    def _event(self, notification: Notification) -> dict[str, Any]:
        key = sha256(notification.group_key.encode("utf-8", "replace")).hexdigest()
        if notification.status == "resolved":
            return {"event_action": "resolve", "dedup_key": key}
        message = self._writing(notification)
        severity = notification.common_labels.get("severity", "")
        links = dict.fromkeys(alert.generator_url for alert in notification.firing if alert.generator_url)
        return {
            "event_action": "trigger",
            "dedup_key": key,
            "client": "Tailrace",
            "client_url": notification.external_url,
            "links": [{"href": link, "text": "the query"} for link in links],
            "payload": {
                "summary": message.title[:_SUMMARY_CHARS],
                "source": notification.common_labels.get("host") or notification.external_url or "tailrace",
                "severity": severity if severity in _SEVERITIES else self._settings.severity,
                "timestamp": time_text(min(alert.starts_ns for alert in notification.firing)),
                "custom_details": {"text": message.body, **notification.common_labels},
            },
        }
