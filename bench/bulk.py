"""Elasticsearch `_bulk`, from several senders on loopback to the durable table, of a real `tailrace up`."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Final

from bench.live import ask, fresh, running
from bench.measure import OUT, Plan, Row
from bench.otlp import poster, rate

if TYPE_CHECKING:
    from collections.abc import Iterator

RATE_FLOOR: Final = 80_000
BATCH: Final = 5_000


def bodies(documents: int, *, ids: bool = False) -> Iterator[bytes]:
    """Yield requests of documents as Filebeat sends them, in short: the Elastic Common Schema, nested."""
    for first in range(0, documents, BATCH):
        lines = []
        for number in range(first, min(first + BATCH, documents)):
            action = {"_index": "logs-cart"} | ({"_id": f"id-{number:012d}"} if ids else {})
            document = {
                "@timestamp": time.strftime("%Y-%m-%dT%H:%M:%S.", time.gmtime()) + f"{number % 1000:03d}Z",
                "message": f"GET /cart/{number % 1000} done in {number % 97} ms",
                "log": {"level": "info", "offset": number * 80, "file": {"path": "/var/log/cart.log"}},
                "host": {"name": "a1"},
                "service": {"name": "cart"},
                "http": {"request": {"method": "GET"}, "response": {"status_code": 200 + number % 3}},
                "event": {"duration": number % 97},
            }
            lines += [json.dumps({"create": action}), json.dumps(document)]
        yield ("\n".join(lines) + "\n").encode()


def measure(plan: Plan) -> list[Row]:
    documents = plan.import_rows // 2
    folder = fresh(OUT / "bulk")
    config = folder / "config.json"
    config.write_text(json.dumps({"sources": []}))
    rows = []
    with running(folder / "logs", config=config) as (url, pid):
        send = poster(url, "/elasticsearch/_bulk", "application/x-ndjson")
        for what, ids in (("without ids", False), ("with ids", True)):
            requests = list(bodies(documents, ids=ids))
            rows.append(rate(f"Elasticsearch _bulk, {what}", pid, requests, send, documents, RATE_FLOOR))
        query = 'sum(count_over_time({service_name="cart"}[1h]))'
        result = ask(url, "/loki/api/v1/query", query=query, time=time.time_ns() + 600_000_000_000)["result"]
        assert int(float(result[0]["value"][1])) == 2 * documents, result
    return rows
