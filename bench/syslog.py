"""Syslog over TCP, from several senders on loopback to the durable table, of a real `tailrace up`."""

from __future__ import annotations

import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from bench.live import ask, fresh, running
from bench.measure import OUT, Plan, Row, cpu_seconds, status_mib

if TYPE_CHECKING:
    from collections.abc import Iterator

SENDERS: Final = 4
PIECE: Final = 4_096


def messages(count: int, sender: int) -> Iterator[bytes]:
    """Yield pieces of messages as rsyslog forwards them: RFC 5424, octet counted for half of the senders."""
    stamp = datetime.now(tz=UTC).strftime("%Y-%m-%dT%H:%M:%S")
    for first in range(0, count, PIECE):
        texts = [
            f"<{number % 184}>1 {stamp}.{number % 1_000_000:06d}Z host-{sender} app-{number % 7} {number % 999} - - "
            f"request {number} of the cart was answered in {number % 97} ms"
            for number in range(first, min(first + PIECE, count))
        ]
        if sender % 2:
            yield "".join(f"{len(text)} {text}" for text in texts).encode()
        else:
            yield "".join(f"{text}\n" for text in texts).encode()


def measure(plan: Plan) -> list[Row]:
    count = plan.import_rows // SENDERS
    sent = [list(messages(count, sender)) for sender in range(SENDERS)]
    folder = fresh(OUT / "syslog")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config = folder / "config.json"
    receiver = {"type": "syslog", "listen": f"127.0.0.1:{port}", "protocols": ["tcp"]}
    config.write_text(json.dumps({"sources": [], "receivers": [receiver]}))
    with running(folder / "logs", config=config) as (url, pid):
        before, began = cpu_seconds(pid), time.perf_counter()
        with ThreadPoolExecutor(SENDERS) as senders:
            list(senders.map(lambda pieces: _send(port, pieces), sent))
        query = 'sum(count_over_time({source="syslog"}[1h]))'
        while True:
            result = ask(url, "/loki/api/v1/query", query=query, time=time.time_ns() + 600_000_000_000)["result"]
            stored = int(float(result[0]["value"][1])) if result else 0
            if stored >= count * SENDERS:
                break
            time.sleep(0.05)
        took = time.perf_counter() - began
        assert stored == count * SENDERS, stored
        size = sum(len(piece) for pieces in sent for piece in pieces)
        cpu, peak = cpu_seconds(pid) - before, status_mib(pid, "VmHWM")
    note = f"{stored / took:,.0f} a second, {SENDERS} senders"
    return [Row("receive", "syslog over TCP", took, lines=stored, bytes=size, cpu_s=cpu, peak_mib=peak, note=note)]


def _send(port: int, pieces: list[bytes]) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=120) as sock:
        for piece in pieces:
            sock.sendall(piece)
