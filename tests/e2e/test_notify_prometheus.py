"""A real Prometheus scrapes us and sends us its alerts; and it makes of one rule file what we make of it."""

from __future__ import annotations

import json
import subprocess
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from alerts.notify.inboxes import WebInbox
from e2e.program import COMMAND, START_S, STOP_S, Up, free_address, until
from e2e.prometheus import PROMETHEUS, PROMTOOL

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(PROMETHEUS is None, reason="prometheus is not installed (scripts/peers)"),
]


@dataclass
class RulingPrometheus:
    """Scrapes `target` each second, evaluates `rules` as often, and sends its alerts there."""

    root: Path
    target: str
    rules: str
    address: str = field(default_factory=free_address)
    process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> RulingPrometheus:  # noqa: PYI034  nobody derives from it
        self.root.mkdir(parents=True, exist_ok=True)
        (self.root / "rules.yaml").write_text(self.rules)
        config = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s", "external_labels": {"from": "prometheus"}},
            "scrape_configs": [{"job_name": "tailrace", "static_configs": [{"targets": [self.target]}]}],
            "rule_files": [str(self.root / "rules.yaml")],
            "alerting": {"alertmanagers": [{"static_configs": [{"targets": [self.target]}]}]},
        }
        (self.root / "prometheus.yml").write_text(json.dumps(config))
        words = [str(PROMETHEUS), f"--config.file={self.root / 'prometheus.yml'}"]
        words += [f"--storage.tsdb.path={self.root / 'tsdb'}", f"--web.listen-address={self.address}"]
        words += ["--rules.alert.resend-delay=1s"]
        with (self.root / "prometheus.txt").open("wb") as output:
            self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        until(self._ready, START_S, "Prometheus")
        return self

    def _ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://{self.address}/-/ready", timeout=2):
                return True
        except OSError:
            return False

    def __exit__(self, *_: object) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(STOP_S)

    def alerts(self) -> list[dict[str, Any]]:
        """Return its alerts."""
        return alerts_at(f"http://{self.address}")


def alerts_at(url: str) -> list[dict[str, Any]]:
    """Return the alerts of a Prometheus, or of what speaks as one does."""
    with urllib.request.urlopen(f"{url}/api/v1/alerts", timeout=10) as response:
        answer = json.loads(response.read())
    assert answer["status"] == "success", answer
    found: list[dict[str, Any]] = answer["data"]["alerts"]
    return found


class Receiving(Up):
    """`tailrace up` with one log and one webhook."""

    @property
    def shop(self) -> Path:
        return self.data.parent / "shop.log"

    def configure(self, web: WebInbox, **alerts: object) -> None:
        route = {"receiver": "team", "group_by": ["alertname"], "group_wait": "0s", "group_interval": "200ms"}
        config = {
            "sources": [{"name": "shop", "paths": [str(self.shop)], "format": "plain"}],
            "alerts": {"route": route, "receivers": [{"name": "team", "webhook": web.url}], **alerts},
        }
        (self.data.parent / "tailrace.yaml").write_text(json.dumps(config))
        self.shop.touch()

    def start(self) -> None:
        file = self.data.parent / "tailrace.yaml"
        words = [*COMMAND, "up", "--data", str(self.data), "--listen", self.address, "--config", str(file)]
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=output, stderr=output)


@pytest.fixture
def web() -> Iterator[WebInbox]:
    with WebInbox() as opened:
        yield opened


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Receiving]:
    made = Receiving(tmp_path / "data", (), tmp_path / "up.log")
    yield made
    made.close()


def test_alerts_over_our_metrics_come_back_and_are_told(tmp_path: Path, up: Receiving, web: WebInbox) -> None:
    rules = """
groups:
- name: tailrace
  rules:
  - alert: OneLine
    expr: tailrace_stored_lines_total{source="shop"} == 1
    labels: {severity: info}
    annotations: {summary: "{{ $labels.source }} has {{ $value }} line"}
"""
    up.configure(web)
    up.start()
    up.ready()
    with RulingPrometheus(tmp_path / "prometheus", up.address, rules) as prometheus:
        with up.shop.open("a") as shop:
            shop.write("one\n")
        until(lambda: web.got, 15, "the webhook is told")
        [alert] = web.got[0].json["alerts"]
        assert alert["status"] == "firing"
        assert alert["labels"] == {
            "alertname": "OneLine", "from": "prometheus", "instance": up.address, "job": "tailrace",
            "severity": "info", "source": "shop",
        }  # fmt: skip
        assert alert["annotations"] == {"summary": "shop has 1 line"}
        assert "/graph?g0.expr=tailrace_stored_lines_total" in alert["generatorURL"]
        [theirs] = prometheus.alerts()
        assert alert["startsAt"][:19] == theirs["activeAt"][:19]
        with up.shop.open("a") as shop:
            shop.write("two\n")
        until(lambda: web.got[-1].json["status"] == "resolved", 15, "the webhook is told of the end")
    told = [(one["labels"]["alertname"], one["status"]) for posted in web.got for one in posted.json["alerts"]]
    assert told == [("OneLine", "firing"), ("OneLine", "resolved")]


BOTH = """
groups:
- name: both
  interval: 1s
  rules:
  - alert: Plain
    expr: vector(2) > 1
    labels: {severity: page, who: "team-{{ $value }}"}
    annotations: {summary: "{{ $labels.severity }} {{ $value }}"}
  - alert: Waits
    expr: vector(1) > 0
    for: 1h
    annotations: {summary: "{{ printf `%.2f` $value }}"}
  - alert: Never
    expr: vector(1) > 1
  - alert: Numbers
    expr: vector(1234567.891) > 0
    annotations:
      humanize: "{{ humanize $value }} {{ humanize1024 $value }} {{ humanizeDuration $value }}"
      percent: "{{ humanizePercentage 0.123456 }}"
      time: "{{ humanizeTimestamp $value }}"
  - alert: Texts
    expr: vector(0.1) + vector(0.2) < 1
    annotations:
      value: "{{ $value }} {{ .Value }} {{ $value | printf `%g` }}"
      upper: "{{ toUpper `a` }}{{ title `the end` }}{{ reReplaceAll `(.)b` `$1c` `abab` }}"
      branch: "{{ if gt $value 0.1 }}more{{ else }}less{{ end }}"
      loop: "{{ range $name, $value := $labels }}{{ $name }}={{ $value }} {{ end }}"
"""


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed (scripts/peers)")
def test_one_rule_file_is_read_and_means_the_same(tmp_path: Path, up: Receiving, web: WebInbox) -> None:
    file = tmp_path / "both.yaml"
    file.write_text(BOTH)
    checked = subprocess.run([str(PROMTOOL), "check", "rules", file], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    up.configure(web, rule_files=[str(file)])
    up.start()
    up.ready()
    with RulingPrometheus(tmp_path / "prometheus", free_address(), BOTH) as prometheus:
        until(lambda: len(prometheus.alerts()) == 4, 15, "its alerts")
        until(lambda: len(alerts_at(up.url)) == 4, 15, "ours")
        theirs, ours = ({_said(one) for one in found} for found in (prometheus.alerts(), alerts_at(up.url)))
    assert ours == theirs


def _said(alert: dict[str, Any]) -> str:
    """Return what both must agree on."""
    keys = ("labels", "annotations", "state", "value")
    return json.dumps({key: alert[key] for key in keys}, sort_keys=True, indent=1)
