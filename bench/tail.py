"""Tail: reading and parsing to a null sink, following a steady stream, many quiet files, new files, a start.

The rates are per CPU second of the whole process, all threads; so a machine with more cores reads faster than they
say. A steady stream is followed by an agent, which has no table and no page, and by a real `tailrace up`; the quiet and
the new files by the latter.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bench.inputs import generated
from bench.live import running
from bench.measure import MB, OUT, Plan, Row, cpu_seconds, environment, status_mib, verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from contextlib import AbstractContextManager

CRI_LINES: Final = 200_000
"""Container lines with JSON in them, per CPU second."""

ACCESS_MB: Final = 100
"""Megabytes of access logs per CPU second."""

STEADY_LINES: Final = 10_000
STEADY_SHARE: Final = 0.15
STEADY_MIB: Final = 110
QUIET_SHARE: Final = 0.02
SEEN_S: Final = 0.25
START_S: Final = 2.0
LATEST_S: Final = 15.0
BYTES: Final = {"cri": 255, "access": 191}  # of a line


def measure(plan: Plan) -> list[Row]:
    return [*_rates(plan), *_steady(plan), *_quiet(plan), _start(plan)]


def _null_sink(*words: object) -> dict[str, Any]:  # JSON
    done = subprocess.run(_null(words), capture_output=True, text=True, check=False, env=environment())
    if done.returncode:
        sys.exit(done.stderr[-4000:])
    return dict(json.loads(done.stdout.splitlines()[-1]))


@contextmanager
def _following(folder: Path) -> Iterator[tuple[str, int]]:
    """Follow a folder into nothing; give the process id, as `running` does."""
    with subprocess.Popen(_null((folder, "--follow")), stdout=subprocess.DEVNULL, env=environment()) as process:
        try:
            yield "", process.pid
        finally:
            process.terminate()
            process.wait(30)


def _null(words: Iterable[object]) -> list[str]:
    return [sys.executable, "-m", "bench.null_sink", *map(str, words)]


def _rates(plan: Plan) -> list[Row]:
    rows = []
    for kind, size in BYTES.items():
        path = generated(kind, plan.tail_bytes // size, plan.seed)
        runs = [_null_sink(path) for _ in range(plan.repeat)]
        best = min(runs, key=lambda run: float(run["cpu_s"]))
        lines, megabytes = best["lines"] / best["cpu_s"], best["bytes"] / best["cpu_s"] / MB
        held = lines >= CRI_LINES if kind == "cri" else megabytes >= ACCESS_MB
        note = f"per CPU second {lines:,.0f} lines, {megabytes:.0f} MB; fastest of {len(runs)}"
        rows.append(_row(f"{kind} to a null sink", best, verdict(held), note))
    return rows


def _row(what: str, took: dict[str, Any], held: str, note: str) -> Row:
    numbers = (took["seconds"], took["lines"], took["bytes"], took["cpu_s"], took["peak_mib"])
    return Row("tail", what, *numbers, verdict=held, note=note)


def _steady(plan: Plan) -> list[Row]:
    """Follow ten container logs that get 1,000 lines a second each: an agent, then a whole `up`."""
    share, now_mib, peak_mib = _followed(plan, _following)
    held = verdict(share <= STEADY_SHARE and now_mib <= STEADY_MIB)
    what = f"{STEADY_LINES:,} lines/s followed"
    rows = [_steady_row(plan, f"{what} to a null sink", share, now_mib, peak_mib, held)]
    rows.append(_steady_row(plan, f"{what} by `up`, with table and page", *_followed(plan, running), ""))
    return rows


def _steady_row(plan: Plan, what: str, share: float, now_mib: float, peak_mib: float, held: str) -> Row:
    note = f"{share:.3f} of a core, {now_mib:.0f} MiB resident"
    return Row("tail", what, cpu_s=share * plan.steady_s, peak_mib=peak_mib, verdict=held, note=note)


def _followed(
    plan: Plan, follower: Callable[[Path], AbstractContextManager[tuple[str, int]]]
) -> tuple[float, float, float]:
    """Return the share of a core that following takes, and the memory: now, and at its highest."""
    folder = _fresh(OUT / "steady")
    lines = generated("cri", plan.import_rows, plan.seed).read_bytes()[: 64 * MB].splitlines(keepends=True)
    files = [(folder / f"app-{number}.log").open("ab", buffering=0) for number in range(10)]
    stop = threading.Event()

    def write() -> None:
        began, written = time.monotonic(), 0
        while not stop.wait(0.02):
            due = max(0, round((time.monotonic() - began) * STEADY_LINES) - written)
            for number, file in enumerate(files):
                at = written % (len(lines) - STEADY_LINES)
                share = due * (number + 1) // len(files) - due * number // len(files)
                file.write(b"".join(lines[at : at + share]))
                written += share

    with follower(folder) as (_, pid):
        writer = threading.Thread(target=write)
        writer.start()
        time.sleep(max(4.0, plan.steady_s / 3))
        before = cpu_seconds(pid)
        time.sleep(plan.steady_s)
        share = (cpu_seconds(pid) - before) / plan.steady_s
        now_mib, peak_mib = status_mib(pid, "VmRSS"), status_mib(pid, "VmHWM")
        stop.set()
        writer.join()
    for file in files:
        file.close()
    shutil.rmtree(folder)
    return share, now_mib, peak_mib


def _quiet(plan: Plan) -> list[Row]:
    """Follow files that nobody writes to, then add some."""
    folder = _fresh(OUT / "quiet")
    for number in range(plan.quiet_files):
        (folder / f"app-{number:05d}.log").write_text(f"line of file {number}\n")
    with running(folder) as (url, pid):
        time.sleep(15 if plan.quiet_files > 2_000 else 5)
        before = cpu_seconds(pid)
        time.sleep(plan.idle_s)
        share = (cpu_seconds(pid) - before) / plan.idle_s
        now_mib = status_mib(pid, "VmRSS")
        waits = sorted(_seen_after_s(folder / f"new-{number}.log", pid) for number in range(plan.new_files))
        assert url
    shutil.rmtree(folder)
    p99 = waits[min(len(waits) - 1, int(len(waits) * 0.99))]
    note = f"{share:.2%} of a core, {now_mib:.0f} MiB resident, over {plan.idle_s:g} s"
    what = f"{plan.quiet_files:,} quiet files followed"
    row = Row("tail", what, cpu_s=share * plan.idle_s, verdict=verdict(share <= QUIET_SHARE), note=note)
    note = f"p50 {waits[len(waits) // 2]:.3f} s, p99 {p99:.3f} s over {len(waits)} files, beside the quiet ones"
    return [
        row,
        Row("tail", "new file to its being open", waits[len(waits) // 2], verdict=verdict(p99 <= SEEN_S), note=note),
    ]


def _seen_after_s(path: Path, pid: int) -> float:
    """Write a file and return after what time the process has it open."""
    path.write_text("a line of a new file\n")
    began = time.monotonic()
    while time.monotonic() - began < LATEST_S and not _is_open(path.resolve(), pid):
        time.sleep(0.005)
    return time.monotonic() - began


def _is_open(path: Path, pid: int) -> bool:
    for handle in Path(f"/proc/{pid}/fd").iterdir():
        try:
            if handle.readlink() == path:
                return True
        except OSError:  # it was closed meanwhile
            continue
    return False


def _start(plan: Plan) -> Row:
    folder = _fresh(OUT / "known")
    for number in range(plan.known_files):
        below = folder / f"{number // 1_000:03d}"
        if number % 1_000 == 0:
            below.mkdir()
        (below / f"app-{number:06d}.log").write_text(f"line of file {number}\n")
    took = _null_sink(folder, "--known", plan.known_files)
    shutil.rmtree(folder)
    note = f"{took['seconds']:.2f} s from the checkpoint to the end of the first look"
    took |= {"lines": None, "bytes": None}
    return _row(f"start with {plan.known_files:,} known files", took, verdict(took["seconds"] <= START_S), note)


def _fresh(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
