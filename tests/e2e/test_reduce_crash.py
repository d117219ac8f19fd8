"""Following killed in the middle of a stream: dedupe, throttle, aggregation and metrics end as if nothing had been."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from e2e.program import COMMAND, STOP_S, answered, rows_of, tailrace, until
from tailrace.sources.tail import survey

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.e2e

S = 1_000_000_000
BASE = 1_790_000_000
LINES = 12_000

CONFIG = """
sources: []
spec:
  metrics:
    - {name: lines_total, type: counter, help: Lines., labels: {user: user}}
    - {name: took, type: histogram, help: Times., from: field(ms), buckets: [10, 100]}
  steps:
    - {id: few, type: throttle, rate_per_s: 20, burst: 40, key: [user], summary_s: 30, where: user != 'u0'}
    - {id: same, type: dedupe, key: [msg, user], window_s: 20, lateness_s: 2, where: user = 'u1'}
    - {id: sums, type: aggregate, window_s: 60, by: [user], where: user != 'u1', lateness_s: 5,
       fields: {n: count, total: sum(ms), most: max(ms), p: "quantile(ms, 0.9)"}}
"""


def record(number: int, chance: random.Random) -> str:
    """Return one line: a hundred a second, sometimes a little late."""
    time_ns = BASE * S + number * S // 100 - chance.choice([0, 0, 0, S // 2])
    user = f"u{chance.randrange(4)}"
    return json.dumps({"time": time_ns, "user": user, "ms": chance.randrange(200), "msg": f"m {number // 50 % 7}"})


def result(data: Path) -> tuple[list[tuple[Any, ...]], dict[str, Any]]:
    """Return what is in the table, and what was counted."""
    span = ("--since", "20000h", "--limit", 0, "--direction", "forward")
    rows = rows_of(answered("query", "--data", data, '{source=~".+"}', "--output", "jsonl", *span))
    marks = survey.position(data / "agents" / "collect")["reduce"]
    counted = {key: value for key, value in marks.items() if key.startswith("metrics//") and value is not None}
    for series in counted.values():
        for moment in ("c", "t"):  # which are of the clock on the wall
            series.pop(moment, None)
    return sorted((row["labels"]["source"], row["line"], sorted(row["fields"].items())) for row in rows), counted


def test_killed_in_the_middle_and_undisturbed_are_the_same(tmp_path: Path) -> None:
    seed = int(os.environ.get("TAILRACE_SEED") or random.SystemRandom().randrange(1 << 32))
    chance = random.Random(seed)
    config, log = tmp_path / "tailrace.yaml", tmp_path / "app.jsonl"
    config.write_text(CONFIG)
    log.touch()
    killed, quiet = tmp_path / "killed", tmp_path / "quiet"
    words = [*COMMAND, "collect", str(log), "--config", str(config), "--data", str(killed)]
    written = 0
    for turn in range(1, 4):
        with subprocess.Popen([*words, "--watch"]) as program:
            try:
                until(lambda: survey.agents(killed) or None, 60, "the agent began")
                upto = LINES * turn // 3
                with log.open("a") as file:
                    while written < upto:
                        file.writelines(record(written + n, chance) + "\n" for n in range(100))
                        file.flush()
                        written += 100
                        program.poll()
                size = log.stat().st_size * chance.uniform(0.3, 1)
                until(lambda: read(killed) > size, 60, "a part of it was read")  # noqa: B023  called here
            finally:
                program.send_signal(signal.SIGKILL if turn < 3 else signal.SIGTERM)
                program.wait(STOP_S)
    for data in (killed, quiet):  # the rest of what is held comes at the end of an import
        done = tailrace("collect", log, "--config", config, "--data", data)
        assert done.returncode == 0, done.stderr
    (killed_rows, killed_counts), (quiet_rows, quiet_counts) = result(killed), result(quiet)
    assert killed_counts == quiet_counts, f"seed {seed}"
    assert killed_rows == quiet_rows, f"seed {seed}"
    assert {"sums", "collect"} <= {source for source, _, _ in quiet_rows}
    assert sum(value["v"] for key, value in killed_counts.items() if "lines_total" in key) == LINES


def read(data: Path) -> int:
    """Return how far the log was read, as the checkpoint says."""
    folder = data / "agents" / "collect"
    if not folder.exists():
        return 0
    return max((row.offset for row in survey.files("collect", survey.position(folder))), default=0)
