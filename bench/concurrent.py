"""Concurrent: two hundred clients ask questions while a followed file grows by 50,000 lines a second.

Most ask for the newest hundred lines, as pages and consoles do; the others count, search and group over the last
minutes. A client waits a little between two questions, as people and dashboards do. Held: no failure, the newest
hundred lines within a second for 99 of 100, memory under the cap, and every line written is found in the end.
"""

from __future__ import annotations

import http.client
import json
import random
import shutil
import threading
import time
import urllib.parse
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from bench.generate import chunks
from bench.live import ask, fresh, running
from bench.measure import OUT, Plan, Row, cpu_seconds, status_mib, verdict

if TYPE_CHECKING:
    from pathlib import Path

CLIENTS: Final = 200
PAUSE_S: Final = 2.0
LINES_A_SECOND: Final = 50_000
WRITES_A_SECOND: Final = 10
LAST_S: Final = 1.0
CAP_MIB: Final = 2_048
ALL: Final = '{filename=~".+"}'
LAST: Final = "last 100"

QUESTIONS: Final = {
    LAST: ("/loki/api/v1/query_range", {"query": ALL, "limit": 100}),
    "last 100 errors": ("/loki/api/v1/query_range", {"query": f'{ALL} | level="error"', "limit": 100}),
    "lines a second by level": (
        "/loki/api/v1/query",
        {"query": f"sum by (detected_level) (rate({ALL}[1m]))"},
    ),
    "word": ("/loki/api/v1/query", {"query": f'sum(count_over_time({ALL} |= "deadlock" [1m]))'}),
    "streams": ("/loki/api/v1/series", {"match[]": ALL}),
}
"""What is asked, and how often it comes: the first in eight of ten, the others in turn."""


@dataclass(slots=True)
class Answers:
    """What the clients saw."""

    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    failures: list[str] = field(default_factory=list)


def measure(plan: Plan) -> list[Row]:
    folder = fresh(OUT / "concurrent")
    texts = [chunk.replace(b'"ts":', b'"at":') for chunk in chunks("json", 10 * LINES_A_SECOND, plan.seed)]
    answers, stop = Answers(), threading.Event()
    with running(folder) as (url, pid):
        before_s = cpu_seconds(pid)
        clients = [threading.Thread(target=_client, args=(url, number, answers, stop)) for number in range(CLIENTS)]
        for client in clients:
            client.start()
        written, behind_s = _write(folder / "app.log", b"".join(texts), plan.steady_s)
        stop.set()
        for client in clients:
            client.join()
        cpu_s, peak = cpu_seconds(pid) - before_s, status_mib(pid, "VmHWM")
        found = _found(url, written)
    shutil.rmtree(folder)
    last = _quantiles(answers.seconds[LAST])
    others = {what: _quantiles(seconds) for what, seconds in answers.seconds.items() if what != LAST}
    asked = sum(map(len, answers.seconds.values()))
    held = not answers.failures and found == written and last[1] <= LAST_S and peak <= CAP_MIB
    failed = f"; {len(answers.failures)} failed, as {answers.failures[0]}" if answers.failures else ""
    note = (
        f"p50 {last[0] * 1000:.0f} ms, p99 {last[1] * 1000:.0f} ms; {asked} answers in {plan.steady_s:g} s, others p99 "
        f"{max(p99 for _, p99 in others.values()):.1f} s; {found:,} of {written:,} lines found, "
        f"the writer {behind_s:.1f} s late"
    )
    return [
        Row(
            "concurrent",
            f"{LAST} of {CLIENTS} clients",
            last[1],
            written,
            None,
            cpu_s,
            peak,
            None,
            verdict(held),
            note + failed,
        )
    ]


def _client(url: str, number: int, answers: Answers, stop: threading.Event) -> None:
    """Ask until it is enough; half of a client's questions of one kind come at another time than the others'."""
    chance = random.Random(number)
    others = list(QUESTIONS)[1:]
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=60)
    stop.wait(chance.random() * PAUSE_S)
    turn = 0
    while not stop.is_set():
        what = LAST if chance.random() < 0.8 else others[(number + turn) % len(others)]
        turn += 1
        path, parameters = QUESTIONS[what]
        began = time.perf_counter()
        try:
            connection.request("GET", f"{path}?{urllib.parse.urlencode(parameters)}")
            response = connection.getresponse()
            body = response.read()
        except OSError as error:
            answers.failures.append(f"{what}: {error!r}")
            connection.close()
            continue
        answers.seconds[what].append(time.perf_counter() - began)
        if response.status != 200 or json.loads(body)["status"] != "success":
            answers.failures.append(f"{what}: {response.status} {body[:200]!r}")
        stop.wait(PAUSE_S * chance.random())


def _write(path: Path, text: bytes, seconds: float) -> tuple[int, float]:
    """Append lines at the pace, over and over the same; return how many, and how late the last ones were."""
    lines = text.splitlines(keepends=True)
    size = LINES_A_SECOND // WRITES_A_SECOND
    pieces = [b"".join(lines[at : at + size]) for at in range(0, len(lines), size)]
    began, late = time.monotonic(), 0.0
    turns = round(seconds * WRITES_A_SECOND)
    with path.open("ab", buffering=0) as file:
        for turn in range(turns):
            due = began + turn / WRITES_A_SECOND
            time.sleep(max(0.0, due - time.monotonic()))
            late = time.monotonic() - due
            file.write(pieces[turn % len(pieces)])
    return turns * size, late


def _found(url: str, written: int) -> int:
    deadline = time.monotonic() + 60
    while True:
        result = ask(url, "/loki/api/v1/query", query=f"sum(count_over_time({ALL}[1h]))")["result"]
        found = int(float(result[0]["value"][1])) if result else 0
        if found >= written or time.monotonic() > deadline:
            return found
        time.sleep(0.5)


def _quantiles(seconds: list[float]) -> tuple[float, float]:
    rising = sorted(seconds) or [float("inf")]
    return rising[len(rising) // 2], rising[min(len(rising) - 1, int(len(rising) * 0.99))]
