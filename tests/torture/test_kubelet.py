"""T18, T19: a container logs faster and faster while the kubelet rotates 10 MiB x 5 files, and nothing is lost.

The kubelet looks every 2 s, five times as often as the real one, so a byte lives a fifth as long. In the part at
10 MB/s the agent is stopped (SIGSTOP) for 5 s: for several rotations, so that what it finds then is compressed.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from e2e.program import until

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
LONG = int(os.environ.get("TAILRACE_TORTURE", "1")) > 1
RATES = "1,10,50,100,150,200" if LONG else "10,50,100"
SECONDS = 20.0 if LONG else 6.0
STOP_AT_S, STOP_S = (21.0, 15.0) if LONG else (0.7, 5.0)
CATCH_UP_S = 120.0


class Reader:
    """The counting agent as a process."""

    def __init__(self, folder: Path) -> None:
        self._said = folder / "reader.txt"
        words = [sys.executable, str(HERE / "reader.py"), str(folder / "logs"), str(folder / "state")]
        with self._said.open("wb") as output:
            self.process = subprocess.Popen(words, stdout=output, stderr=output, env=_environment())
        until((folder / "state" / "checkpoint.log").exists, 60, "the reader has started")

    def said(self) -> list[dict[str, Any]]:
        lines = self._said.read_text().splitlines()
        assert all(line.startswith("{") for line in lines), "\n".join(lines[-40:])
        return [json.loads(line) for line in lines]

    def rows(self) -> int:
        return max((line["rows"] for line in self.said() if "rows" in line), default=0)

    def end(self) -> dict[str, Any]:
        self.process.terminate()
        assert self.process.wait(60) == 0, self._said.read_text()[-4000:]
        return self.said()[-1]


def _environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": os.pathsep.join([str(HERE.parent), os.environ.get("PYTHONPATH", "")])}


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    (tmp_path / "logs").mkdir()
    made = Reader(tmp_path)
    yield made
    if made.process.poll() is None:
        made.process.kill()
        made.process.wait(30)


def _lost(runs: list[list[int]], steps: list[dict[str, Any]]) -> list[str]:
    """Say which lines of which step never came, or came again or late."""
    wrong, expected = [], 0
    for first, last in runs:
        if first != expected:
            step = next((s for s in steps if first < s["end"]), steps[-1])
            what = f"{first - expected} lines lost" if first > expected else f"{expected - first} lines again or late"
            wrong.append(f"{what} before line {first}, at {step['rate']:g} MB/s")
        expected = last + 1
    if expected != steps[-1]["end"]:
        wrong.append(f"{steps[-1]['end'] - expected} lines lost at the end")
    return wrong


@pytest.mark.e2e
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_rising_rate_through_the_rotation_of_the_kubelet_loses_nothing(tmp_path: Path, reader: Reader) -> None:
    words = [sys.executable, str(HERE / "kubelet.py"), str(tmp_path / "logs"), "--rates", RATES]
    with subprocess.Popen([*words, "--seconds", str(SECONDS)], stdout=subprocess.PIPE, text=True) as kubelet:
        time.sleep(STOP_AT_S)  # the moment is part of the scenario
        reader.process.send_signal(signal.SIGSTOP)
        time.sleep(STOP_S)
        reader.process.send_signal(signal.SIGCONT)
        output, _ = kubelet.communicate()
    report = json.loads(output.splitlines()[-1])
    total = int(report["steps"][-1]["end"])
    try:
        until(lambda: reader.rows() >= total, CATCH_UP_S, f"{total} lines are read", every_s=0.5)
    finally:
        found = reader.end()
    assert not (wrong := _lost(found["runs"], report["steps"])), "\n".join([*wrong, output, str(found["counters"])])
    assert found["closed"]
    assert found["lines"]["read"] == found["lines"]["stored"] == total
    assert found["counters"]["possibly_lost_bytes"] == 0
    assert report["rotations"] >= 5
    slow = [step for step in report["steps"] if step["wrote_mb_s"] < 0.8 * step["rate"]]
    if slow:
        pytest.skip(f"nothing was lost, but this machine wrote no faster than {slow[0]['wrote_mb_s']:.0f} MB/s")
