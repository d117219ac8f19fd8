"""Decide on a million documents of file events: `python -m bench.condense [DOCUMENTS]`; at most 20 s are wanted.

Fifty hosts, ten documents a path, equal times among them, and directories that are deleted and moved.
"""

from __future__ import annotations

import resource
import sys
import time

import polars as pl

from tailrace.condense.decide import decide, uncondensed
from tailrace.condense.documents import DOCUMENT

HOSTS = 50


def documents(count: int) -> pl.DataFrame:
    """Return the documents of a fleet."""
    number = pl.int_range(count, eager=True)
    paths = max(1, count // HOSTS // 10)
    kind = number % 1_000
    last = count // HOSTS
    frame = pl.DataFrame({"number": number}).with_columns(
        host=pl.format("host-{}", pl.col("number") % HOSTS),
        turn=pl.col("number") // HOSTS,
    )
    path = pl.format("/srv/data/dir-{}/file-{}.dat", pl.col("turn") % paths // 100, pl.col("turn") % paths)
    folder = pl.format("/srv/data/dir-{}", pl.col("turn") % paths // 100)
    gone = pl.lit(kind == 999)
    frame = frame.with_columns(
        index=pl.lit("i"),
        id=pl.col("number").cast(pl.String),
        seq=pl.col("number"),
        term=pl.lit(1, pl.Int64),
        parents=pl.lit(value=False),
        uris=pl.lit(value=False),
        event_action=pl.when(gone).then(pl.lit("deleted")).otherwise(pl.lit("updated")),
        file_path=pl.when(gone & (pl.col("turn") < last * 9 // 10)).then(folder).otherwise(path),
        file_size=pl.when(~gone).then(pl.col("number")),
        file_inode=pl.when(~gone).then((pl.col("turn") % paths).cast(pl.String)),
        file_type=pl.when(~gone).then(pl.lit("file")),
        _time_ns=pl.col("number") // 3,
    )
    missing = [pl.lit(None, dtype).alias(name) for name, dtype in DOCUMENT.items() if name not in frame.columns]
    return frame.with_columns(missing).drop("number", "turn", "time")


def main() -> None:
    """Print the seconds, host by host as a pass does it, and what came of it."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    parts = documents(count).partition_by("host")
    before = sum(uncondensed(part) for part in parts)
    began = time.perf_counter()
    judged = pl.concat([decide(part) for part in parts])
    seconds = time.perf_counter() - began
    kept = judged.filter(pl.col("verdict") == "keep")
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"{count:,} documents of {len(parts)} hosts: {seconds:.2f} s, {memory} MiB at most")
    print(f"kept {kept.height:,}; paths with more than one: {before:,} before, {uncondensed(kept):,} after")
    began = time.perf_counter()
    whole = decide(documents(count).with_columns(host=pl.lit("one")))
    print(f"as one host: {time.perf_counter() - began:.2f} s, kept {int((whole['verdict'] == 'keep').sum()):,}")
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"{memory} MiB at most")


if __name__ == "__main__":
    main()
