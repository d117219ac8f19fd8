"""What a configuration asks for, made: its sources, and the reduction with its channels."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Protocol, cast, runtime_checkable

from tailrace.agent.known import KnownFiles
from tailrace.errors import ConfigError, Problem
from tailrace.exposition import Family, Point
from tailrace.parse.pattern import Pattern
from tailrace.reduce.both import Both
from tailrace.reduce.pipeline import Pipeline
from tailrace.reduce.spec import Spec
from tailrace.reduce.traceleft.reduction import TraceReduction
from tailrace.registry import find
from tailrace.sinks.around import Around
from tailrace.sinks.channels.make import make as make_channels
from tailrace.sinks.fanout import Fanout
from tailrace.sinks.prometheus.settings import PrometheusSettings
from tailrace.sinks.prometheus.writer import RemoteWriter
from tailrace.sinks.spool import Spool
from tailrace.sinks.store import StoreSink
from tailrace.sources.file_events.settings import FileEventsSettings
from tailrace.sources.tail.settings import TailSettings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from tailrace.agent.feed import Parsers
    from tailrace.clock import Clock
    from tailrace.config.model import Config, SourceSettings
    from tailrace.config.sinks import AnySink
    from tailrace.contracts import Channel, Reduction, Sink, Source
    from tailrace.patience import Patience
    from tailrace.sinks.store import Writable
    from tailrace.telemetry import Accounts


EXACT = ("store", "postgres", "ship", "file")
"""Types of sinks that keep the number of a batch in one step with its rows."""

COME_ONCE = ("stdin", "fifo", "trace")
"""Types of sources that cannot be read again: what waits for a sink elsewhere waits on the disk."""

_FROM_LOGS = "metrics from logs"  # what a scrape shows of the spec in force
_NOTED = "what a reduction noted"


@runtime_checkable
class Counts(Protocol):
    """A sink that counts its rows."""

    @property
    def counters(self) -> Mapping[str, int]:
        """How many rows are in which state."""
        ...


@dataclass(frozen=True, slots=True)
class Reducing:
    """A reduction, none if everything is stored, and the channels that it sends rows to."""

    reduction: Reduction | None = None
    channels: Mapping[str, Channel] = field(default_factory=dict)

    def close(self) -> None:
        """Let the channels send what they took, all at once, then stop: none waits for another's slow receiver."""
        if self.channels:
            with ThreadPoolExecutor(len(self.channels), thread_name_prefix="close") as pool:
                list(pool.map(lambda channel: channel.close(), self.channels.values()))


def make_reducing(spec: Spec, accounts: Accounts) -> Reducing:
    """Return what a spec asks for."""
    if spec == Spec():
        accounts.include(_FROM_LOGS, tuple)
        accounts.include(_NOTED, tuple)
        return Reducing()
    traced = spec.aggregation
    channels = make_channels([*spec.channels, *(traced.channel_settings() if traced else ())], accounts)
    pipeline = Pipeline(spec, channels)
    accounts.include(_FROM_LOGS, pipeline.metrics.families)
    if traced is None:
        accounts.include(_NOTED, lambda: [_noted(pipeline.counters)])
        return Reducing(pipeline, channels)
    filters = TraceReduction(traced, channels)
    accounts.include(_NOTED, lambda: [_noted({**filters.counters, **pipeline.counters})])
    return Reducing(Both(filters, pipeline), channels)


def _noted(counters: Mapping[str, Mapping[str, int]]) -> Family:
    """Return what steps and filters counted that is no dropped row, as a metric."""
    text = "What steps and event filters of the spec did: late rows, keys beyond a bound, events taken, alerts."
    points = [
        Point({"step": step, "what": what}, float(count))
        for step, counts in counters.items()
        for what, count in dict(counts).items()  # a copy: the gathering thread goes on counting
    ]
    return Family("tailrace_reduction_total", "counter", text, points)


def make_parsers(spec: Spec) -> Parsers:
    """Return what makes the parsers that a spec declares, by name."""
    return {one.name: partial(Pattern, one) for one in spec.parsers}


def make_sink(config: Config, table: Writable | None, *, accounts: Accounts, clock: Clock, patience: Patience) -> Sink:
    """Return what takes the batches of a program: the one sink that is configured, or several behind one.

    Without a table, as in an agent that sends all away, a sink of the type `store` is refused. A sink alone is used as
    it is when a crash cannot come between its rows and their number; all others get their batches from a spool.
    """
    stored: Sink | None = None
    others: dict[str, Sink] = {}
    for settings in config.sinks:
        if settings.type == "store":
            stored = _store_sink(config, table, clock, patience)
        elif settings.type != "prometheus":  # which takes no lines: see `make_writers`
            others[settings.name] = make_one_sink(config, settings, accounts=accounts, clock=clock, patience=patience)
    if others:
        _count_sinks(others, accounts)
    if stored is not None and not others:
        return stored
    spool = Spool(config.data / "outgoing" / config.agent)
    kinds = [settings.type for settings in config.sinks if settings.type != "prometheus"]
    alone = len(kinds) == 1 and kinds[0] in EXACT
    if alone and not spool.entries and not any(source.type in COME_ONCE for source in config.sources):
        return next(iter(others.values()))
    fanout = Fanout(stored, others, spool, limit_bytes=config.spool_bytes, patience=patience)
    text = "Bytes on disk that a sink is still to get."
    accounts.gauge(
        "tailrace_sink_spool_bytes", text, lambda: [({"sink": name}, size) for name, size in fanout.waiting().items()]
    )
    return fanout


def make_one_sink(config: Config, settings: AnySink, *, accounts: Accounts, clock: Clock, patience: Patience) -> Sink:
    """Return one sink as its settings ask for it; not the one that stores."""
    around = Around(settings.name, config.data, config.agent, config.host, clock, accounts, patience)
    return cast("Sink", find("sink", settings.type)(settings, around))  # as the registry says


def _store_sink(config: Config, table: Writable | None, clock: Clock, patience: Patience) -> Sink:
    if table is None:
        hint = "send to a server with 'type: ship', or run 'tailrace up'"
        raise ConfigError([Problem("$.sinks", "a program without a table cannot have a sink 'store'", hint)])
    return StoreSink(table, clock=clock, settings=config.store, patience=patience)


def _count_sinks(sinks: Mapping[str, Sink], accounts: Accounts) -> None:
    """Register what sinks count, of those that do."""
    counting = {name: sink for name, sink in sinks.items() if isinstance(sink, Counts)}
    accounts.gauge(
        "tailrace_sink_rows",
        "Rows of sinks: sent, refused and set aside, waiting; and attempts that failed.",
        lambda: [
            ({"sink": name, "state": state}, count)
            for name, sink in counting.items()
            for state, count in sink.counters.items()
        ],
    )


def make_writers(config: Config, accounts: Accounts, clock: Clock) -> Sequence[RemoteWriter]:
    """Return what writes metrics to others, for the caller to start and close."""
    writers = {
        one.name: RemoteWriter(one, config.host, accounts.families, clock)
        for one in config.sinks
        if isinstance(one, PrometheusSettings)
    }
    if writers:
        accounts.gauge(
            "tailrace_remote_write_samples",
            "Samples of remote write: sent, given up, waiting.",
            lambda: [
                ({"sink": name, "state": state}, count)
                for name, writer in writers.items()
                for state, count in writer.counters.items()
            ],
        )
    return list(writers.values())


def make_source(config: Config, settings: SourceSettings, clock: Clock) -> Source:
    """Return the source that settings ask for."""
    if isinstance(settings, TailSettings):
        settings = outside(config.data, settings)
    made = find("source", settings.type)(settings, name=settings.name, clock=clock, host=config.host)
    if isinstance(settings, FileEventsSettings):
        made.prepare(own=(config.data.absolute(),), known=KnownFiles(config, clock))
    return cast("Source", made)  # the table of components says so


def outside(data: Path, settings: TailSettings) -> TailSettings:
    """Return the settings with our own data folder left out: each commit would be read as news, and make a commit."""
    own = re.sub(r"([*?\[])", r"[\1]", str(data.absolute()))
    return settings.model_copy(update={"exclude": (*settings.exclude, own)})
