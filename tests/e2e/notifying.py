"""A notifier over a control database, and alerts that fire and end there as evaluations would write them."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, insert

from tailrace.alerts.kept.tables import OUTBOX, STATES
from tailrace.alerts.notify.notifier import Notifier
from tailrace.alerts.notify.settings import NotifySettings
from tailrace.batch import stream_text
from tailrace.clock import SystemClock
from tailrace.control import Control
from tailrace.telemetry import Accounts

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

RULE = "files/shop/CartErrors"
FAST = {"group_wait": "0s", "group_interval": "100ms", "repeat_interval": "1h"}


class Telling:
    """Writes what evaluations would write, and has a notifier tell of it; `restart` as after a crash."""

    def __init__(self, data: Path, receivers: Sequence[dict[str, Any]], **route: object) -> None:
        first = {"receiver": receivers[0]["name"], "group_by": ["alertname"], **FAST, **route}
        self._settings = NotifySettings.model_validate({"route": first, "receivers": receivers})
        self._control = Control.open(data)
        self.notifier = self._started()

    def _started(self) -> Notifier:
        notifier = Notifier(
            self._control,
            self._settings,
            clock=SystemClock(),
            accounts=Accounts(),
            external_url="http://tailrace.invalid/",
            link=lambda rule: f"http://tailrace.invalid/rule/{rule}",
        )
        notifier.start()
        return notifier

    def restart(self) -> None:
        """Stop the notifier and start one that knows only what is in the database."""
        self.notifier.stop()
        self.notifier = self._started()

    def close(self) -> None:
        """Stop it."""
        self.notifier.stop()
        self._control.close()

    def fire(self, *hosts: str) -> None:
        """Have an alert of each host fire."""
        self._write(hosts, "firing")

    def end(self, *hosts: str) -> None:
        """Have the alerts of hosts end."""
        self._write(hosts, "resolved")

    def _write(self, hosts: Sequence[str], kind: str) -> None:
        now_ns = time.time_ns()
        with self._control.transaction() as connection:
            for host in hosts:
                labels = {"alertname": "CartErrors", "host": host, "severity": "page"}
                times = {"starts_ns": now_ns, "ends_ns": 0 if kind == "firing" else now_ns}
                key, notes = stream_text(labels), json.dumps({"summary": f"{host} has errors"})
                connection.execute(
                    insert(OUTBOX).values(
                        rule=RULE,
                        key=key,
                        generation=1,
                        kind=kind,
                        at_ns=now_ns,
                        labels=json.dumps(labels),
                        annotations=notes,
                        value=3.5,
                        written_ns=now_ns,
                        taken=False,
                        **times,
                    )
                )
                connection.execute(delete(STATES).where(STATES.c.rule == RULE, STATES.c.key == key))
                if kind == "firing":
                    connection.execute(
                        insert(STATES).values(
                            rule=RULE,
                            key=key,
                            state="firing",
                            active_ns=now_ns,
                            fired_ns=now_ns,
                            resolved_ns=0,
                            keep_since_ns=0,
                            value=3.5,
                            annotations=notes,
                            generation=1,
                        )
                    )
        self.notifier.poke()
