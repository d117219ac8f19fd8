"""The answering half as a program of its own: `tailrace server` reads no files; agents and others send to it.

Comes in: a checked configuration. Goes out: the table, kept up, and one port that takes lines and answers questions.
Several servers may share one table, see `docs/howto/fleet.md`.
"""

from __future__ import annotations

import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING

from tailrace import __version__, memory
from tailrace.agent import stop_on_signals
from tailrace.agent.wiring import make_sink, make_writers
from tailrace.clock import SystemClock
from tailrace.config.tables import open_logs
from tailrace.patience import Patience
from tailrace.server import Server
from tailrace.telemetry import Accounts

if TYPE_CHECKING:
    from collections.abc import Callable

    from tailrace.config.model import Config


def run(config: Config, announce: Callable[[str], None]) -> None:
    """Take lines and answer until SIGTERM or SIGINT; returns when all that was acknowledged is durable."""
    memory.share_heap()
    clock, accounts = SystemClock(), Accounts()
    table = open_logs(config, create=True)
    patience = Patience(clock, config.store.retry_s)
    with ExitStack() as ending:
        sink = make_sink(config, table, accounts=accounts, clock=clock, patience=patience)
        ending.callback(sink.close)
        for writer in make_writers(config, accounts, clock):
            ending.callback(writer.close)
            writer.start()
        server = Server(config, table, sink, accounts=accounts, clock=clock)
        announce(
            f"tailrace {__version__} server, data in {config.data}{f', table {config.table}' * bool(config.table)}"
        )
        for warning in server.warnings:
            announce(f"warning: {warning}")
        stopping = threading.Event()

        def stop() -> None:
            stopping.set()
            patience.hurry()

        ending.enter_context(stop_on_signals(stop))
        server.start()
        ending.callback(server.stop)
        announce(f"page: {server.address}")
        for receiver in server.receivers:
            announce(f"receiving: {receiver}")
        stopping.wait()
