"""An import, wired: files or standard input into the table, durably; with `watch` on and on, without a page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tailrace.agent.running import Agent, Progress
from tailrace.agent.signals import stop_on_signals
from tailrace.agent.wiring import make_parsers, make_reducing, make_source
from tailrace.clock import SystemClock
from tailrace.config.tables import open_logs
from tailrace.patience import Patience
from tailrace.sinks.store import StoreSink
from tailrace.sources.stdin import PATH as STDIN
from tailrace.sources.stdin import StdinSettings
from tailrace.sources.tail.checkpoint import Checkpoint
from tailrace.sources.tail.settings import TailSettings
from tailrace.telemetry import Accounts

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tailrace.config.model import Config
    from tailrace.contracts import Followed


@dataclass(frozen=True, slots=True)
class Summary:
    """What an import brought into the table."""

    lines: int
    bytes: int
    reduced: int  # lines that a rule of the spec dropped or counted
    files: int
    seconds: float
    refused: tuple[Followed, ...]  # what was found and not read, and why
    warnings: tuple[str, ...]  # about the memory of earlier imports
    complete: bool  # whether everything was read; false after a stop


def collect(
    config: Config,
    paths: Sequence[str],
    *,
    group: str = "collect",
    line_format: str = "auto",
    now: bool = False,
    watch: bool = False,
    progress: Callable[[Progress], None] | None = None,
) -> Summary:
    """Import files into the table, durably, and return; with `watch` go on until told to stop.

    The path `-` alone is standard input. A group remembers what it has read: a second import of the same files brings
    only what is new. `now` replaces every time stamp by the moment of reading.
    """
    clock, accounts = SystemClock(), Accounts()
    start_s = clock.monotonic_s()
    # A one-shot import commits as fast as it can; who follows gathers small writes, as `up` does.
    store = config.store if watch else config.store.model_copy(update={"commit_interval_s": 0.0})
    table = open_logs(config, create=True, settings=store)
    patience = Patience(clock, store.retry_s)
    checkpoint = Checkpoint.open(config.data / "agents" / group, agent_name=group, patience=patience)
    source = make_source(config, _settings(paths, group, line_format, watch=watch), clock)
    sink = StoreSink(table, clock=clock, settings=store, patience=patience)
    reducing = make_reducing(config.spec, accounts)
    agent = Agent(
        [source],
        sink,
        checkpoint,
        accounts=accounts,
        clock=clock,
        restamp=now,
        reduction=reducing.reduction,
        parsers=make_parsers(config.spec),
    )

    def stop() -> None:
        agent.stop()
        patience.hurry()

    try:
        with stop_on_signals(stop):
            agent.run(progress)
    finally:
        sink.close()
        reducing.close()
    stored, found = accounts.of(group), source.status()
    refused = tuple(item for item in found if item.why)
    return Summary(
        lines=stored.lines["stored"],
        bytes=stored.bytes["stored"],
        reduced=stored.lines["reduced"],
        files=len(found) - len(refused),
        seconds=clock.monotonic_s() - start_s,
        refused=refused,
        warnings=tuple(checkpoint.warnings),
        complete=watch or source.done,
    )


def _settings(paths: Sequence[str], group: str, line_format: str, *, watch: bool) -> TailSettings | StdinSettings:
    if list(paths) == [STDIN]:
        return StdinSettings(name=group, format=line_format, labels={"service_name": "stdin"})
    return TailSettings(name=group, paths=tuple(paths), format=line_format, follow=watch)
