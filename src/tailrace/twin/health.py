"""How well the twin is: numbers that should be 0, and how far it is behind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import narwhals as nw
import polars as pl

from tailrace.clock import NS_PER_S
from tailrace.twin import events, tree
from tailrace.twin.gaps import open_gaps
from tailrace.twin.records import KEY

if TYPE_CHECKING:
    from tailrace.twin.reading import Twin, View

DAY_NS = 86_400 * NS_PER_S
_WHO = {"event_provider": pl.String(), "process_pid": pl.Int64(), "process_name": pl.String()}


@dataclass(frozen=True, slots=True)
class Health:
    """The numbers; goal 0 for all but `paths`, `hosts` and `version`."""

    hosts: int
    paths: int  # living ones
    records: int  # of the table and not yet in it
    uncondensed: int  # paths with more than one record; 0 after condensing
    orphans: int  # living paths whose directory does not live, although one above it does
    open_gaps: int  # spans of time in which events may be missing, until a rescan closes them
    lag_s: float  # since the oldest event that `logs` has and the table has not
    unknown_who: float  # share of the last day's events that name no process, scans left out
    version: int  # of the table


def health(twin: Twin) -> Health:
    """Return the numbers as of now; one pass over the paths of all files."""
    view, snapshot, logs = twin.now(), twin.files.snapshot(), twin.logs.snapshot()
    now_ns = twin.clock.now_ns()
    waiting = events.newest(twin.logs, logs, snapshot.taken, twin.engine)
    oldest = waiting["_time_ns"].min() if waiting.height else None
    return Health(
        hosts=len(view.state.hosts()),
        paths=view.rows().select(pl.len()).collect(engine="streaming").item(),
        records=snapshot.rows("live") + view.pending,
        uncondensed=uncondensed(view, twin.files.keys("tail")),
        orphans=orphans(view),
        open_gaps=open_gaps(logs, twin.engine).height,
        lag_s=max(0, now_ns - oldest) / NS_PER_S if isinstance(oldest, int) else 0.0,
        unknown_who=unknown_who(twin, now_ns),
        version=snapshot.version,
    )


def uncondensed(view: View, tail: pl.DataFrame) -> int:
    """Return how many paths have more than one record in the table."""
    keys = tail.group_by(KEY).len()
    held = pl.concat(
        [
            pl.DataFrame(schema={"host": pl.String(), "path": pl.String()}),
            *(rows.select(KEY) for rows in view.state.masked.values()),
        ]
    )
    return keys.filter(pl.col("len") > 1).height + keys.filter(pl.col("len") == 1).join(held, on=KEY, how="semi").height


def orphans(view: View) -> int:
    """Return how many living paths stand in a directory that does not live, below one that does."""
    rows = view.rows().select("host", "path", "type")
    folders = rows.filter(pl.col("type") == "dir").select("host", dir=tree.directory(pl.col("path")))
    parents = rows.select("host", dir=tree.parent(pl.col("path"))).filter(pl.col("dir").is_not_null())
    here, counts = pl.collect_all([folders, parents.group_by(tree.PLACE).len()], engine="streaming")
    missing = counts.join(here, on=tree.PLACE, how="anti")
    reached = tree.reach(missing, here.with_columns(by=pl.lit(1)), ["by"])
    return int(missing.join(reached, on=tree.PLACE, how="semi")["len"].sum())


def unknown_who(twin: Twin, now_ns: int) -> float:
    """Return the share of the last day's events without a process; what a scan found has none and does not count."""
    told = (nw.col("event_action") != "gap") & ~nw.col("event_provider").is_in(["scan", "import", "poll"])
    columns = {**_WHO, "event_action": pl.String()}
    logs = twin.logs.snapshot()
    found = events.between(logs, now_ns - DAY_NS, now_ns + DAY_NS, twin.engine, columns=columns, condition=told)
    return found.filter(pl.col("process_pid").is_null()).height / found.height if found.height else 0.0
