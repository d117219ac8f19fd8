"""Both halves in one process: `tailrace up` follows files and serves the page.

Comes in: a checked configuration, and how to read it again. Goes out: a table that others can read while this runs,
and a page. Refuses a data folder that another process writes as the same agent, and a port that is taken.
"""

from __future__ import annotations

import threading
from collections import Counter
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Final, Literal

from tailrace import __version__, memory
from tailrace.agent import STALLED_S, Agent, Lag, reload_on_signal, stop_on_signals
from tailrace.agent.caught_up import CaughtUp
from tailrace.agent.reload import Reload
from tailrace.agent.wiring import make_parsers, make_reducing, make_sink, make_source
from tailrace.alerts.evaluate.watermarks import Behind
from tailrace.clock import SystemClock
from tailrace.ecs import STREAM_SOURCE
from tailrace.patience import Patience
from tailrace.server import Server
from tailrace.sources.file_events.settings import FileEventsSettings
from tailrace.sources.tail.checkpoint import Checkpoint
from tailrace.store.table import LogTable
from tailrace.telemetry import Accounts

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tailrace.agent.lag import Late
    from tailrace.clock import Clock
    from tailrace.config.load import Loaded
    from tailrace.config.model import Config, SourceSettings
    from tailrace.contracts import Followed
    from tailrace.telemetry import Sample

_SHOWN = 8  # followed paths that the start names one by one


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
    table = LogTable.open(config.data, create=True, settings=config.store)
    patience = Patience(clock, config.store.retry_s)
    folder = config.data / "agents" / config.agent
    checkpoint = Checkpoint.open(folder, agent_name=config.agent, patience=patience)
    sink = make_sink(config, table, accounts=accounts, clock=clock, patience=patience)
    reducing = make_reducing(config.spec, accounts)
    agent = Agent(
        [make_source(config, one, clock) for one in config.sources],
        sink,
        checkpoint,
        accounts=accounts,
        clock=clock,
        interval_s=config.store.commit_interval_s,
        reduction=reducing.reduction,
        linger=True,
        parsers=make_parsers(config.spec),
    )
    reload = Reload(loaded, load, reducing, agent.change, accounts=accounts, clock=clock, announce=announce)

    def stop() -> None:
        agent.stop()
        patience.hurry()  # on a full disk the agent would wait for space for ever

    def followed() -> list[Followed]:
        return [item for source in agent.sources() for item in source.status()]

    late = _lag(agent, clock)
    _gauges(agent, accounts, late)
    server = Server(
        config,
        table,
        sink,
        accounts=accounts,
        clock=clock,
        followed=followed,
        moves=lambda: all(one.still_s < STALLED_S for one in late()),
        behind=_behind(agent, config, accounts, clock),
    )
    announce(f"tailrace {__version__}, data in {config.data}")
    for warning in (*checkpoint.warnings, *server.warnings):
        announce(f"warning: {warning}")
    server.start()
    announce(f"page: {server.address}")
    for receiver in server.receivers:
        announce(f"receiving: {receiver}")
    teller = threading.Thread(target=_tell, args=(followed, announce), name="tell", daemon=True)
    with ExitStack() as ending:
        ending.callback(reload.close)
        ending.callback(sink.close)
        ending.callback(server.stop)
        ending.enter_context(stop_on_signals(stop))
        if loaded.files:
            reload.start()
            ending.callback(reload.stop)
            ending.enter_context(reload_on_signal(reload.ask))
        teller.start()
        agent.run()


_COUNTED: Final = {
    "possibly_lost_bytes": "Bytes that a program cut off or deleted before they could be read.",
    "nul_bytes_skipped": "NUL bytes of holes that were left out.",
    "damaged_bytes": "Bytes of compressed files that cannot be decompressed.",
    "open_files": "Files that are open for reading.",
    "restarts": "Programs that a source reads from and that had to be started again.",
    "polled_folders": "Folders without events, listed again and again: network file systems, or no watches are left.",
    "unreadable_files": "Files and folders that cannot be read, or are not followed for a reason.",
    "rotations": "Files that took over the name of one that was rotated away.",
    "truncations": "Files whose content was cut short or replaced in place.",
    "queue": "File events that wait in the kernel.",
    "overflows": "Times that the kernel's queue of file events ran over, or was given up for its size.",
    "gaps": "Spans of time in which file events may have been missed.",
    "open_gaps": "Gaps of file events that a walk has not closed yet.",
    "unknown_who": "File events whose process nobody knows any more.",
    "events_fanotify": "File events learned by fanotify.",
    "events_inotify": "File events learned by inotify.",
    "events_poll": "File events learned by polling.",
    "events_scan": "Differences found by walking: baselines, gaps, what was moved in.",
    "lost_events": "Traced system calls that found no room on their way out of the kernel.",
    "pods": "Pods of which labels and annotations are known.",
    "pod_failures": "Failed attempts to learn about pods from the API server or the file of pods.",
}


def _lag(agent: Agent, clock: Clock) -> Callable[[], Sequence[Late]]:
    """Return what tells how far behind each source is, to any thread."""
    lag, looking = Lag(), threading.Lock()

    def late() -> list[Late]:
        with looking:
            return lag.look(clock.monotonic_s(), agent.standings())

    return late


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


def _gauges(agent: Agent, accounts: Accounts, late: Callable[[], Sequence[Late]]) -> None:
    """Register what sources count that is no line, and how far behind they are."""

    def counted(name: str) -> list[Sample]:
        found = [(source.name, source.counters) for source in agent.sources()]
        return [({"source": source}, counters[name]) for source, counters in found if name in counters]

    def behind(unit: Literal["bytes", "seconds"]) -> list[Sample]:
        return [({"source": one.source}, getattr(one, unit)) for one in late()]

    for name, text in _COUNTED.items():
        accounts.gauge(f"tailrace_{name}", text, partial(counted, name))
    text = "Bytes in files and on their way that are not durable yet."
    accounts.gauge("tailrace_lag_bytes", text, partial(behind, "bytes"))
    text = "Seconds since the oldest of these bytes was read, or was first seen waiting."
    accounts.gauge("tailrace_lag_seconds", text, partial(behind, "seconds"))


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
