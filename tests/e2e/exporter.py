"""`tailrace export` as a test sees it: a process with an address."""

from __future__ import annotations

import subprocess
import urllib.request
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from prometheus_client.parser import text_string_to_metric_families

from e2e.program import COMMAND, START_S, STOP_S, free_address, until

if TYPE_CHECKING:
    from pathlib import Path


@dataclass
class Exporter:
    """Exports one log; started, killed and started again as often as a test likes."""

    log: Path
    data: Path
    arguments: tuple[str, ...] = ()
    address: str = field(default_factory=free_address)
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        port = self.address.rpartition(":")[2]
        words = [*COMMAND, "export", "-p", str(self.log), "-x", port, "-s", "0.2", "--data", str(self.data)]
        self.data.mkdir(parents=True, exist_ok=True)
        with (self.data / "exporter.txt").open("ab") as output:
            self.process = subprocess.Popen(
                [*words, *self.arguments], stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
        until(self._ready, START_S, "the exporter")

    def _ready(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, (self.data / "exporter.txt").read_text()
        try:
            return self.get("/ready") == "ready\n"
        except OSError:
            return False

    def get(self, path: str, accept: str = "") -> str:
        """Return a page."""
        request = urllib.request.Request(f"http://{self.address}{path}", headers={"Accept": accept} if accept else {})
        with urllib.request.urlopen(request, timeout=10) as response:
            return str(response.read().decode())

    def values(self) -> dict[str, dict[str, float]]:
        """Return the values of `/metrics` by name and by labels, `name="value"` joined by commas."""
        found: dict[str, dict[str, float]] = {}
        for family in text_string_to_metric_families(self.get("/metrics")):
            for sample in family.samples:
                text = ",".join(f'{name}="{sample.labels[name]}"' for name in sorted(sample.labels))
                found.setdefault(sample.name, {})[text] = sample.value
        return found

    def kill(self) -> None:
        """Stop it as a power cut would."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(STOP_S)
        self.process = None

    def terminate(self) -> int:
        """Ask it to stop; return its exit code."""
        assert self.process is not None
        self.process.terminate()
        code = self.process.wait(STOP_S)
        self.process = None
        return code

    def close(self) -> None:
        """Stop it if it still runs."""
        if self.process is not None:
            self.kill()
