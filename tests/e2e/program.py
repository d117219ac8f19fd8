"""The real program as a test sees it: a process with a data folder, an address, answers and an end.

Every wait has a condition and a bound. Only processes that were started here are ever stopped, by their own id.
"""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

COMMAND = (sys.executable, "-m", "tailrace")
START_S = 60.0
"""Bound of a start: importing Polars on a machine that is busy with the rest of the tests."""

STOP_S = 30.0
"""Bound of an orderly stop; what is expected is far less and asserted where it matters."""

_SAMPLE = re.compile(
    r'^(tailrace_(?:read|stored|reduced|rejected|pending)_(?:lines|bytes))(?:_total)?\{source="(.*)"\} (\S+)'
)


def until(condition: Callable[[], object], timeout_s: float, what: str, every_s: float = 0.05) -> Any:
    """Return the first true value of the condition; fail when the time is over."""
    deadline = time.monotonic() + timeout_s
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout_s:g} s: {what}")
        time.sleep(every_s)
    return value


def free_address() -> str:
    """Return a loopback address with a port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


def tailrace(*arguments: object, timeout_s: float = 120.0) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    words = [*COMMAND, *map(str, arguments)]
    return subprocess.run(words, capture_output=True, text=True, timeout=timeout_s, check=False)


def answered(*arguments: object, timeout_s: float = 120.0) -> str:
    """Run a command that has to succeed and return what it prints."""
    done = tailrace(*arguments, timeout_s=timeout_s)
    assert done.returncode == 0, f"{arguments} -> {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    return done.stdout


def rows_of(jsonl: str) -> list[dict[str, Any]]:
    """Return the objects of `query --output jsonl`."""
    return [json.loads(line) for line in jsonl.splitlines()]


@dataclass
class Up:
    """`tailrace up` over a folder, started and stopped as often as a test likes."""

    data: Path
    paths: tuple[Path, ...]
    log: Path
    address: str = field(default_factory=free_address)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://{self.address}"

    def start(self) -> None:
        """Start it; returns at once."""
        assert self.process is None, "it is running"
        words = [*COMMAND, "up", "--data", str(self.data), "--listen", self.address, *map(str, self.paths)]
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=output, stderr=output)

    def ready(self) -> None:
        """Wait until it answers that it is ready."""
        until(self._is_ready, START_S, "ready")

    def _is_ready(self) -> bool:
        assert self.process is not None
        code = self.process.poll()
        assert code is None, f"it ended with {code}:\n{self.said()[-4000:]}"
        try:
            return self.get("/ready", timeout_s=2)[0] == 200
        except OSError:  # nobody listens yet, or it is too busy to answer
            return False

    def said(self) -> str:
        """Return everything that it has printed, over all its lives."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def kill(self) -> None:
        """Stop it as a power cut would, at whatever it is doing."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(STOP_S)
        self.process = None

    def terminate(self) -> tuple[int, float]:
        """Ask it to stop; return its exit code and the seconds that it took. Its last account is closed."""
        assert self.process is not None
        self.account()
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(STOP_S)
        self.process = None
        return code, time.monotonic() - began

    def close(self) -> None:
        """Stop it if it still runs."""
        if self.process is not None:
            self.kill()

    def get(self, path: str, timeout_s: float = 30.0, **parameters: object) -> tuple[int, str]:
        """Return the status and the body of a page."""
        query = f"?{urllib.parse.urlencode(parameters)}" if parameters else ""
        try:
            with urllib.request.urlopen(self.url + path + query, timeout=timeout_s) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code, refused.read().decode()

    def ask(self, query: str, **parameters: object) -> dict[str, Any]:
        """Return `data` of an instant query."""
        return self._data("/loki/api/v1/query", query=query, **parameters)

    def ask_range(self, query: str, **parameters: object) -> dict[str, Any]:
        """Return `data` of a range query."""
        return self._data("/loki/api/v1/query_range", query=query, **parameters)

    def _data(self, path: str, **parameters: object) -> dict[str, Any]:
        status, body = self.get(path, **parameters)
        assert status == 200, f"{path} {parameters} -> {status}: {body[:2000]}"
        answer = json.loads(body)
        assert answer["status"] == "success", answer
        return dict(answer["data"])

    def count(self, selector: str, within: str = "2h") -> int:
        """Return the number of lines of the last hours that a selector finds now."""
        result = self.ask(f"sum(count_over_time({selector}[{within}]))")["result"]
        return int(float(result[0]["value"][1])) if result else 0

    def account(self) -> dict[str, dict[str, float]]:
        """Return the account of each source, `read_lines`, `pending_bytes` and so on, after checking that it is closed."""
        status, body = self.get("/metrics")
        assert status == 200
        accounts: dict[str, dict[str, float]] = {}
        for line in body.splitlines():
            if sample := _SAMPLE.match(line):
                metric, source, value = sample.groups()
                accounts.setdefault(source, {})[metric.removeprefix("tailrace_")] = float(value)
        for source, account in accounts.items():
            for unit in ("lines", "bytes"):
                outcomes = [account[f"{state}_{unit}"] for state in ("stored", "reduced", "rejected", "pending")]
                assert account[f"read_{unit}"] == sum(outcomes), f"{source}: the account of {unit} is open: {account}"
                assert min(outcomes) >= 0, f"{source}: negative {unit}: {account}"
        return accounts
