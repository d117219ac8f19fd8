"""What the status shows, in numbers: of the table from its newest version, of the rest from the accounts; no query.

Cheap by construction: it reads what the process knows already, two files of `/proc` and one row per lease.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final  # Any: the configuration is JSON

from tailrace.clock import NS_PER_S
from tailrace.errors import TailraceError, one_line
from tailrace.web.explorer.pipeline.flow import flows
from tailrace.web.explorer.search.found import FIRST_NS, LAST_NS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tailrace.control.lease import Held
    from tailrace.web.services import Services

SMALL_BYTES: Final = 8 * 1024 * 1024
"""A segment below this size is one that compaction will join with others."""

DISK_LOW: Final = 0.1
LATE_S: Final = 60.0
_DAY_NS: Final = 86_400 * NS_PER_S
_COUNTED: Final = (
    "store_compacted_files",
    "store_vacuumed_files",
    "store_retained_rows",
    "store_retained_bytes",
    "rollups_rows",
    "twin_records",
    "twin_condensed",
)
_GAUGES: Final = (
    "store_torn_commits",
    "rollups_versions",
    "rollups_pending",
    "twin_paths",
    "twin_lag_seconds",
    "twin_open_gaps",
    "live_tails",
    "loki_tails",
    "rules",
    "rule_lag_seconds",
)
_FAILURES: Final = (
    "store_failures_total",
    "rollups_failures_total",
    "twin_failures_total",
    "rule_failures_total",
    "alert_failures_total",
    "notify_failures_total",
    "parser_failures_total",
)


@dataclass(frozen=True, slots=True)
class TableFigures:
    """The table as it is now."""

    version: int
    columns: int
    segments: int
    small: int
    rows: int
    bytes: int
    first_ns: int | None
    last_ns: int | None


@dataclass(frozen=True, slots=True)
class Machine:
    """What the process uses; None where the system does not say."""

    memory: int | None
    memory_most: int | None
    open_files: int | None
    disk_free: int | None
    disk: int | None


@dataclass(slots=True)
class Figures:
    """Everything that the page shows."""

    table: TableFigures | None
    table_error: str
    machine: Machine
    store: Mapping[str, Any]  # settings
    counts: dict[str, float]
    failures: dict[str, float]
    refused: dict[str, float]
    duties: dict[str, bool]
    leases: Sequence[Held] = ()
    leases_error: str = ""
    warnings: list[tuple[str, dict[str, object]]] = field(default_factory=list)  # name of the text, its words

    @property
    def leaves_ns(self) -> int | None:
        """Return when the oldest lines leave by their age, None if they stay."""
        days = (self.store.get("retention") or {}).get("days")
        if days is None or self.table is None or self.table.first_ns is None:
            return None
        return self.table.first_ns + round(float(days) * _DAY_NS)


def figures(services: Services) -> Figures:
    """Return what the page shows."""
    accounts, config = services.accounts, services.config()
    table, table_error = None, ""
    try:
        table = _table(services)
    except TailraceError as error:
        table_error = one_line(error)
    counts = {name: accounts.total(f"tailrace_{name}") for name in _GAUGES}
    counts |= {name: _sum(services, f"{name}_total") for name in _COUNTED}
    found = Figures(
        table,
        table_error,
        machine(Path(config["data"]) if config.get("data") else None),
        config.get("store") or {},
        counts,
        {name: amount for name in _FAILURES if (amount := _sum(services, name))},
        {name: amount for name in ("push", "intake", "access") if (amount := _sum(services, f"{name}_refused_total"))},
        {labels.get("job", ""): bool(value) for labels, value in accounts.samples("tailrace_duty")},
    )
    try:
        found.leases = services.leases()
    except TailraceError as error:
        found.leases_error = one_line(error)
    found.warnings = _warnings(services, found)
    return found


def machine(data: Path | None) -> Machine:
    """Return what this process uses, and the disk of a folder."""
    memory = _memory()
    try:
        open_files = len(os.listdir("/proc/self/fd"))  # noqa: PTH208  names alone, and thousands of them
    except OSError:
        open_files = None
    try:
        disk = shutil.disk_usage(data) if data is not None else None
    except OSError:
        disk = None
    return Machine(memory.get("VmRSS"), memory.get("VmHWM"), open_files, disk and disk.free, disk and disk.total)


def _memory() -> dict[str, int]:
    """Return what the kernel says of this process's memory, in bytes."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return {}
    said = (line.split() for line in lines if line.startswith("Vm"))
    return {name.rstrip(":"): int(number) * 1024 for name, number, *_ in said}


def _table(services: Services) -> TableFigures:
    snapshot = services.table.snapshot()
    frame = snapshot.segments(FIRST_NS, LAST_NS).frame
    first, last = frame["min_time_ns"].min(), frame["max_time_ns"].max()
    return TableFigures(
        snapshot.version,
        len(snapshot.columns),
        frame.height,
        frame.filter(frame["bytes"] < SMALL_BYTES).height,
        int(frame["rows"].sum()),
        int(frame["bytes"].sum()),
        first if isinstance(first, int) else None,
        last if isinstance(last, int) else None,
    )


def _sum(services: Services, name: str) -> float:
    return sum(value for _, value in services.accounts.samples(f"tailrace_{name}"))


def _warnings(services: Services, found: Figures) -> list[tuple[str, dict[str, object]]]:
    """Return what somebody should look at: the name of a text, and what is filled in."""
    said: list[tuple[str, dict[str, object]]] = []
    if not services.ready():
        said.append(("NOT_READY", {}))
    if found.table_error:
        said.append(("TABLE", {"why": found.table_error}))
    free, disk = found.machine.disk_free, found.machine.disk
    if free is not None and disk and free < DISK_LOW * disk:
        said.append(("DISK", {"share": f"{100 * free / disk:.1f}"}))
    for flow in flows(services.accounts):
        if not flow.closed:
            said.append(("OPEN", {"source": flow.source, "lines": f"{flow.lines.open:,}"}))
        if (flow.lag_s or 0) > LATE_S:
            said.append(("LATE", {"source": flow.source, "seconds": f"{flow.lag_s:,.0f}"}))
        said += [
            ("NOTED", {"source": flow.source, "what": name, "count": count}) for name, count, bad in flow.noted if bad
        ]
    if found.counts["store_torn_commits"]:
        said.append(("TORN", {"count": int(found.counts["store_torn_commits"])}))
    said += [("FAILED", {"what": name, "count": int(count)}) for name, count in found.failures.items()]
    said += [("RULES", {"why": " ".join(problem.split())}) for problem in services.rules.problems()[:20]]
    said += [("LEASE", {"job": one.job, "server": one.server}) for one in found.leases if one.over]
    if found.leases_error:
        said.append(("LEASES", {"why": found.leases_error}))
    return said
