"""Import: `tailrace collect` of a file into a new table, as a process, and what the same text costs elsewhere.

The peer is `pl.read_ndjson` of the same file alone, the fastest of three times in a process of its own: reading and
nothing else. On the disk the peers are `zstd -3` and `zstd -19` of the text.
"""

from __future__ import annotations

import re
import shutil
from functools import partial
from typing import TYPE_CHECKING

from bench.inputs import generated, zstd_bytes
from bench.measure import OUT, Plan, Ran, Row, median, run, verdict
from bench.parquet_sizes import column_bytes

if TYPE_CHECKING:
    from pathlib import Path

READ = """
import sys, time
import polars as pl
for _ in range(3):
    start = time.perf_counter()
    pl.read_ndjson(sys.argv[1])
    print(time.perf_counter() - start)
"""
RATE_FLOOR = 600_000
RATE_ROWS = 2_000_000  # fewer measure the start of the program
PEAK_MIB = 1024
DISK_RATIO = 1.15


def collect(path: Path, data: Path) -> Ran:
    """Import a file into a new table; fails if it reports another number of lines than the file has."""
    shutil.rmtree(data, ignore_errors=True)
    ran = run("-m", "tailrace", "collect", path, "--data", data)
    expected = int(path.stem.split("-")[1])
    found = re.search(r"imported ([\d,]+) lines", ran.output)
    assert found, ran.output
    assert int(found[1].replace(",", "")) == expected, ran.output
    return ran


def disk(data: Path) -> tuple[int, int]:
    """Return the bytes of the columns that hold what the lines said, and of everything in the table's folder.

    Said: the fields, and of the envelope the line or message, the level, the exact time and the parts that did not
    fit. The rest (stream, offset, time of reading, the rounded time for people, log) is ours.
    """
    folder = data / "logs"
    columns = column_bytes(folder.rglob("*.parquet"))
    said = {"_line", "_level", "_time_ns", "_raw", "_more"}
    fields = sum(size for name, size in columns.items() if name and (name in said or not name.startswith("_")))
    return fields, sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def measure(plan: Plan) -> list[Row]:
    rows = []
    for kind in ("json", "access", "cri"):
        path = generated(kind, plan.import_rows, plan.seed)
        data = OUT / f"import-{kind}"
        size = path.stat().st_size
        alone_s = _read_alone(path) if kind == "json" else None
        ran = median(partial(collect, path, data), 3)
        ratio = ran.seconds / alone_s if alone_s else None
        slow = plan.import_rows >= RATE_ROWS and plan.import_rows / ran.seconds < RATE_FLOOR
        rows.append(
            Row(
                "import",
                f"{kind}: tailrace collect",
                ran.seconds,
                lines=plan.import_rows,
                bytes=size,
                cpu_s=ran.cpu_s,
                peak_mib=ran.peak_mib,
                ratio=ratio,
                verdict=verdict(not slow and ran.peak_mib <= PEAK_MIB) if kind == "json" else "",
                note="against pl.read_ndjson alone" if ratio else "",
            )
        )
        if alone_s:
            rows.append(Row("import", "json: pl.read_ndjson alone", alone_s, lines=plan.import_rows, bytes=size))
        rows.append(_disk_row(kind, path, data, plan))
        shutil.rmtree(data)
    return rows


def _read_alone(path: Path) -> float:
    """Return the seconds of the fastest of three readings in one process."""
    return min(map(float, run("-c", READ, path).output.split()))


def _disk_row(kind: str, path: Path, data: Path, plan: Plan) -> Row:
    fields, whole = disk(data)
    low, high = (zstd_bytes(path, level, plan.sample_bytes) for level in (3, 19))
    note = (
        f"{fields / plan.import_rows:.1f} B a line for the fields, {whole / plan.import_rows:.1f} in all; "
        f"zstd -3 {low / plan.import_rows:.1f}, zstd -19 {high / plan.import_rows:.1f}"
    )
    judged = verdict(fields <= DISK_RATIO * high) if kind == "json" else ""
    return Row("import", f"{kind}: on the disk", bytes=whole, ratio=fields / high, verdict=judged, note=note)
