"""An exporter, wired: one file is followed and counted, and one port answers scrapes.

What is durable is the agent's checkpoint alone: each plan in it has the position of the lines and the values that they
made, so the two are one cut. There is no table behind it that could hold less or more.
"""

from __future__ import annotations

import hashlib
import platform
import socket
from dataclasses import dataclass
from glob import escape
from typing import TYPE_CHECKING, Final

from tailrace import __version__
from tailrace.agent import Agent, stop_on_signals
from tailrace.clock import SystemClock
from tailrace.export.counting import Counting
from tailrace.export.rotations import Rotations
from tailrace.exposition import Family, Point
from tailrace.patience import Patience
from tailrace.sources.tail import TailSettings, TailSource
from tailrace.sources.tail.checkpoint import Checkpoint
from tailrace.telemetry import Accounts
from tailrace.web.exporter import create_app
from tailrace.web.listen import Listener

if TYPE_CHECKING:
    from concurrent.futures import Future
    from pathlib import Path

    from tailrace.batch import Batch
    from tailrace.export.profile import Profile
    from tailrace.exposition import Type

SOURCE: Final = "export"
"""Name of the source in the checkpoint, and the label `source` of the rows."""


@dataclass(frozen=True, slots=True)
class Options:
    """What an exporter is asked to do."""

    log: Path
    profile_name: str
    data: Path
    host: str  # address to listen on
    port: int
    seconds: float = 1.0
    line_pattern: str | None = None
    from_end: bool = False
    timezone: str = "local"
    token: str | None = None


class Nowhere:
    """The sink of an agent whose rows end as numbers; implements `contracts.Sink`.

    A batch is durable with its plan: after a crash every plan of the checkpoint counts.
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._checkpoint = checkpoint

    def submit(self, batch: Batch) -> Future[None]:
        """Refuse a batch: the reduction lets no row through."""
        raise AssertionError(f"{batch.lines} lines came through a reduction that counts all of them")

    def last_number(self, agent: str) -> int | None:  # noqa: ARG002  there is one agent per checkpoint
        """Return the number of the newest plan."""
        newest = self._checkpoint.next_number - 1
        return newest if newest >= 0 else None

    def close(self) -> None:
        """Do nothing: there is nothing open."""


class Exporter:
    """Follows one log and answers scrapes until it is stopped; the port is taken when it is made."""

    def __init__(self, profile: Profile, options: Options) -> None:
        self._prefix = profile.prefix
        self._profile_name = options.profile_name
        self._clock = SystemClock()
        self._patience = Patience(self._clock)
        log = str(options.log.absolute())
        folder = options.data / "exporters" / _state_name(log, options.profile_name)
        self._counting = Counting(profile, options.line_pattern, options.timezone)
        self._listener = Listener(options.host, options.port)
        self.address = self._listener.address
        try:
            checkpoint = Checkpoint.open(folder, agent_name=folder.name, patience=self._patience)
        except BaseException:
            self._listener.close()
            raise
        self.warnings = checkpoint.warnings
        settings = TailSettings(
            name=SOURCE,
            paths=(escape(log),),
            format=profile.format if options.line_pattern is None else "timestamped",
            read_from="end" if options.from_end else "start",
            timezone=options.timezone,
            partial_after_s=profile.partial_after or 0,
        )
        source = TailSource(settings, name=SOURCE, clock=self._clock, host=socket.gethostname())
        self._source = Rotations(source)
        self._agent = Agent(
            [self._source],
            Nowhere(checkpoint),
            checkpoint,
            accounts=Accounts(),
            clock=self._clock,
            interval_s=options.seconds,
            reduction=self._counting,
        )
        app = create_app(self.families, self._unmatched, self._trouble, token=options.token)
        self._listener.serve(app)

    def run(self) -> None:
        """Follow the log until SIGTERM or SIGINT; what was read is durable then."""
        try:
            with stop_on_signals(self.stop):
                self._agent.run()
        finally:
            self._listener.close()

    def stop(self) -> None:
        """Stop following; `run` returns soon."""
        self._agent.stop()
        self._patience.hurry()

    def families(self) -> list[Family]:
        """Return all metrics, the log's own as one cut."""
        return [*self._counting.families(), *self._own_families()]

    def _unmatched(self) -> list[str]:
        return [f"{one.file}:{one.offset}: {one.line}" for one in self._counting.unmatched()]

    def _trouble(self) -> str:
        """Return why the log is not read, or an empty text."""
        return "; ".join(f"{one.path}: {one.why}" for one in self._source.status() if one.why)

    def _own_families(self) -> list[Family]:
        prefix = f"{self._prefix}_exporter"
        counters = self._source.counters
        about = {"version": __version__, "profile": self._profile_name, "python_version": platform.python_version()}
        return [
            _family(
                f"{prefix}_rotations_total", "Times that the log was replaced by a new file.", counters["rotations"]
            ),
            _family(f"{prefix}_truncations_total", "Times that the log was cut short.", counters["truncations"]),
            Family(
                f"{prefix}_lag_bytes",
                "gauge",
                "Bytes of the log that are not read yet.",
                [Point({}, self._source.backlog_bytes())],
                "bytes",
            ),
            Family(f"{prefix}_build_info", "gauge", "Version of the exporter, and its profile.", [Point(about, 1)]),
            *_process_families(),
        ]


def _family(name: str, text: str, value: int) -> Family:
    return Family(name, "counter", text, [Point({}, value)])


def _process_families() -> list[Family]:
    """Return what the client library of Prometheus tells about a process: CPU, memory, files, its start."""
    from prometheus_client import ProcessCollector

    kinds: dict[str, Type] = {"counter": "counter", "gauge": "gauge"}
    return [
        Family(sample.name, kinds[metric.type], metric.documentation, [Point(sample.labels, sample.value)])
        for metric in ProcessCollector(registry=None).collect()
        for sample in metric.samples
    ]


def _state_name(log: str, profile: str) -> str:
    """Return the name of what is remembered of a log under a profile: readable, and unique by its path."""
    stem = "".join(letter if letter.isalnum() else "-" for letter in log.rsplit("/", 1)[-1])[:40].strip("-")
    unique = hashlib.sha256(b"\0".join(text.encode("utf-8", "surrogateescape") for text in (log, profile)))
    return f"{stem or 'log'}-{unique.hexdigest()[:12]}"
