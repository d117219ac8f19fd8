"""The twin: condensing, the right state of a fleet, and questions over many paths, in time and in memory.

Bounds: a million events are condensed in 20 s; over a million paths `du` of any folder takes 50 ms and the process that
answers holds at most 300 MiB. The fleet has 50 hosts with 20,000 files and ten events for each file, and its
state is compared with what the events come to by arithmetic.
"""

from __future__ import annotations

import json
import shutil
import sys
import time
from pathlib import Path

import polars as pl

from bench.measure import OUT, Plan, Row, Timer, run, verdict
from tailrace import memory

EVENTS = 1_000_000
CONDENSE_S = 20.0
WAITING_S = 5.0  # for the disk, however few events there are
DU_MS = 50.0
ANSWERING_MIB = 300.0
HOSTS, FILES, EACH = 50, 20_000, 10
_PIECE = 100_000


def measure(plan: Plan) -> list[Row]:
    scale = min(1.0, plan.rows / 10_000_000)
    data = OUT / "twin"
    rows = [_condensed(round(EVENTS * scale), data, scale)]
    rows += _answers(data, round(EVENTS * scale))
    rows.append(_fleet(max(2, round(HOSTS * scale)), data))
    shutil.rmtree(data)
    return rows


def _condensed(events: int, data: Path, scale: float) -> Row:
    """Condense a tail of events in random order."""
    from tailrace.twin.condense import condense
    from tailrace.twin.table import FilesTable

    shutil.rmtree(data, ignore_errors=True)
    data.mkdir(parents=True)
    files = FilesTable(data)
    numbers = pl.int_range(0, events, eager=True).shuffle(1)
    for number, part in enumerate(numbers.to_frame("file").iter_slices(_PIECE)):
        files.append(_records(part.with_columns(host=pl.lit("web-1"), turn=pl.lit(0)), number * _PIECE), None)
    with Timer() as timer:
        condense(files, rows=5 * _PIECE)
    held = verdict(timer.seconds <= max(CONDENSE_S * scale, WAITING_S))
    what = f"condense {events:,} events in random order"
    return Row("twin", what, timer.seconds, events, cpu_s=timer.cpu_s, verdict=held)


def _answers(data: Path, paths: int) -> list[Row]:
    """Ask a process of its own, which has nothing to do but to answer."""
    ran = run("-m", "bench.twin", data)
    rows = []
    for top, best_ms in json.loads(ran.output).items():
        what = f"du {top} of {paths:,} paths"
        held = verdict(best_ms <= DU_MS and ran.peak_mib <= ANSWERING_MIB)
        rows.append(Row("twin", what, best_ms / 1_000, peak_mib=ran.peak_mib, verdict=held))
    return rows


def _fleet(hosts: int, data: Path) -> Row:
    """Condense the events of a fleet; every tenth file is deleted by its last event."""
    from tailrace.twin import table
    from tailrace.twin.condense import condense
    from tailrace.twin.table import FilesTable

    shutil.rmtree(data, ignore_errors=True)
    data.mkdir(parents=True)
    files = FilesTable(data)
    names = pl.DataFrame({"file": range(FILES)}).join(
        pl.DataFrame({"host": [f"h{n:03}" for n in range(hosts)]}), how="cross"
    )
    number = 0
    with Timer() as timer:
        for turn in range(EACH):
            for part in names.sample(fraction=1, shuffle=True, seed=turn).iter_slices(_PIECE):
                number += 1
                files.append(_records(part.with_columns(turn=pl.lit(turn)), number * _PIECE), None)
                if number % 5 == 0:
                    condense(files, rows=5 * _PIECE)
        condense(files, rows=5 * _PIECE)
    found = (
        table.scan(files.snapshot().part("live")["path"].to_list()).group_by("host").agg(pl.len(), pl.col("size").sum())
    )
    states = set(found.select("len", "size").collect().iter_rows())
    alive = [file for file in range(FILES) if file % 10]
    right = states == {(len(alive), sum(file + EACH - 1 for file in alive))} and found.collect().height == hosts
    events = hosts * FILES * EACH
    what = f"take and condense {events:,} events of {hosts} hosts"
    return Row(
        "twin", what, timer.seconds, events, cpu_s=timer.cpu_s, verdict=verdict(right), note="compared by arithmetic"
    )


def _records(names: pl.DataFrame, first: int) -> pl.DataFrame:
    """Return records of files (`host`, `file`, `turn`): made in turn 0, then updated, some deleted in the last."""
    from tailrace.twin.records import EVENT, of_events

    file, turn = pl.col("file"), pl.col("turn")
    gone = (turn == EACH - 1) & (file % 10 == 0)
    action = pl.when(gone).then(pl.lit("deleted")).when(turn == 0).then(pl.lit("created")).otherwise(pl.lit("updated"))
    texts = {"device": "0a1b-22", "mode": "0644", "uid": "0", "gid": "0", "owner": "root", "group": "root"}
    texts |= {"mtime": "2026-01-02T03:04:05.678Z", "ctime": "2026-01-02T03:04:05.678Z"}
    sequence = pl.int_range(first, first + pl.len(), dtype=pl.Int64)
    events = names.select(
        "host",
        _time_ns=sequence + 1_700_000_000_000_000_000,
        order=sequence,
        event_action=action,
        event_sequence=sequence,
        file_path=pl.format("/srv/data/dir{}/sub{}/file-{}.log", file // 200, file % 200 // 20, file),
        file_type=pl.when(~gone).then(pl.lit("file")),
        file_size=pl.when(~gone).then((file + turn).cast(pl.Int64)),
        file_allocated=pl.when(~gone).then(pl.lit(4096, pl.Int64)),
        file_links=pl.when(~gone).then(pl.lit(1, pl.Int64)),
        file_inode=pl.when(~gone).then(file.cast(pl.String)),
        **{f"file_{name}": pl.lit(text) for name, text in texts.items()},
    )
    return of_events(pl.concat([pl.DataFrame(schema=dict(EVENT)), events], how="diagonal"))


def _ask(data: Path) -> dict[str, float]:
    """Ask for a few folders, some times each, and return the least times in milliseconds."""
    from tailrace.clock import SystemClock
    from tailrace.engines.polars import PolarsEngine
    from tailrace.store.table import LogTable
    from tailrace.twin import sizes
    from tailrace.twin.reading import Twin

    twin = Twin(LogTable.open(data, create=True), PolarsEngine(), SystemClock())
    best: dict[str, float] = {}
    for top in ("/", "/srv/data/dir17", "/srv/data/dir2/sub3"):
        for _ in range(7):
            began_s = time.perf_counter()
            sizes.du(twin.now(), top)
            best[top] = min(best.get(top, 1e9), (time.perf_counter() - began_s) * 1_000)
    return best


if __name__ == "__main__":
    memory.before_polars()
    memory.share_heap()
    print(json.dumps(_ask(Path(sys.argv[1]))))
