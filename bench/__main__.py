"""`python -m bench`: measure every stage, or those that are named, and print one table.

Each stage runs in a process of its own, so that peaks of memory and warm caches do not mix. Generated files stay in
`bench/out` for the next run. A bound that was missed is marked; the exit code is 1 then.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Final

from bench.measure import OUT, QUICK, Plan, Row
from bench.report import as_json, machine, table

STAGES: Final = {
    "parse": "bench.parse:measure",
    "tail": "bench.tail:measure",
    "reduce": "bench.reduce:measure",
    "commit": "bench.commit:measure",
    "import": "bench.imports:measure",
    "query": "bench.query:measure",
    "concurrent": "bench.concurrent:measure",
    "latency": "bench.live:latency",
    "idle": "bench.live:idle",
    "memory": "bench.memory:measure",
    "file_events": "bench.file_events:measure",
    "twin": "bench.twin:measure",
    "rollups": "bench.rollups:measure",
    "trace": "bench.trace:measure",
    "alerts": "bench.alerts:measure",
    "backtest": "bench.backtest:measure",
    "objects": "bench.objects:measure",
    "ship": "bench.ship:measure",
    "push": "bench.push:measure",
    "syslog": "bench.syslog:measure",
    "postgres": "bench.postgres:measure",
    "otlp": "bench.otlp:measure",
    "bulk": "bench.bulk:measure",
    "cluster": "bench.cluster:measure",
    "explorer": "bench.explorer:measure",
}
"""Name of each stage, and the function that returns its rows."""


def here(stage: str, plan: Plan) -> list[Row]:
    """Measure one stage in this process."""
    module, _, function = STAGES[stage].partition(":")
    rows: list[Row] = getattr(import_module(module), function)(plan)
    return rows


def apart(stage: str, words: list[str]) -> list[Row]:
    """Measure one stage in a process of its own."""
    result = OUT / f"{stage}.json"
    done = subprocess.run([sys.executable, "-m", "bench", stage, "--json", str(result), "--here", *words], check=False)
    if done.returncode > 1:
        sys.exit(done.returncode)
    return [Row(**row) for row in json.loads(result.read_text())["rows"]]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("stages", nargs="*", metavar="STAGE", help=f"of {', '.join(STAGES)}; all if none is named")
    parser.add_argument("--quick", action="store_true", help="smaller inputs: about a minute")
    parser.add_argument("--rows", type=int, help="rows of the query stage (10 million)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the result there as well")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if unknown := set(given.stages) - set(STAGES):
        parser.error(f"there is no stage {', '.join(sorted(unknown))}; known: {', '.join(STAGES)}")
    plan = QUICK if given.quick else Plan()
    plan = replace(plan, rows=given.rows) if given.rows else plan
    about = machine()
    OUT.mkdir(exist_ok=True)
    rows: list[Row] = []
    words = [*(["--quick"] if given.quick else []), *(["--rows", str(given.rows)] if given.rows else [])]
    for stage in given.stages or STAGES:
        if not given.here:
            print(f"{stage} …", file=sys.stderr, flush=True)
        rows += here(stage, plan) if given.here else apart(stage, words)
    if given.json:
        given.json.write_text(as_json(rows, plan, about))
    if not given.here:
        print(", ".join(f"{name} {value}" for name, value in about.items()), table(rows), sep="\n\n")
    return int(any(row.verdict not in {"", "ok"} for row in rows))


if __name__ == "__main__":
    sys.exit(main())
