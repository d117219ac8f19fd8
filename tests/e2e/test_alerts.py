"""Rules in the running program: an alert fires, outlives a kill with all that is known of it, and is over."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest

from e2e.program import until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import Any

    from e2e.program import Up

pytestmark = pytest.mark.e2e

RULES = """
groups:
- name: shop
  interval: 1s
  rules:
  - alert: Errors
    expr: sum by (source) (count_over_time({{source="{source}"}} |= "boom" [{window}])) > 2
    labels: {{severity: page}}
    annotations: {{summary: "{{{{ $value }}}} errors"}}
"""


def alerts(up: Up) -> list[dict[str, Any]]:
    status, body = up.get("/api/v1/alerts")
    assert status == 200, body
    return list(json.loads(body)["data"]["alerts"])


def firing(up: Up) -> dict[str, Any] | None:
    return next((one for one in alerts(up) if one["state"] == "firing"), None)


def test_an_alert_outlives_a_kill_and_is_over_when_its_condition_is(make_up: Callable[..., Up], tmp_path: Path):
    log, rules = tmp_path / "app.log", tmp_path / "rules.yml"
    log.write_text("hello\n")
    rules.write_text(RULES.format(source="app", window="12s"))
    config = tmp_path / "tailrace.yaml"
    config.write_text(f"sources: [{{paths: [{log}], name: app}}]\nalerts: {{rule_files: [{rules}]}}\n")
    up = make_up("--config", config)
    up.start()
    up.ready()
    assert alerts(up) == []
    with log.open("a") as lines:
        lines.write("boom\n" * 5)
    written = time.time()
    first = until(lambda: firing(up), 15, "it fires")
    assert first["labels"] == {"alertname": "Errors", "severity": "page", "source": "app"}
    assert float(first["value"]) == 5

    up.kill()
    up.start()
    up.ready()
    again = until(lambda: firing(up), 5, "it fires still")
    assert (again["activeAt"], again["labels"]) == (first["activeAt"], first["labels"])

    until(lambda: not alerts(up), 90, "it is over")
    assert time.time() - written >= 11, "no window without the lines can be over before"
