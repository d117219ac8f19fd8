"""A small shop whose logs, files and rules fill every view: lines of the last hours, seeded, and a configuration.

What is written here is also what the screenshots and the tour of the documents show.
"""

from __future__ import annotations

import json
import random
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import yaml

if TYPE_CHECKING:
    from pathlib import Path

HOURS: Final = 3
SERVICES: Final = ("cart", "checkout", "catalogue", "payment")
SAID: Final = (
    ("info", 62, "request done"),
    ("info", 14, "order {n} placed by user {u}"),
    ("info", 8, "cache refreshed: {n} entries"),
    ("debug", 6, "cache miss for item {n}"),
    ("warn", 6, "slow answer from the warehouse: {n} ms"),
    ("error", 3, "payment of order {n} declined: card expired"),
    ("error", 1, "no connection to the database after {n} ms"),
)
PATHS: Final = ("/", "/cart", "/checkout", "/item/{n}", "/search?q=tea", "/health")
TRACE: Final = """java.lang.IllegalStateException: no price for item {n}
\tat com.example.shop.Prices.of(Prices.java:41) ~[shop.jar:1.2]
\tat com.example.shop.Invoice.add(Invoice.java:88) ~[shop.jar:1.2]"""

RULES: Final = """
groups:
- name: shop
  interval: 5s
  rules:
  - alert: OrdersDeclined
    expr: sum by (service) (count_over_time({source="shop"} | detected_level="error" [15m])) > 0
    labels: {severity: page}
    annotations: {summary: "{{ $labels.service }}: {{ $value }} errors in a quarter of an hour"}
  - alert: SlowWarehouse
    expr: sum(count_over_time({source="shop"} |= "slow answer" [15m])) > 0
    for: 12h
    labels: {severity: ticket}
  - alert: NobodyOrders
    expr: sum(count_over_time({source="shop"} |= "placed by" [1h])) < 1
  - {record: "shop:errors:rate5m", expr: 'sum by (service) (rate({source="shop"} | detected_level="error" [5m]))'}
- name: broken
  interval: 5s
  rules:
  - alert: CannotBeAsked
    expr: sum(sum_over_time({source="shop"} | unwrap message [5m])) > 1
"""


@dataclass
class Shop:
    """A folder with logs of a shop, the files that it serves, and how Tailrace is to read them."""

    folder: Path
    lines: int = 2_000
    seed: int = 1
    written: dict[str, int] = field(default_factory=dict)
    """How many lines each log has."""

    @property
    def logs(self) -> Path:
        return self.folder / "logs"

    @property
    def files(self) -> Path:
        return self.folder / "srv"

    def write(self) -> Path:
        """Write everything and return the path of the configuration."""
        dice, now = random.Random(self.seed), time.time()
        times = sorted(now - dice.random() * HOURS * 3_600 for _ in range(self.lines))
        self._log("shop.log", [_application(dice, at) for at in times])
        self._log("access.log", [_access(dice, at) for at in times[::2]])
        self._log("billing.log", [_billing(dice, at) for at in times[::20]])
        self._log("odd.log", [_odd(place, at) for place, at in enumerate(times[:: max(1, self.lines // 20)])])
        self._tree(dice)
        (self.folder / "rules.yaml").write_text(RULES)
        config = self.folder / "tailrace.yaml"
        config.write_text(yaml.safe_dump(self._config()))
        return config

    def say(self, *lines: str, log: str = "shop.log") -> None:
        """Add lines to a log."""
        with (self.logs / log).open("a") as file:
            file.writelines(f"{line}\n" for line in lines)
        self.written[log] += len(lines)

    def _log(self, name: str, lines: list[str]) -> None:
        self.logs.mkdir(parents=True, exist_ok=True)
        self.written[name] = 0
        self.say(*lines, log=name)

    def _tree(self, dice: random.Random) -> None:
        names = ["images/tea.png", "images/cup.png", "images/old/pot.png", "prices.csv", "index.html"]
        names += [f"images/items/{number}.png" for number in range(12)]
        names += [f"reports/2026-{month:02}.pdf" for month in range(1, 11)]
        for name in names:
            file = self.files / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(bytes(dice.randrange(500, 60_000)))

    def _config(self) -> dict[str, object]:
        return {
            "host": "shop-1",
            "sources": [
                {"name": "shop", "paths": [str(self.logs / "shop.log")], "format": "json"},
                {"name": "web", "paths": [str(self.logs / "access.log"), str(self.logs / "billing.log")]},
                {"name": "odd", "paths": [str(self.logs / "odd.log")], "format": "json"},
                {"type": "file_events", "paths": [str(self.files)], "backend": "inotify", "hash": ["xxh3"]},
            ],
            "spec": {
                "steps": [
                    {"id": "no-debug", "type": "drop", "where": "level = 'debug'"},
                    {"id": "no-health", "type": "drop", "where": "path = '/health'"},
                ]
            },
            "alerts": {
                "rule_files": [str(self.folder / "rules.yaml")],
                "route": {"receiver": "duty", "group_by": ["alertname"], "group_wait": "0s", "group_interval": "1s"},
                "receivers": [{"name": "duty", "webhook": "http://127.0.0.1:9/alerts"}],
            },
        }


def _stamp(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _application(dice: random.Random, at: float) -> str:
    ((level, _, said),) = dice.choices(SAID, [weight for _, weight, _ in SAID])
    number, user = dice.randrange(100, 9_000), dice.randrange(1, 400)
    row: dict[str, object] = {
        "ts": _stamp(at),
        "level": level,
        "service": dice.choice(SERVICES),
        "message": said.format(n=number, u=user),
        "status": 502 if level == "error" else dice.choices((200, 201, 304, 404), (80, 10, 6, 4))[0],
        "duration_ms": round(dice.expovariate(1 / (900 if level in {"warn", "error"} else 40)), 1),
        "user_id": user,
    }
    if dice.random() < 0.3:
        row["trace_id"] = f"{dice.getrandbits(128):032x}"
    return json.dumps(row)


def _access(dice: random.Random, at: float) -> str:
    path = dice.choice(PATHS).format(n=dice.randrange(40))
    status = dice.choices((200, 304, 404, 500), (85, 8, 6, 1))[0]
    stamp = datetime.fromtimestamp(at, UTC).strftime("%d/%b/%Y:%H:%M:%S +0000")
    return f'192.0.2.{dice.randrange(250)} - - [{stamp}] "GET {path} HTTP/1.1" {status} {dice.randrange(200, 40_000)} "-" "Mozilla/5.0"'


def _billing(dice: random.Random, at: float) -> str:
    stamp = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S,%f")[:-3]
    failed = dice.random() < 0.2
    first = f"{stamp} {'ERROR' if failed else 'INFO'} [worker-{dice.randrange(8)}] com.example.shop.Invoice: invoice {dice.randrange(9_000)} written"
    return f"{first}\n{TRACE.format(n=dice.randrange(50))}" if failed else first


def _odd(place: int, at: float) -> str:
    return f"not json at all, line {place}" if place % 3 == 0 else json.dumps({"ts": _stamp(at), "message": "fine"})
