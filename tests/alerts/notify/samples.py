"""Notifications for tests."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tailrace.alerts.notify.model import Notification, Status, ToldAlert

S = 1_000_000_000
T0 = 1_700_000_000 * S  # 2023-11-14T22:13:20Z


def told(
    host: str = "a1", status: Status = "firing", *, began: int = T0 - 600 * S, ended: int = 0, **annotations: str
) -> ToldAlert:
    """Return one alert of `CartErrors`."""
    return ToldAlert(
        status=status,
        labels={"alertname": "CartErrors", "host": host, "severity": "page"},
        annotations={"summary": f"{host} has errors", **annotations},
        starts_ns=began,
        ends_ns=ended or (T0 - 60 * S if status == "resolved" else 0),
        generator_url=f"http://tailrace:9080/?q={host}",
        fingerprint=f"{ord(host[0]):016x}",
        value=3.5,
    )


def notification(*alerts: ToldAlert, **changes: Any) -> Notification:
    """Return a notification about them, grouped by `alertname`."""
    alerts = alerts or (told(),)
    shared = set.intersection(*(set(alert.labels.items()) for alert in alerts))
    noted = set.intersection(*(set(alert.annotations.items()) for alert in alerts))
    made = Notification(
        receiver="team",
        group_key='{}:{alertname="CartErrors"}',
        group_labels={"alertname": "CartErrors"},
        common_labels=dict(sorted(shared)),
        common_annotations=dict(sorted(noted)),
        alerts=alerts,
        external_url="http://tailrace:9080/",
        key="key-1",
        at_ns=T0,
        reason="first",
    )
    return replace(made, **changes)
