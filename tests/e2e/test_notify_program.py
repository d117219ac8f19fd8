"""The program as a whole: lines become alerts, which reach a webhook, a mail server and a real Alertmanager."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from alerts.notify.inboxes import MailInbox, WebInbox
from e2e.alertmanager import ALERTMANAGER, Alertmanager
from e2e.program import COMMAND, Up, answered, until

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.e2e

_RULES = """
groups:
- name: shop
  interval: 1s
  rules:
  - alert: CartErrors
    expr: sum by (cart) (count_over_time({source="shop"} |= "error" | logfmt | cart != "" [2s])) > 0
    labels: {severity: page}
    annotations: {summary: "{{ $labels.cart }} has {{ $value }} errors"}
"""


class Alerting(Up):
    """`tailrace up` with one log, one rule file and receivers."""

    def configure(self, web: WebInbox, mail: MailInbox, alertmanager: str) -> None:
        folder = self.data.parent
        (folder / "rules.yaml").write_text(_RULES)
        (folder / "hook-url").write_text(f"{web.url}/S3CRET-PATH")
        config = {
            "sources": [{"name": "shop", "paths": [str(self.shop)], "format": "plain", "labels": {"app": "shop"}}],
            "alerts": {
                "rule_files": [str(folder / "rules.yaml")],
                "route": {"receiver": "team", "group_by": ["..."], "group_wait": "0s", "group_interval": "200ms"},
                "receivers": [
                    {
                        "name": "team",
                        "webhook": {"url_file": str(folder / "hook-url"), "bearer_token": "S3CRET-TOKEN"},
                        "email": {
                            "smarthost": f"127.0.0.1:{mail.port}", "from": "tailrace@x.y", "to": "me@x.y",
                            "encryption": "none", "hello": "test",
                        },
                        "alertmanager": {"urls": [alertmanager], "renew_s": 1},
                    }
                ],
            },
        }  # fmt: skip
        (folder / "tailrace.yaml").write_text(json.dumps(config))
        self.shop.touch()

    @property
    def shop(self) -> Path:
        return self.data.parent / "shop.log"

    def start(self) -> None:
        file = self.data.parent / "tailrace.yaml"
        words = [*COMMAND, "up", "--data", str(self.data), "--listen", self.address, "--config", str(file)]
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=output, stderr=output)

    def write(self, cart: str) -> None:
        with self.shop.open("a") as file:
            file.write(f"level=error cart={cart} at={time.time_ns()}\n")


@pytest.fixture
def web() -> Iterator[WebInbox]:
    with WebInbox() as opened:
        yield opened


@pytest.fixture
def mail() -> Iterator[MailInbox]:
    with MailInbox() as opened:
        yield opened


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Alerting]:
    made = Alerting(tmp_path / "data", (), tmp_path / "up.log")
    yield made
    made.close()


def told(web: WebInbox) -> list[tuple[str, str]]:
    """Return of which carts a webhook was told, with the state, in order."""
    return [(one["labels"]["cart"], one["status"]) for posted in web.got for one in posted.json["alerts"]]


def test_lines_become_notifications_also_after_a_crash_with_receivers_away(
    tmp_path: Path, up: Alerting, web: WebInbox, mail: MailInbox
) -> None:
    up.configure(web, mail, "http://127.0.0.1:1")
    up.start()
    up.ready()
    up.write("a1")
    until(lambda: web.got and mail.got, 20, "both are told")
    said = web.got[0].json["alerts"][0]
    assert said["labels"] == {"alertname": "CartErrors", "cart": "a1", "severity": "page"}
    assert said["annotations"] == {"summary": "a1 has 1 errors"}
    assert web.got[0].headers["authorization"] == "Bearer S3CRET-TOKEN"
    assert mail.got[0].message["Subject"] == "[FIRING:1] CartErrors cart=a1 severity=page"
    web.close()
    mail.close()
    up.write("b1")
    until(lambda: '"b1"' in up.get("/api/v1/alerts")[1], 20, "the next one fires")
    up.kill()
    web.open()
    mail.open()
    up.start()
    until(lambda: len(web.got) >= 4 and len(mail.got) >= 4, 30, "both are told of all after the crash")
    assert sorted(told(web)) == [(cart, state) for cart in ("a1", "b1") for state in ("firing", "resolved")]
    assert [state for cart, state in told(web) if cart == "b1"] == ["firing", "resolved"]
    pages = [up.get(path) for path in ("/metrics", "/config", "/api/v2/status", "/api/v1/receivers")]
    shown = [up.said(), *(page for _, page in pages)]
    shown.append(answered("config", "show", "--config", tmp_path / "tailrace.yaml"))
    assert not [text for text in shown if "S3CRET" in text]


@pytest.mark.skipif(ALERTMANAGER is None, reason="prometheus-alertmanager is not installed (scripts/peers)")
def test_a_real_alertmanager_is_told(tmp_path: Path, up: Alerting, web: WebInbox, mail: MailInbox) -> None:
    with WebInbox() as theirs, Alertmanager(tmp_path / "alertmanager", theirs.url) as alertmanager:
        up.configure(web, mail, alertmanager.url)
        up.start()
        up.ready()
        up.write("a1")
        until(lambda: ("a1", "firing") in told(theirs), 20, "it tells that the alert fires")
        until(lambda: ("a1", "resolved") in told(theirs), 20, "it tells that it is over")
