"""The report: one table of all stages for a reader, the same as JSON for a machine."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING

from bench.measure import MB

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.measure import Plan, Row

HEAD = ("stage", "what", "ratio", "verdict", "lines/s", "MB/s", "seconds", "CPU s", "peak MiB", "note")


def machine() -> dict[str, str | int]:
    """Return what the numbers depend on."""
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "cores": len(os.sched_getaffinity(0)),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "polars": version("polars"),
        "deltalake": version("deltalake"),
        "load": f"{os.getloadavg()[0]:.1f} at the start",
    }


def _cells(row: Row) -> tuple[str, ...]:
    rate = row.lines / row.seconds if row.lines and row.seconds else None
    speed = row.bytes / row.seconds / MB if row.bytes and row.seconds else None
    numbers = (rate, speed, row.seconds, row.cpu_s, row.peak_mib)
    shapes = ("{:,.0f}", "{:,.0f}", "{:.3f}", "{:.2f}", "{:,.0f}")
    texts = ("" if value is None else shape.format(value) for value, shape in zip(numbers, shapes, strict=True))
    return (row.stage, row.what, "" if row.ratio is None else f"{row.ratio:.2f}", row.verdict, *texts, row.note)


def table(rows: Sequence[Row]) -> str:
    """Return the rows as a table in Markdown, padded to be read as it is."""
    cells = [HEAD, *map(_cells, rows)]
    widths = [max(len(line[place]) for line in cells) for place in range(len(HEAD))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in cells
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def as_json(rows: Sequence[Row], plan: Plan, about: dict[str, str | int]) -> str:
    """Return everything as one JSON object."""
    return json.dumps({"machine": about, "plan": asdict(plan), "rows": [asdict(row) for row in rows]}, indent=1)
