"""Both halves in one process: `tailrace up` follows files and serves the page.

Comes in: a checked configuration, and how to read it again. Goes out: a table that others can read while this runs,
and a page. Refuses a data folder that another process writes as the same agent, and a port that is taken.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from tailrace import __version__, memory
from tailrace.agent import Agent, Lag
from tailrace.agent.caught_up import CaughtUp
from tailrace.agent.following import Following, open_checkpoint
from tailrace.agent.wiring import make_sink
from tailrace.alerts.evaluate.watermarks import Behind
from tailrace.clock import SystemClock
from tailrace.config.tables import open_logs
from tailrace.ecs import STREAM_SOURCE
from tailrace.patience import Patience
from tailrace.server import Server
from tailrace.sources.file_events.settings import FileEventsSettings
from tailrace.telemetry import Accounts

if TYPE_CHECKING:
    from collections.abc import Callable

    from tailrace.clock import Clock
    from tailrace.config.load import Loaded
    from tailrace.config.model import Config, SourceSettings


def run(
    loaded: Loaded,
    load: Callable[[], Loaded],
    announce: Callable[[str], None],
) -> None:
    """Follow, store and serve until SIGTERM or SIGINT; returns when all that was read is durable.

    A configuration that was read from a file is read again, by `load`, when that changes, and at SIGHUP.
    """
    config = loaded.config
    memory.share_heap()
    clock, accounts = SystemClock(), Accounts()
    table = open_logs(config, create=True)
    patience = Patience(clock, config.store.retry_s)
    checkpoint = open_checkpoint(config, patience)
    sink = make_sink(config, table, accounts=accounts, clock=clock, patience=patience)
    following = Following(
        loaded, load, sink, checkpoint, accounts=accounts, clock=clock, patience=patience, announce=announce
    )
    server = Server(
        config,
        table,
        sink,
        accounts=accounts,
        clock=clock,
        followed=following.followed,
        moves=following.moves,
        behind=_behind(following.agent, config, accounts, clock),
    )
    announce(f"tailrace {__version__}, data in {config.data}{f', table {config.table}' * bool(config.table)}")
    for warning in (*checkpoint.warnings, *server.warnings):
        announce(f"warning: {warning}")
    server.start()
    announce(f"page: {server.address}")
    for receiver in server.receivers:
        announce(f"receiving: {receiver}")
    with ExitStack() as ending:
        ending.callback(following.close)
        ending.callback(sink.close)
        ending.callback(server.stop)
        following.run()


def _behind(agent: Agent, config: Config, accounts: Accounts, clock: Clock) -> Callable[[], list[Behind]]:
    """Return what tells rules how far behind each source is; one thread calls it."""
    lag, caught_up = Lag(), CaughtUp()
    labels = {one.name: _labels(one) for one in config.sources}  # one that comes by a reload may have any

    def behind() -> list[Behind]:
        now_s, standings = clock.monotonic_s(), agent.standings()
        late = lag.look(now_s, standings)
        seconds = caught_up.behind(now_s, standings, late, lambda name: accounts.of(name).bytes["read"])
        return [Behind(name, behind_s, labels.get(name, {})) for name, behind_s in seconds.items()]

    return behind


def _labels(settings: SourceSettings) -> dict[str, str]:
    """Return the labels that all streams of a source are known to have."""
    if isinstance(settings, FileEventsSettings):
        return {"source": STREAM_SOURCE, **settings.labels}
    return {"source": settings.name, **settings.labels}
