"""A real Prometheus that scrapes one exporter each second, and answers queries."""

from __future__ import annotations

import json
import shutil
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from e2e.program import START_S, STOP_S, free_address, until

if TYPE_CHECKING:
    from pathlib import Path

PROMETHEUS = shutil.which("prometheus")
PROMTOOL = shutil.which("promtool")


@dataclass
class Prometheus:
    """Scrapes `target` from the start on."""

    root: Path
    target: str
    address: str = ""
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it is ready."""
        self.address = free_address()
        self.root.mkdir(parents=True, exist_ok=True)
        config = self.root / "prometheus.yml"
        config.write_text(
            "global: {scrape_interval: 1s, scrape_timeout: 1s}\n"
            f"scrape_configs:\n- job_name: log\n  static_configs: [{{targets: ['{self.target}']}}]\n"
        )
        words = [str(PROMETHEUS), f"--config.file={config}", f"--storage.tsdb.path={self.root / 'tsdb'}"]
        words += [f"--web.listen-address={self.address}", "--enable-feature=native-histograms"]
        with (self.root / "prometheus.txt").open("wb") as output:
            self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        until(self._ready, START_S, "Prometheus")

    def _ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://{self.address}/-/ready", timeout=2):
                return True
        except OSError:
            return False

    def close(self) -> None:
        """Stop it."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(STOP_S)

    def ask(self, query: str) -> dict[str, Any]:
        """Return the values of an instant query by the labels that matter, as `name="value"` joined by commas."""
        words = urllib.parse.urlencode({"query": query})
        with urllib.request.urlopen(f"http://{self.address}/api/v1/query?{words}", timeout=10) as response:
            answer = json.loads(response.read())
        assert answer["status"] == "success", answer
        values = {}
        for series in answer["data"]["result"]:
            labels = {k: v for k, v in series["metric"].items() if k not in {"__name__", "job", "instance"}}
            text = ",".join(f'{name}="{labels[name]}"' for name in sorted(labels))
            values[text] = float(series["value"][1]) if "value" in series else series["histogram"][1]
        return values
