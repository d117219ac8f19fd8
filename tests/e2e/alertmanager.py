"""A real Alertmanager that tells one webhook, groups and waits as briefly as it can."""

from __future__ import annotations

import json
import shutil
import subprocess
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from e2e.program import START_S, STOP_S, free_address, until

if TYPE_CHECKING:
    from pathlib import Path

ALERTMANAGER = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")

_CONFIG = """
route: {{receiver: web, group_by: [alertname], group_wait: 300ms, group_interval: 300ms, repeat_interval: 1h}}
receivers: [{{name: web, webhook_configs: [{{url: '{url}', send_resolved: true}}]}}]
"""


@dataclass
class Alertmanager:
    """Tells `tells`, the address of a webhook; may be started and stopped as often as a test likes."""

    root: Path
    tells: str
    address: str = ""
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://{self.address}"

    def start(self) -> Alertmanager:
        """Start it, at the same address whenever it is done, and wait until it is ready."""
        self.address = self.address or free_address()
        self.root.mkdir(parents=True, exist_ok=True)
        config = self.root / "alertmanager.yml"
        config.write_text(_CONFIG.format(url=self.tells))
        words = [str(ALERTMANAGER), f"--config.file={config}", f"--storage.path={self.root / 'data'}"]
        words += [f"--web.listen-address={self.address}", "--cluster.listen-address="]
        with (self.root / "alertmanager.txt").open("ab") as output:
            self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        until(self._ready, START_S, "Alertmanager")
        return self

    def _ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready", timeout=2):
                return True
        except OSError:
            return False

    def close(self) -> None:
        """Stop it."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(STOP_S)
            self.process = None

    def __enter__(self) -> Alertmanager:  # noqa: PYI034  nobody derives from it
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    def alerts(self) -> dict[str, dict[str, Any]]:
        """Return the alerts that it has now, by their label `host`."""
        with urllib.request.urlopen(f"{self.url}/api/v2/alerts", timeout=10) as response:
            return {alert["labels"]["host"]: alert for alert in json.loads(response.read())}
