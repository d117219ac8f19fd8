"""Tell other Alertmanagers of alerts, as Prometheus does: every alert, to each of them, again while it fires.

An Alertmanager forgets an alert at its `endsAt`. While an alert fires that is always a few renewals ahead, so that some
of them may be lost and none is resolved falsely; `renew_ns` asks to be called for the next. It groups and waits by
itself, and knows alerts by their labels, so that what is told twice changes nothing. One of several that took it is
enough: those that were away hear it at the next renewal, and all of a cluster exchange what they told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

from tailrace.alerts.notify.channels.http import Service
from tailrace.alerts.notify.channels.webhook import as_json
from tailrace.alerts.notify.model import KEY_HEADER, Refused
from tailrace.alerts.shown import time_text
from tailrace.clock import NS_PER_S
from tailrace.errors import TransientError
from tailrace.limits import ALERTS_A_REQUEST

if TYPE_CHECKING:
    from tailrace.access.outbound import Outbound
    from tailrace.alerts.notify.model import Notification, ToldAlert
    from tailrace.alerts.notify.ways import AlertmanagerSettings
    from tailrace.clock import Clock

RENEWALS: Final = 4
"""How many renewals `endsAt` is ahead: as many may be lost before an alert ends falsely."""

_PATH: Final = "/api/v2/alerts"


class Alertmanager:
    """Posts to all Alertmanagers of one receiver."""

    kind: ClassVar = "alertmanager"

    def __init__(
        self,
        settings: AlertmanagerSettings,
        clock: Clock,
        *,
        send_resolved: bool = True,
        outbound: Outbound | None = None,
    ) -> None:
        self.send_resolved = send_resolved
        self.renew_ns = round(settings.renew_s * NS_PER_S)
        self._clock = clock
        self._services = [(url.rstrip("/") + _PATH, Service(settings, clock, outbound)) for url in settings.urls]

    def send(self, notification: Notification) -> None:
        """Post the alerts to each; raise what failed if none of them has taken all."""
        until = time_text(self._clock.now_ns() + RENEWALS * self.renew_ns)
        alerts = [_alert(alert, until) for alert in notification.alerts if alert.labels]
        batches = [alerts[first : first + ALERTS_A_REQUEST] for first in range(0, len(alerts), ALERTS_A_REQUEST)]
        failures: list[TransientError | Refused] = []
        for url, service in self._services:
            try:
                for number, batch in enumerate(batches):
                    service.post(url, as_json(batch), {KEY_HEADER: f"{notification.key}-{number}"})
            except (TransientError, Refused) as error:
                failures.append(error)
        if len(failures) == len(self._services):
            raise next((error for error in failures if isinstance(error, TransientError)), failures[0])


def _alert(alert: ToldAlert, until: str) -> dict[str, Any]:
    return {
        "labels": dict(alert.labels),
        "annotations": dict(alert.annotations),
        "startsAt": time_text(alert.starts_ns),
        "endsAt": time_text(alert.ends_ns) if alert.ends_ns else until,
        "generatorURL": alert.generator_url,
    }
