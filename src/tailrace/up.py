"""Both halves in one process: `tailrace up` follows files and serves the page.

Comes in: a checked configuration. Goes out: a table that others can read while this runs, and a page. Refuses a
data folder that another process writes as the same agent, and a port that is taken.
"""

from __future__ import annotations

import threading
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Final

from tailrace import __version__, memory
from tailrace.agent import Agent, outside, stop_on_signals
from tailrace.clock import SystemClock
from tailrace.patience import Patience
from tailrace.registry import find
from tailrace.server import Server
from tailrace.sinks.store import StoreSink
from tailrace.sources.tail.checkpoint import Checkpoint
from tailrace.store.table import LogTable
from tailrace.telemetry import Accounts

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tailrace.config.model import Config
    from tailrace.contracts import Followed, Source

_SHOWN = 8  # followed paths that the start names one by one


def run(config: Config, announce: Callable[[str], None]) -> None:
    """Follow, store and serve until SIGTERM or SIGINT; returns when all that was read is durable."""
    memory.share_heap()
    clock, accounts = SystemClock(), Accounts()
    table = LogTable.open(config.data, create=True, settings=config.store)
    patience = Patience(clock, config.store.retry_s)
    folder = config.data / "agents" / config.agent
    checkpoint = Checkpoint.open(folder, agent_name=config.agent, patience=patience)
    sources: list[Source] = [
        find("source", one.type)(outside(config.data, one), name=one.name, clock=clock, host=config.host)
        for one in config.sources
    ]
    sink = StoreSink(table, clock=clock, settings=config.store, patience=patience)

    def stop() -> None:
        agent.stop()
        patience.hurry()  # on a full disk the agent would wait for space for ever

    def followed() -> list[Followed]:
        return [item for source in sources for item in source.status()]

    for gauge, text in _COUNTED.items():
        accounts.gauge(f"tailrace_{gauge}", text, partial(_counted, sources, gauge))
    server = Server(config, table, sink, accounts=accounts, clock=clock, followed=followed)
    agent = Agent(sources, sink, checkpoint, accounts=accounts, clock=clock, interval_s=config.store.commit_interval_s)
    announce(f"tailrace {__version__}, data in {config.data}")
    for warning in checkpoint.warnings:
        announce(f"warning: {warning}")
    server.start()
    announce(f"page: {server.address}")
    teller = threading.Thread(target=_tell, args=(followed, announce), name="tell", daemon=True)
    try:
        with stop_on_signals(stop):
            teller.start()
            agent.run()
    finally:
        server.stop()
        sink.close()


_COUNTED: Final = {
    "possibly_lost_bytes": "Bytes that a program cut off or deleted before they could be read.",
    "nul_bytes_skipped": "NUL bytes of holes that were left out.",
    "open_files": "Files that are open for reading.",
}


def _counted(sources: Sequence[Source], gauge: str) -> list[tuple[dict[str, str], float]]:
    return [({"source": source.name}, source.counters[gauge]) for source in sources if gauge in source.counters]


def _tell(followed: Callable[[], Sequence[Followed]], announce: Callable[[str], None]) -> None:
    """Say once what is followed and why the rest is not, as soon as the folders were looked at."""
    pause, tries = threading.Event(), 50
    while not followed() and tries:
        pause.wait(0.1)
        tries -= 1
    pause.wait(0.2)
    for line in describe(followed()):
        announce(line)


def describe(items: Sequence[Followed]) -> list[str]:
    """Return what is followed and why not the rest, in a few lines."""
    refused = [item for item in items if item.why]
    taken = [item.path for item in items if not item.why]
    lines = [f"following {len(taken)} file{'s' * (len(taken) != 1)}" + (":" if taken else "")]
    lines += [f"  {path}" for path in taken[:_SHOWN]]
    if len(taken) > _SHOWN:
        lines.append(f"  and {len(taken) - _SHOWN} more")
    lines += [f"not followed: {count} {why}" for why, count in Counter(item.why for item in refused).most_common()]
    return lines
