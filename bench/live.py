"""Live: how soon a written line is found, and what following many quiet files costs; both of a real `tailrace up`."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from bench.measure import OUT, Plan, Row, cpu_seconds, environment, status_mib, verdict

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SEARCHABLE_S: Final = 1.5
IDLE_SHARE: Final = 0.02
IDLE_MIB: Final = 200
LINES_A_SECOND: Final = 20
START_S: Final = 60


@contextmanager
def running(folder: Path, kept: Path | None = None, config: Path | None = None) -> Iterator[tuple[str, int]]:
    """Run `up` over a folder, with a new data folder or one to keep; give its URL and process id once it is ready.

    With `config` it reads what that says instead of the folder.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    data = kept or folder.with_name(folder.name + "-data")
    if not kept:
        shutil.rmtree(data, ignore_errors=True)
    words = [sys.executable, "-m", "tailrace", "up", "--data", str(data), "--listen", address]
    words += ["--config", str(config)] if config else [str(folder)]
    log = folder.with_name(folder.name + ".txt")
    with log.open("wb") as output, subprocess.Popen(words, stdout=output, stderr=output, env=environment()) as process:
        try:
            deadline = time.monotonic() + START_S
            while not _is_ready(f"http://{address}"):
                if process.poll() is not None or time.monotonic() > deadline:
                    sys.exit(f"{' '.join(words)} did not get ready:\n{log.read_text()[-4000:]}")
                time.sleep(0.05)
            yield f"http://{address}", process.pid
        finally:
            process.terminate()
            process.wait(30)
    if not kept:
        shutil.rmtree(data)
    log.unlink()


def _is_ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/ready", timeout=2) as response:
            return bool(response.status == 200)
    except OSError:
        return False


def ask(url: str, path: str, **parameters: object) -> dict[str, Any]:  # JSON
    """Return `data` of an answer of the Loki API."""
    with urllib.request.urlopen(f"{url}{path}?{urllib.parse.urlencode(parameters)}", timeout=30) as response:
        return dict(json.load(response)["data"])


def latency(plan: Plan) -> list[Row]:
    """Write numbered lines at a steady pace, look for them all the time, and note when each is first found."""
    folder = fresh(OUT / "latency")
    written_s: list[float] = []

    def write() -> None:
        with (folder / "app.log").open("ab", buffering=0) as file:
            for number in range(plan.latency_lines):
                file.write(b'{"level":"info","message":"line %d"}\n' % number)
                written_s.append(time.monotonic())
                time.sleep(1 / LINES_A_SECOND)

    found_s: dict[int, float] = {}
    with running(folder) as (url, _):
        began_ns = time.time_ns()
        writer = threading.Thread(target=write)
        writer.start()
        deadline = time.monotonic() + plan.latency_lines / LINES_A_SECOND + 30
        while len(found_s) < plan.latency_lines and time.monotonic() < deadline:
            newest = ask(
                url, "/loki/api/v1/query_range", query='{filename=~".+"}', start=began_ns, limit=LINES_A_SECOND * 10
            )
            now_s = time.monotonic()
            for stream in newest["result"]:
                for entry in stream["values"]:
                    found_s.setdefault(int(entry[1].removeprefix("line ")), now_s)
            time.sleep(0.02)
        writer.join()
    shutil.rmtree(folder)
    waits = sorted(found_s[number] - written_s[number] for number in found_s)
    assert len(waits) == plan.latency_lines, f"{plan.latency_lines - len(waits)} lines were not found"
    p50, p99 = (waits[min(len(waits) - 1, int(len(waits) * share))] for share in (0.5, 0.99))
    note = f"p50 {p50:.2f} s, p99 {p99:.2f} s, slowest {waits[-1]:.2f} s over {len(waits)} lines"
    return [Row("latency", "line written to line found", p50, verdict=verdict(p99 <= SEARCHABLE_S), note=note)]


def idle(plan: Plan) -> list[Row]:
    """Follow files that nobody writes to, after they were read."""
    folder = fresh(OUT / "idle")
    lines = 10
    for number in range(plan.idle_files):
        text = "".join(f"line {line} of file {number}\n" for line in range(lines))
        (folder / f"app-{number:04d}.log").write_text(text)
    with running(folder) as (url, pid):
        total, deadline = plan.idle_files * lines, time.monotonic() + 60
        query = 'sum(count_over_time({filename=~".+"}[1h]))'
        while True:
            result = ask(url, "/loki/api/v1/query", query=query)["result"]
            if result and int(float(result[0]["value"][1])) == total:
                break
            assert time.monotonic() < deadline, f"{result} of {total} lines after 60 s"
            time.sleep(0.2)
        time.sleep(3)  # what follows a first reading, such as a compaction, is not idleness
        before = cpu_seconds(pid)
        time.sleep(plan.idle_s)
        share = (cpu_seconds(pid) - before) / plan.idle_s
        now_mib, peak_mib = status_mib(pid, "VmRSS"), status_mib(pid, "VmHWM")
    shutil.rmtree(folder)
    note = f"{share:.2%} of a core, {now_mib:.0f} MiB resident, over {plan.idle_s:g} s"
    held = share < IDLE_SHARE and now_mib < IDLE_MIB
    what = f"{plan.idle_files:,} quiet files followed"
    return [Row("idle", what, cpu_s=share * plan.idle_s, peak_mib=peak_mib, verdict=verdict(held), note=note)]


def fresh(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
