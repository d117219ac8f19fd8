"""Settings of alerting: which rules count, when they are evaluated, and for how long they are made up for.

Who is told of alerts has settings of its own in `notify`; both are one mapping in the file, as people know it.
"""

from __future__ import annotations

from pydantic import Field

from tailrace.alerts.notify.settings import NotifySettings


class AlertSettings(NotifySettings):
    """Rules and alerts: what is evaluated, and who is told."""

    evaluate: bool = True
    """Whether rules are evaluated here. Of several servers on one data folder only one does at a time in any case."""

    rule_files: tuple[str, ...] = ()
    """Paths and globs of rule files, as of Prometheus or Loki; they are read again when they change. A relative one
    starts where Tailrace is started."""

    evaluation_interval_s: float = Field(default=60.0, ge=1)
    """How often a group is evaluated that does not say."""

    external_labels: dict[str, str] = Field(default_factory=dict)
    """Labels that are added to each alert when it is sent, where it has none of that name."""

    external_url: str = ""
    """Address of this page as receivers reach it, for the links in notices; empty: the address it listens on."""

    grace_s: float = Field(default=0.0, ge=0)
    """How long late lines are waited for before a window is evaluated; a rule's own `grace` counts instead."""

    push_disorder_s: float = Field(default=30.0, ge=0)
    """How much later than its time a line that is pushed may come; what our own agents read needs no allowance."""

    max_wait_s: float = Field(default=300.0, ge=0)
    """After so long a window is evaluated without the sources that are late; a rule's own `max_wait` counts instead."""

    catch_up_days: float = Field(default=7.0, gt=0)
    """Windows that were missed are made up for if they are not older; older ones are skipped, which is an alert."""

    correction_hours: float = Field(default=24.0, ge=0)
    """Windows that late lines change are evaluated again if they are not older."""

    known_days: float = Field(default=7.0, gt=0)
    """A series that was not seen for so long is forgotten: its silence is no zero any more."""

    log_days: float = Field(default=30.0, gt=0)
    """How long the log of evaluations is kept, and what was told."""

    samples_days: float = Field(default=90.0, gt=0)
    """How long the samples of recording rules and the states of alerts are kept as series; whole days go."""
