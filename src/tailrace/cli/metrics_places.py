"""Where `tailrace metrics` finds, makes and asks metrics: a data folder, or a server."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Protocol
from urllib.parse import quote

from tailrace.cli import options, remote
from tailrace.cli.unknown import unknown
from tailrace.clock import NS_PER_S
from tailrace.rollups.definitions import Definitions, MetricExistsError
from tailrace.rollups.metrics import SETTLE_NS
from tailrace.web.times import MAX_NS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tailrace.cli.span import Span
    from tailrace.config.model import Config
    from tailrace.control import Control
    from tailrace.rollups.forms import Form
    from tailrace.rollups.metrics import Metrics
    from tailrace.rollups.model import Metric
    from tailrace.store.table import LogTable

METRICS: Final = "/api/v1/metrics"

BACK_NS: Final = 86_400 * 10**9
"""How far back the newest values are looked for."""

_POINTS: Final = (500, 2_000, 10_000)  # asked at once, more and more while too little is found


@dataclass(frozen=True, slots=True)
class Value:
    """A number of a metric: of one series, in the bucket that ends at `at_ns`."""

    at_ns: int
    labels: Mapping[str, str]
    value: float


@dataclass(frozen=True, slots=True)
class Wanted:
    """A metric that is to be made."""

    name: str
    what: str | Form
    period_ns: int | None = None
    backfill_ns: int | None = None  # None: all lines


class Place(Protocol):
    """Metrics and their numbers."""

    def metrics(self) -> list[Metric]:
        """Return all metrics by name."""
        ...

    def create(self, wanted: Wanted) -> None:
        """Make a metric; `MetricExistsError` if there is one of its name."""
        ...

    def delete(self, name: str) -> None:
        """Remove a metric that is there."""
        ...

    def newest_ns(self, metric: Metric) -> int | None:
        """Return a time behind which there are no values, None if none is known."""
        ...

    def values(self, metric: Metric, start_ns: int, end_ns: int) -> list[Value]:
        """Return the values of the periods that end from `start_ns` to `end_ns`, both of them ends."""
        ...


@contextmanager
def place(data: Path | None, url: str | None, config: Path | None = None, *, create: bool = False) -> Iterator[Place]:
    """Give what the flags point to; a folder that is not there is made if something is to be kept in it."""
    options.exclusive(data, url)
    if url is not None:
        yield Server(url)
        return
    from tailrace.cli.folder import configured_control

    with configured_control(data, config, create=create) as (control, settings):
        yield Folder(control, settings)


def named(where: Place, name: str) -> Metric:
    """Return the metric of a name, or say in a `QueryError` what there is."""
    metrics = where.metrics()
    for metric in metrics:
        if metric.name == name:
            return metric
    names = [metric.name for metric in metrics]
    raise unknown("metric", name, names)


def newest(where: Place, metric: Metric, limit: int | None, within: Span) -> list[Value]:
    """Return the newest values of a metric, newest first; all of the newest period that has any if `limit` is None.

    The period that is not over is left out. Values are looked for `within` a range; without a start, within a day
    before the newest line.
    """
    period_ns = metric.period_ns
    end_ns = min(time.time_ns() - SETTLE_NS, within.end_ns) // period_ns * period_ns
    if (last_ns := where.newest_ns(metric)) is not None:
        end_ns = min(end_ns, last_ns + -last_ns % period_ns)
    first_ns = max(metric.since_ns + 1, within.start_ns, -NS_PER_S)
    if within.start_ns == -MAX_NS:
        first_ns = max(first_ns, end_ns - max(BACK_NS, _POINTS[0] * period_ns))
    first_ns += -first_ns % period_ns
    found: list[Value] = []
    points = iter(_POINTS)
    size = next(points)
    while end_ns >= first_ns and (not found if limit is None else len(found) < limit):
        start_ns = max(end_ns - (size - 1) * period_ns, first_ns)
        page = where.values(metric, start_ns, end_ns)
        found += sorted(page, key=lambda one: (-one.at_ns, -one.value, sorted(one.labels.items())))
        end_ns, size = start_ns - period_ns, next(points, size)
    return [one for one in found if one.at_ns == found[0].at_ns] if limit is None else found[:limit]


class Folder:
    """The control database and the table of a data folder."""

    def __init__(self, control: Control, config: Config) -> None:
        self._definitions = Definitions(control)
        self._control, self._config = control, config

    def metrics(self) -> list[Metric]:
        """Return all metrics by name."""
        return self._definitions.list()

    def create(self, wanted: Wanted) -> None:
        """Make a metric."""
        self._definitions.create(
            wanted.name,
            wanted.what,
            now_ns=time.time_ns(),
            period_ns=wanted.period_ns,
            backfill_ns=wanted.backfill_ns,
        )

    def delete(self, name: str) -> None:
        """Remove a metric."""
        self._definitions.delete(name)

    def newest_ns(self, metric: Metric) -> int | None:
        """Return the time of the newest line."""
        del metric  # nobody may have kept its numbers
        if self._table is None:
            return None
        newest: int | None = self._table.snapshot().segments(-MAX_NS, MAX_NS).frame["max_time_ns"].max()  # type: ignore[assignment]  # of integers
        return newest

    def values(self, metric: Metric, start_ns: int, end_ns: int) -> list[Value]:
        """Return the values of some periods."""
        if self._metrics is None:
            return []
        found = self._metrics.values(metric, start_ns, end_ns)
        return [Value(at_ns, found.labels[series], value) for series, at_ns, value in found.frame.iter_rows()]

    @cached_property
    def _table(self) -> LogTable | None:
        """The table, None before the first line has come."""
        from tailrace.config.tables import may_hold_table, open_logs

        return open_logs(self._config) if may_hold_table(self._config) else None

    @cached_property
    def _metrics(self) -> Metrics | None:
        """What reads values, from kept numbers where there are any."""
        from tailrace.clock import SystemClock
        from tailrace.engines.polars import PolarsEngine
        from tailrace.rollups.metrics import Metrics
        from tailrace.telemetry import Accounts

        if self._table is None:
            return None
        return Metrics(self._control, self._table, PolarsEngine(), clock=SystemClock(), accounts=Accounts())


def _metric(told: Mapping[str, Any]) -> Metric:
    """Return a metric of what a server tells."""
    from tailrace.rollups.forms import Form
    from tailrace.rollups.model import Metric

    form = told.get("form")
    return Metric(
        told["name"],
        told["expr"],
        told["bucket_ns"],
        told["period_ns"],
        told["since_ns"],
        created_ns=told["created_ns"],
        form=None if form is None else Form(**form),
    )


class Server:
    """A running Tailrace."""

    def __init__(self, url: str) -> None:
        self._url = url

    def metrics(self) -> list[Metric]:
        """Return all metrics by name."""
        return [_metric(one) for one in remote.call(self._url, METRICS)["metrics"]]

    def create(self, wanted: Wanted) -> None:
        """Make a metric."""
        what: dict[str, Any] = {"expr": wanted.what} if isinstance(wanted.what, str) else asdict(wanted.what)
        if wanted.period_ns is not None:
            what["period_s"] = wanted.period_ns / NS_PER_S
        what["backfill_s"] = None if wanted.backfill_ns is None else wanted.backfill_ns / NS_PER_S
        try:
            remote.call(self._url, METRICS, method="POST", body={"name": wanted.name, **what})
        except remote.TakenError as error:
            raise MetricExistsError(error.what) from None

    def delete(self, name: str) -> None:
        """Remove a metric."""
        remote.call(self._url, f"{METRICS}/{quote(name, safe='')}", method="DELETE")

    def newest_ns(self, metric: Metric) -> int | None:
        """Return the end of the newest bucket with a line, if the numbers are kept and nothing is left to be read."""
        health = remote.call(self._url, f"{METRICS}/{quote(metric.name, safe='')}").get("health", {})
        newest: int | None = health.get("newest_ns")
        return newest if health.get("state") == "kept" and not health.get("behind") else None

    def values(self, metric: Metric, start_ns: int, end_ns: int) -> list[Value]:
        """Return the values of some periods."""
        path = f"{METRICS}/{quote(metric.name, safe='')}/values"
        found = remote.call(self._url, path, parameters={"start": start_ns, "end": end_ns})["data"]["result"]
        return [
            Value(round(at_s * 1000) * 10**6, series["metric"], float(text))
            for series in found
            for at_s, text in series["values"]
        ]
