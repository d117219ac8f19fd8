"""The tutorial works as written: its commands are run in order, and what they print is what the page shows.

Only these are replaced: `make run` by the program that it starts, the port by a free one, the folder by a temporary
one. Times, and what stands for `…`, may be anything; all else that is shown must be printed.
"""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from docs.pages import ROOT, fences, steps

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

TUTORIAL = ROOT / "docs/tutorial/first-minutes.md"
VARYING = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z|…")
PATIENCE_S = 30.0


class Reader:
    """What a newcomer does: types commands, leaves some running, and reads what they print."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.port = _free_port()
        self.running: list[tuple[subprocess.Popen[bytes], Path]] = []
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("TAILRACE_")},
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        }

    def types(self, command: str, shown: tuple[str, ...], *, varies: bool) -> None:
        if command.startswith("make run"):
            self._leaves_running(_program(command, self.port), "following ")
            self._reads(shown)
        elif command.startswith("tailrace tail"):
            self._leaves_running(f"exec {self._here(command)}", None)
            self.expected = shown
        else:
            command, _, note = self._here(command).partition("  # exit code ")
            done = self._runs(command)
            assert done.returncode == int(note or 0), done.stderr
            missing = [] if varies else _missing(shown, done.stdout + done.stderr)
            assert missing == [], done.stdout + done.stderr

    def reads_the_tail(self) -> None:
        self._reads(self.expected)
        tail, _ = self.running.pop()
        tail.send_signal(signal.SIGINT)
        assert tail.wait(PATIENCE_S) == 130

    def waits_for_lines(self, count: int) -> None:
        """Wait until the program has stored what was written, as a person does without noticing."""
        ask = "tailrace query '{service_name=\"app\"}' --data shop-data --limit 0 --output raw | wc -l"

        def stored() -> bool:
            return int(self._runs(ask).stdout or 0) >= count

        _until(stored, f"{count} lines are not there")

    def leaves(self) -> None:
        for process, _ in self.running:
            if process.poll() is None:
                process.kill()
            process.wait(PATIENCE_S)

    def _here(self, command: str) -> str:
        return command.replace("127.0.0.1:9080", f"127.0.0.1:{self.port}")

    def _runs(self, command: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            ["bash", "-c", command],
            check=False,
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
        )

    def _leaves_running(self, command: str, sign: str | None) -> None:
        output = self.folder / f"{len(self.running)}-{time.monotonic_ns()}.out"
        with output.open("wb") as out:
            process = subprocess.Popen(
                ["bash", "-c", command], cwd=self.folder, env=self.environment, stdout=out, stderr=subprocess.STDOUT
            )
        self.running.append((process, output))
        if sign is not None:
            _until(lambda: sign in output.read_text(), f"{command} does not start")
        else:
            _until(self._is_heard, f"{command} does not connect")

    def _is_heard(self) -> bool:
        """Tell whether the server serves a live tail; what is written before is none of its business."""
        from urllib.request import urlopen

        with urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=PATIENCE_S) as answer:
            return b"tailrace_live_tails 1" in answer.read()

    def _reads(self, shown: tuple[str, ...]) -> None:
        output = self.running[-1][1]
        wanted = tuple(self._here(line) for line in shown)
        _until(lambda: _missing(wanted, output.read_text()) == [], f"{wanted} is not in {output.read_text()}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _program(command: str, port: int) -> str:
    """Return what `make run DATA=… ARGS=…` starts."""
    given = dict(pair.split("=", 1) for pair in command.split()[2:])
    return f"exec tailrace up --data {given['DATA']} --listen 127.0.0.1:{port} {given['ARGS']}"


def _missing(shown: tuple[str, ...], printed: str) -> list[str]:
    """Return the shown lines that were not printed; times and `…` stand for anything of one line."""
    patterns = {line: ".*".join(map(re.escape, VARYING.split(line))) for line in shown if line.strip()}
    return [line for line, pattern in patterns.items() if not re.search(f"^{pattern}$", printed, re.MULTILINE)]


def _until(condition, what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.1)


@pytest.fixture
def reader(tmp_path):
    reader = Reader(tmp_path)
    yield reader
    reader.leaves()


def test_every_step_of_the_tutorial_works_as_shown(reader):
    for fence in fences(TUTORIAL):
        if fence.kind == "python":
            (reader.folder / "shop.py").write_text(fence.body)
        if fence.kind != "console" or fence.note.startswith("not run"):
            continue
        for step in steps(fence):
            reader.types(step.command, step.shown, varies=fence.note.startswith("values vary"))
            if step.command.startswith("python3 shop.py 601"):
                reader.reads_the_tail()
            if step.command.startswith("make run"):
                reader.waits_for_lines((reader.folder / "shop/app.log").read_bytes().count(b"\n"))


def test_what_is_shown_but_not_printed_is_found():
    printed = "2026-01-02T03:04:05.678Z error order 600\n"
    assert _missing(("2025-05-05T05:05:05.555Z error order 600",), printed) == []
    assert _missing(("2025-05-05T05:05:05.555Z error order 60",), printed) == [
        "2025-05-05T05:05:05.555Z error order 60"
    ]
    assert _missing(("… order 600",), printed) == []
