"""A server that does nothing but evaluate rules, in a process of its own: `python -m e2e.alert_server DATA RULES`."""

from __future__ import annotations

import signal
import sys
import threading
from pathlib import Path

from tailrace.alerts.alerting import Alerting
from tailrace.alerts.settings import AlertSettings
from tailrace.clock import SystemClock
from tailrace.control import Control
from tailrace.engines.polars import PolarsEngine
from tailrace.store.table import LogTable
from tailrace.telemetry import Accounts

if __name__ == "__main__":
    data, rules = Path(sys.argv[1]), sys.argv[2]
    control = Control.open(data)
    alerting = Alerting(
        AlertSettings(rule_files=(rules,)),
        control,
        LogTable.open(data, create=True),
        PolarsEngine(),
        clock=SystemClock(),
        accounts=Accounts(),
    )
    over = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: over.set())
    alerting.start()
    over.wait()
    alerting.stop()
    control.close()
