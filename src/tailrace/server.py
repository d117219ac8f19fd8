"""The answering half, wired: one HTTP port over the table, and the table's upkeep in the background."""

from __future__ import annotations

import socket
import threading
import time
from functools import partial
from typing import TYPE_CHECKING

import uvicorn

from tailrace.alerts.alerting import Alerting
from tailrace.alerts.evaluate.pushed import Pushed
from tailrace.alerts.kept.recordings import Recordings
from tailrace.alerts.kept.samples import SamplesTable
from tailrace.control import Control
from tailrace.engines.polars import PolarsEngine
from tailrace.errors import ConfigError, Problem
from tailrace.intake.gate import Gate
from tailrace.intake.listeners import Listeners, Supply
from tailrace.rollups.metrics import Metrics
from tailrace.store.delete import delete
from tailrace.store.deleted import deleted
from tailrace.store.maintain import Maintenance
from tailrace.twin.keeper import Keeper
from tailrace.twin.reading import Twin
from tailrace.web import alerts_api, files_api, history_api, metrics_api, receivers_api
from tailrace.web.app import create_app
from tailrace.web.deletions import DeletionQueue
from tailrace.web.services import Services
from tailrace.web.work import Work

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import polars as pl

    from tailrace.alerts.evaluate.watermarks import Behind
    from tailrace.clock import Clock
    from tailrace.config.model import Config
    from tailrace.contracts import Followed, Sink
    from tailrace.store.table import LogTable
    from tailrace.telemetry import Accounts

_PING_S = 1.0  # between keep-alive pings of websockets
_IDLE_S = 120  # clients keep a connection for 90 s; closed sooner, their next request on it fails
_GRACE_S = 2  # how long open requests, live tails among them, may go on after a stop


class Server:
    """Serves the table until it is stopped; the socket is bound at construction, so a taken port fails early.

    `moves` tells whether the reading half makes progress; without it this is not ready. `behind` tells how far behind
    each of its sources is, which rules wait for.
    """

    def __init__(
        self,
        config: Config,
        table: LogTable,
        sink: Sink,
        *,
        accounts: Accounts,
        clock: Clock,
        followed: Callable[[], Sequence[Followed]] = tuple,
        moves: Callable[[], bool] = lambda: True,
        behind: Callable[[], Sequence[Behind]] = tuple,
    ) -> None:
        self._socket = _bind(config.listen)
        host, port = self._socket.getsockname()[:2]
        self.address = f"http://{f'[{host}]' if ':' in host else host}:{port}/"
        self._deletions = DeletionQueue(config.data, table, partial(_delete, table), clock, table.files)
        self._control, engine = Control.open(config.data), PolarsEngine()
        pushed = Pushed(sink, clock, disorder_s=config.alerts.push_disorder_s, wait_s=config.alerts.max_wait_s)
        self._recordings = Recordings(self._control, SamplesTable(config.data, table.files), config.alerts.samples_days)
        self._metrics = Metrics(
            config.data, self._control, table, engine, clock=clock, accounts=accounts, settings=config.metrics
        )
        self._alerting = Alerting(
            config.alerts,
            self._control,
            table,
            engine,
            clock=clock,
            accounts=accounts,
            behind=lambda: [*behind(), *pushed.behind()],
            deleted=partial(deleted, table.root),
            address=self.address,
            recordings=self._recordings,
            kept=self._metrics.kept,
        )
        gate = Gate(config.intake, clock=clock, accounts=accounts)
        services = Services(
            table=table,
            engine=engine,
            sink=pushed,
            accounts=accounts,
            clock=clock,
            host=config.host,
            followed=followed,
            started_ns=clock.now_ns(),
            ready=lambda: not self._http.should_exit and moves(),
            config=lambda: config.model_dump(mode="json"),
            rules=self._alerting,
            deletions=self._deletions,
            kept=self._metrics.kept,
            recordings=self._recordings,
            gate=gate,
        )
        supply = Supply(pushed, gate, accounts, clock, tls_settings=config.tls)
        self._listeners = Listeners(config.receivers, supply)
        self.receivers = self._listeners.addresses
        self._maintenance = Maintenance(table, config.store, clock, accounts)
        self._twin = Twin(config.data, table, PolarsEngine(), clock)
        self._keeper = Keeper(self._twin, accounts)
        app = create_app(services)
        app.include_router(files_api.routes(self._twin, Work()))
        app.include_router(metrics_api.routes(services, self._metrics, Work()))
        app.include_router(history_api.routes(self._control))
        app.include_router(alerts_api.routes(self._alerting.notifier, self._control, clock))
        app.include_router(receivers_api.routes(self._alerting.notifier))
        settings = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=_GRACE_S,
            ws_ping_interval=_PING_S,
            timeout_keep_alive=_IDLE_S,
        )
        self._http = uvicorn.Server(settings)
        self._thread = threading.Thread(target=self._http.run, args=([self._socket],), name="http", daemon=True)

    def start(self) -> None:
        """Answer requests and keep the table, both in the background."""
        self._maintenance.start()
        self._deletions.start()
        self._keeper.start()
        self._metrics.start()
        self._alerting.start()
        self._thread.start()
        while not self._http.started and self._thread.is_alive():
            time.sleep(0.005)
        self._listeners.start()

    def stop(self) -> None:
        """Finish open requests and the upkeep's current step, then return."""
        self._http.should_exit = True
        self._control.hurry()
        self._listeners.stop()
        self._alerting.stop()  # while the last requests are answered
        self._thread.join(_GRACE_S + 3)
        self._deletions.stop()
        self._metrics.stop()
        self._keeper.stop()
        self._maintenance.stop()
        self._control.close()


def _delete(table: LogTable, *, streams: Sequence[str], start_ns: int, end_ns: int, also: pl.Expr | None) -> int:
    """Delete rows, and tell how many."""
    return delete(table, streams=streams, start_ns=start_ns, end_ns=end_ns, dry_run=False, also=also).rows


def _bind(listen: str) -> socket.socket:
    host, _, port = listen.rpartition(":")
    host = host.strip("[]") or "127.0.0.1"
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # with the protocol named, asyncio switches Nagle's algorithm off: it would hold each answer's end back for 40 ms
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, int(port)))
    except OSError as error:
        sock.close()
        hint = "is another tailrace running? choose another port with --listen"
        raise ConfigError([Problem("$.listen", f"cannot listen on {listen}: {error.strerror}", hint)]) from error
    return sock
