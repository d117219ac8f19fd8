"""A small world for telling: a clock, a database, channels that remember what they are told, and servers that die."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tailrace.alerts.notify.alerts import KnownAlert, fingerprint
from tailrace.alerts.notify.notifier import Notifier
from tailrace.alerts.notify.settings import NotifySettings
from tailrace.clock import ManualClock
from tailrace.control import Control
from tailrace.errors import TransientError
from tailrace.telemetry import Accounts

if TYPE_CHECKING:
    from pathlib import Path

    from tailrace.alerts.notify.model import Notification

S = 10**9
START = 1_700_000_000 * S
FAR = 400 * 86_400 * S
WEBHOOK = "http://127.0.0.1:1/"


@dataclass
class Remembers:
    """A channel that remembers what it was told."""

    name: str
    got: list[Notification] = field(default_factory=list)
    down: bool = False
    error: Exception | None = None

    kind = "webhook"
    send_resolved = True
    renew_ns = 0

    def send(self, notification: Notification) -> None:
        if self.error is not None:
            raise self.error
        if self.down:
            raise TransientError(f"{self.name} is away")
        self.got.append(notification)


class World:
    """One database, and a server on it; `restart` makes another one."""

    def __init__(self, folder: Path, **settings) -> None:
        self.folder, self.clock, self.accounts = folder, ManualClock(START), Accounts()
        self.settings = read(settings)
        self.control = Control.open(folder)
        self.channels: dict[str, Remembers] = {}
        self.restart()

    def restart(self, holder: str = "one", **more) -> Notifier:
        self.notifier = Notifier(
            self.control,
            self.settings,
            clock=self.clock,
            accounts=self.accounts,
            holder=holder,
            make=self.make,
            **more,
        )
        self.notifier.deliveries._chance = random.Random(1)
        return self.notifier

    def make(self, receiver, way, _clock) -> Remembers:
        name = receiver.name if len(receiver.ways) == 1 else f"{receiver.name}/{way}"
        return self.channels.setdefault(name, Remembers(name))

    def channel(self, name: str = "a") -> Remembers:
        return self.channels.setdefault(name, Remembers(name))

    # --- time -----------------------------------------------------------------------------------

    @property
    def now_s(self) -> int:
        return (self.clock.now_ns() - START) // S

    def run(self, until_s: int, every_s: int = 10) -> None:
        """Step, and again until a time."""
        self.notifier.step()
        while self.now_s < until_s:
            self.clock.advance(min(every_s, until_s - self.now_s))
            self.notifier.step()

    # --- alerts ---------------------------------------------------------------------------------

    def fire(self, *, starts_s: int | None = None, **labels: str) -> None:
        """Post an alert that fires until it is ended."""
        now_ns = self.clock.now_ns()
        starts_ns = now_ns if starts_s is None else START + starts_s * S
        self.notifier.post([KnownAlert(fingerprint(labels), labels, {}, starts_ns, now_ns + FAR, now_ns)])

    def report(self, **labels: str) -> None:
        """Post an alert without an end: it is over when it is not reported for five minutes."""
        now_ns = self.clock.now_ns()
        ends_ns = now_ns + 300 * S
        self.notifier.post([KnownAlert(fingerprint(labels), labels, {}, now_ns, ends_ns, now_ns, timeout=True)])

    def end(self, **labels: str) -> None:
        """Post that an alert is over."""
        now_ns = self.clock.now_ns()
        self.notifier.post([KnownAlert(fingerprint(labels), labels, {}, now_ns - 1, now_ns, now_ns)])


def read(settings) -> NotifySettings:
    """Return settings; receivers may be names of webhooks."""
    given = [
        {"name": one, "webhook": WEBHOOK} if isinstance(one, str) else one for one in settings.pop("receivers", ["a"])
    ]
    settings.setdefault("route", {})
    settings["route"].setdefault("receiver", given[0]["name"])
    return NotifySettings.model_validate({**settings, "receivers": given})
