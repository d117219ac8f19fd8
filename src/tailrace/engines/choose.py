"""Which engine runs a scan: the rule, and the engine that follows it scan by scan.

A scan goes to the cluster when that saves more than it costs. It costs a round trip or two, some 10 to 500 ms, and the
way back for all rows of the result. So it has to read much (`min_bytes` of files or `min_rows`, as pruning left them)
and to return little: its rows are filtered, grouped, or cut to the first ones. Everything else runs here, and so does
every scan while the cluster cannot be reached: then the answer carries a warning, and the cluster is tried again later.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from tailrace.contracts import Choice
from tailrace.engines.address import EXAMPLE, client_url
from tailrace.engines.connection import Connection
from tailrace.engines.polars import PolarsEngine
from tailrace.engines.settings import ClusterUrl, EngineSettings
from tailrace.engines.spark import SparkEngine
from tailrace.errors import ConfigError, EngineAwayError, Problem
from tailrace.limits import GIB, MIB

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import polars as pl

    from tailrace.contracts import Engine, Frame, Segments, Work

CLUSTER_VARIABLE: Final = "TAILRACE_CLUSTER"
"""Names the cluster for commands that read no configuration."""


def make_engine(settings: EngineSettings) -> Engine:
    """Return the engine that settings ask for; nothing is connected to before a scan needs it."""
    if settings.use == "polars" or settings.cluster is None:
        return PolarsEngine()
    auto = settings.use == "auto"
    cluster = SparkEngine(Connection(settings.cluster.reveal(), optional=auto))
    return ChoosingEngine(cluster, settings.min_bytes, settings.min_rows, always=not auto)


def engine_named(text: str, environ: Mapping[str, str] = os.environ) -> Engine:
    """Return the engine of a flag: `polars`, `auto` (with the environment's cluster), or the address of a cluster."""
    known = environ.get(CLUSTER_VARIABLE, "")
    if text == "polars" or (text == "auto" and not known):
        return PolarsEngine()
    url = known if text == "auto" else text
    if "://" in url:
        client_url(url)  # refuses what is no address, in words for a flag
        return make_engine(EngineSettings(use="auto" if text == "auto" else "spark", cluster=ClusterUrl(url)))
    raise ConfigError([Problem("--engine", f"there is no engine {url!r}", f"write polars, auto or {EXAMPLE}")])


class ChoosingEngine:
    """The engine of this machine for most scans, and that of a cluster for those that are worth it, or `always`.

    What is scanned without asking which engine is suited is no matter of a query, and is scanned here.
    """

    def __init__(self, cluster: SparkEngine, min_bytes: int, min_rows: int, *, always: bool = False) -> None:
        self.name = cluster.name if always else "auto"
        self._here, self._cluster, self._always = PolarsEngine(), cluster, always
        self._min_bytes, self._min_rows = min_bytes, min_rows
        self._warnings: list[str] = []

    @property
    def warnings(self) -> list[str]:
        """What who asked should know: scans that ran here, where the cluster would have been faster."""
        return [*self._warnings, *self._cluster.warnings]

    @property
    def scan_bytes(self) -> int:
        """As much as this machine reads in a second or so: `suited` knows who reads more."""
        return self._here.scan_bytes

    def within(self, check: Callable[[], None]) -> ChoosingEngine:
        """Return the engine for one query."""
        cluster = self._cluster.within(check)
        return ChoosingEngine(cluster, self._min_bytes, self._min_rows, always=self._always)

    def suited(self, work: Work) -> Choice:
        """Return the engine for a scan: see the module."""
        if self._always:
            return self._cluster.suited(work)
        if work.bytes < self._min_bytes and work.rows < self._min_rows:
            least = f"{_size(self._min_bytes)} and {self._min_rows:,} rows"
            return self._at_home(f"{_size(work.bytes)} and {work.rows:,} rows are less than {least}")
        if not work.reduced:
            return self._at_home("all rows come back, which a cluster makes no faster")
        try:
            choice = self._cluster.suited(work)
        except EngineAwayError as error:
            self._warnings = [f"{error}; scanned in this process instead"]
            return self._at_home(str(error))
        if choice.engine is not self._cluster:
            return choice
        return Choice(self._cluster, f"{self._cluster.where}: {_size(work.bytes)} and {work.rows:,} rows are worth it")

    def scan(self, segments: Segments, columns: Mapping[str, pl.DataType]) -> Frame:
        """Return the rows of the segments, lazily, to be scanned here."""
        return self._here.scan(segments, columns)

    def collect(self, frame: Frame) -> pl.DataFrame:
        """Run the expressions where the frame is."""
        return self._cluster.collect(frame)

    def batches(self, frame: Frame, *, ordered: bool = False) -> Iterator[pl.DataFrame]:
        """Run the expressions where the frame is, piece by piece."""
        return self._cluster.batches(frame, ordered=ordered)

    def _at_home(self, why: str) -> Choice:
        return Choice(self._here, f"polars, in this process: {why}")


def _size(count: int) -> str:
    """Write a number of bytes for people."""
    return f"{count / GIB:.1f} GiB" if count >= GIB else f"{count / MIB:.1f} MiB"
