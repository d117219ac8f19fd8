"""The answering half, wired: one HTTP port over the table, and the table's upkeep in the background."""

from __future__ import annotations

import socket
import threading
import time
from functools import partial
from typing import TYPE_CHECKING

import uvicorn

from tailrace.access.audit import Audit
from tailrace.access.guard import guard_of, is_loopback
from tailrace.access.model import OPERATOR
from tailrace.access.outbound import Outbound
from tailrace.access.sealed import open_seal
from tailrace.access.tenants import Stamped
from tailrace.access.tls import Renewal, server_context
from tailrace.access.tokens import Tokens
from tailrace.alerts.alerting import Alerting
from tailrace.alerts.evaluate.pushed import Pushed
from tailrace.alerts.kept.recordings import Recordings
from tailrace.alerts.kept.samples import SamplesTable
from tailrace.config.model import listen_address
from tailrace.control import Control
from tailrace.control.duties import DELETIONS, FILES, ROLLUPS, Duties
from tailrace.control.holder import holder
from tailrace.control.lease import held
from tailrace.engines.choose import make_engine
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
from tailrace.web import alerts_api, audit_api, files_api, history_api, login, metrics_api, receivers_api
from tailrace.web.app import create_app
from tailrace.web.connections import HEAD_BYTES, PatientProtocol
from tailrace.web.deletions import DeletionQueue
from tailrace.web.explorer.alerts import views as alerts_room
from tailrace.web.explorer.dashboard import views as dashboard
from tailrace.web.explorer.dashboard.store import Dashboards
from tailrace.web.explorer.files import views as files_room
from tailrace.web.explorer.frame import Frame
from tailrace.web.explorer.metrics import views as metrics_room
from tailrace.web.explorer.saved import views as saved_views
from tailrace.web.explorer.saved.store import Saved
from tailrace.web.explorer.search.box import history
from tailrace.web.guarded import Guarded
from tailrace.web.services import Services
from tailrace.web.tenants import TenantApps
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
        tls = server_context(config.tls) if config.tls.on else None
        self._renewal = Renewal(tls, config.tls) if tls is not None else None
        self._control, engine = Control.open(config.data, config.control), PolarsEngine()
        tokens, audit = Tokens(self._control, clock), Audit(self._control, clock)
        guard = guard_of(config.access, config.tls, listen_address(config.listen), tokens, clock)
        self._socket = _bind(config.listen)
        host, port = self._socket.getsockname()[:2]
        self.address = f"{'http' if tls is None else 'https'}://{f'[{host}]' if ':' in host else host}:{port}/"
        self.warnings = _warnings(config, host)
        name = holder()
        self._duties = Duties(self._control, name, clock=clock, accounts=accounts, server=self.address)
        carry_out = partial(_delete, table)
        self._deletions = DeletionQueue(self._control, table, carry_out, clock, self._duties.of(DELETIONS))
        self._deletions.adopt(config.data)
        pushed = Pushed(sink, clock, disorder_s=config.alerts.push_disorder_s, wait_s=config.alerts.max_wait_s)
        samples = SamplesTable(table.place.beside("samples"))
        self._recordings = Recordings(self._control, samples, config.alerts.samples_days)
        self._metrics = Metrics(
            self._control,
            table,
            engine,
            clock=clock,
            accounts=accounts,
            settings=config.metrics,
            mine=self._duties.of(ROLLUPS),
        )
        self._alerting = Alerting(
            config.alerts,
            self._control,
            table,
            engine,
            clock=clock,
            accounts=accounts,
            behind=lambda: [*behind(), *pushed.behind()],
            deleted=partial(deleted, table.place),
            name=name,
            address=self.address,
            recordings=self._recordings,
            kept=self._metrics.kept,
            outbound=Outbound(config.access.call_private, trusting=guard.open and is_loopback(host)),
            seal=open_seal(config.data, config.access.secret_key_file),
        )
        incoming = Stamped(pushed, OPERATOR)
        gate = Gate(config.intake, clock=clock, accounts=accounts)
        services = Services(
            table=table,
            engine=make_engine(config.engine),
            sink=incoming,
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
            leases=lambda: held(self._control, clock.now_ns()),
            gate=gate,
            elasticsearch_version=config.intake.elasticsearch_version,
        )
        supply = Supply(incoming, gate, accounts, clock, guard, tls, config.tls, table, engine)
        self._listeners = Listeners(config.receivers, supply)
        self.receivers = self._listeners.addresses
        self._maintenance = Maintenance(table, config.store, clock, accounts)
        self._twin = Twin(table, PolarsEngine(), clock)
        self._keeper = Keeper(self._twin, accounts, self._duties.of(FILES))
        frame = Frame(config.host)
        app = create_app(services, frame)
        app.include_router(files_api.routes(self._twin, Work()))
        app.include_router(files_room.routes(frame, self._twin, Work()))
        app.include_router(metrics_api.routes(services, self._metrics, Work()))
        dashboards = Dashboards(self._control, clock)
        app.include_router(dashboard.routes(services, frame, dashboards, Work()))
        app.include_router(metrics_room.routes(services, frame, self._metrics, dashboards, Work()))
        app.include_router(history_api.routes(self._control))
        app.include_router(alerts_api.routes(self._alerting.notifier, self._control, clock))
        app.include_router(receivers_api.routes(self._alerting.notifier))
        app.include_router(alerts_room.routes(services, frame, self._alerting, self._control, Work()))
        app.include_router(saved_views.routes(frame, Saved(self._control, clock)))
        app.include_router(history.routes(frame, history.History(self._control, clock)))
        app.include_router(login.routes(guard, tokens))
        app.include_router(audit_api.routes(audit))
        settings = uvicorn.Config(
            Guarded(app, guard, audit, TenantApps(services, create_app), accounts),
            http=PatientProtocol,
            h11_max_incomplete_event_size=HEAD_BYTES,
            ssl_context_factory=None if tls is None else lambda *_: tls,
            proxy_headers=False,  # who says that somebody else asks is not believed
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
        self._duties.start()
        self._deletions.start()
        self._keeper.start()
        self._metrics.start()
        self._alerting.start()
        if self._renewal is not None:
            self._renewal.start()
        self._thread.start()
        while not self._http.started and self._thread.is_alive():
            time.sleep(0.005)
        self._listeners.start()

    def stop(self) -> None:
        """Finish open requests and the upkeep's current step, then return."""
        self._http.should_exit = True
        self._control.hurry()
        self._listeners.stop()
        if self._renewal is not None:
            self._renewal.stop()
        self._alerting.stop()  # while the last requests are answered
        self._thread.join(_GRACE_S + 3)
        self._deletions.stop()
        self._metrics.stop()
        self._keeper.stop()
        self._duties.stop()
        self._maintenance.stop()
        self._control.close()


def _delete(table: LogTable, *, streams: Sequence[str], start_ns: int, end_ns: int, also: pl.Expr | None) -> int:
    """Delete rows, and tell how many."""
    return delete(table, streams=streams, start_ns=start_ns, end_ns=end_ns, dry_run=False, also=also).rows


def _warnings(config: Config, host: str) -> list[str]:
    """Return what the operator should know about who may listen in."""
    if config.tls.on or is_loopback(host):
        return []
    return ["tokens and lines travel readable to everybody on the way, since there is no TLS: set tls.certificate"]


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
        if isinstance(error, PermissionError):
            hint = "ports below 1024 are root's, or need CAP_NET_BIND_SERVICE: choose another one with --listen"
        raise ConfigError([Problem("$.listen", f"cannot listen on {listen}: {error.strerror}", hint)]) from error
    return sock
