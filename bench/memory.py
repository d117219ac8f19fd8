"""Memory: the peak of importing one file and one four times as large; it must not grow with the file."""

from __future__ import annotations

import shutil

from bench.imports import PEAK_MIB, collect
from bench.inputs import generated
from bench.measure import OUT, Plan, Row, verdict


def measure(plan: Plan) -> list[Row]:
    rows = []
    for lines in plan.memory_rows:
        path = generated("json", lines, plan.seed)
        ran = collect(path, OUT / "memory")
        shutil.rmtree(OUT / "memory")
        size = path.stat().st_size
        what = f"collect of {size / 1e9:.2f} GB"
        held = verdict(ran.peak_mib <= PEAK_MIB)
        rows.append(Row("memory", what, ran.seconds, lines, size, ran.cpu_s, ran.peak_mib, verdict=held))
    return rows
