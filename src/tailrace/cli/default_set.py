"""Make the default set in a folder or on a server; what is there already stays as it is, and is said."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from tailrace.alerts.rules import defaults, metric_alerts
from tailrace.cli import alerts_places, metrics_places, output
from tailrace.clock import NS_PER_S
from tailrace.rollups.definitions import BACKFILL_NS, MetricExistsError

if TYPE_CHECKING:
    from pathlib import Path

_DATABASE: Final = ("PGHOST", "PGUSER", "PGPASSWORD", "PGDATABASE")
"""What puppylog was told of its database by."""


def create(data: Path | None, url: str | None, config: Path | None) -> None:
    """Make what of the set is missing, and say of each part whether it was there."""
    if unneeded := [name for name in _DATABASE if os.environ.get(name)]:
        output.note(f"note: {', '.join(unneeded)}: not needed, there is no database server")
    with metrics_places.place(data, url, config, create=True) as metrics:
        for name, form in defaults.METRICS.items():
            wanted = metrics_places.Wanted(name, form, form.period_s * NS_PER_S, BACKFILL_NS)
            try:
                metrics.create(wanted)
            except MetricExistsError:
                output.line(f"metric {name}: already created")
            else:
                output.line(f"metric {name}: created")
        watched = metrics_places.named(metrics, defaults.ALERT_METRIC)
    with alerts_places.place(data, url, config) as alerts:
        if any(row.name == defaults.ALERT for row in alerts_places.rows(alerts)):
            output.line(f"alert {defaults.ALERT}: already created")
            return
        asked = metric_alerts.MetricAlert(
            defaults.ALERT,
            watched,
            defaults.ALERT_LEVEL,
            window_s=defaults.ALERT_WINDOW_S,
            period_s=defaults.ALERT_PERIOD_S,
        )
        alerts.save(metric_alerts.NAMESPACE, metric_alerts.rule_group(asked))
        output.line(f"alert {defaults.ALERT}: created")
