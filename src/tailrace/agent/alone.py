"""One source by itself, stored like the lines of any source until a stop: `trace --data` and `watch --data` run it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tailrace.agent.running import Agent
from tailrace.agent.signals import stop_on_signals
from tailrace.agent.wiring import make_parsers, make_reducing
from tailrace.config.tables import open_logs
from tailrace.patience import Patience
from tailrace.sinks.store import StoreSink
from tailrace.sources.tail.checkpoint import Checkpoint
from tailrace.telemetry import Accounts

if TYPE_CHECKING:
    from collections.abc import Callable

    from tailrace.clock import Clock
    from tailrace.config.model import Config
    from tailrace.contracts import Source


def store(
    config: Config,
    source: Source,
    clock: Clock,
    *,
    group: str,
    stopper: Callable[[Callable[[], None]], None] = lambda _stop: None,
) -> int:
    """Store what a source reads until told to stop, and return how many lines became durable.

    Its position is kept under `group`. `stopper` is given what stops it, beside the signals.
    """
    accounts = Accounts()
    table = open_logs(config, create=True)
    patience = Patience(clock, config.store.retry_s)
    checkpoint = Checkpoint.open(config.data / "agents" / group, agent_name=group, patience=patience)
    sink = StoreSink(table, clock=clock, settings=config.store, patience=patience)
    reducing = make_reducing(config.spec, accounts)
    agent = Agent(
        [source],
        sink,
        checkpoint,
        accounts=accounts,
        clock=clock,
        interval_s=config.store.commit_interval_s,
        reduction=reducing.reduction,
        parsers=make_parsers(config.spec),
    )

    def stop() -> None:
        agent.stop()
        patience.hurry()

    try:
        with stop_on_signals(stop):
            stopper(stop)
            agent.run()
    finally:
        sink.close()
        reducing.close()
    return accounts.of(source.name).lines["stored"]
