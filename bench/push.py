"""Loki push, Protobuf in Snappy, from several senders on loopback to the durable table, of a real `tailrace up`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import cramjam

from bench.live import ask, fresh, running
from bench.measure import OUT, Plan, Row
from bench.otlp import poster, rate

if TYPE_CHECKING:
    from collections.abc import Iterator

RATE_FLOOR: Final = 150_000
BATCH: Final = 8_192
"""Lines of a request: Alloy and Promtail send up to 1 MiB, which is about as many."""

SENDERS: Final = 24
"""Requests that are under way at once: each waits for a commit, of which there is one a second until 200,000 lines
wait."""

STREAMS: Final = 8


def bodies(lines: int, batch: int = BATCH) -> Iterator[bytes]:
    """Yield requests of the lines of a web service, of some pods each."""
    start_ns = time.time_ns()
    for first in range(0, lines, batch):
        streams = []
        for pod in range(STREAMS):
            labels = f'{{app="cart", namespace="shop", pod="cart-{pod}"}}'.encode()
            numbers = range(first + pod, min(first + batch, lines), STREAMS)
            streams.append(_sized(1, _sized(1, labels) + b"".join(_entry(start_ns, number) for number in numbers)))
        yield bytes(cramjam.snappy.compress_raw(b"".join(streams)))


def measure(plan: Plan) -> list[Row]:
    lines = plan.import_rows
    requests = list(bodies(lines))
    folder = fresh(OUT / "push")
    with running(folder / "logs") as (url, pid):
        send = poster(url, "/loki/api/v1/push", "application/x-protobuf")
        row = rate("Loki push, protobuf", pid, requests, send, lines, RATE_FLOOR, SENDERS)
        query = 'sum(count_over_time({app="cart"}[1h]))'
        result = ask(url, "/loki/api/v1/query", query=query, time=time.time_ns() + 600_000_000_000)["result"]
        assert int(float(result[0]["value"][1])) == lines, result
    return [row]


def _entry(start_ns: int, number: int) -> bytes:
    seconds, nanos = divmod(start_ns + number, 1_000_000_000)
    stamp = _sized(1, b"\x08" + _varint(seconds) + b"\x10" + _varint(nanos))
    text = (
        f"level=info caller=cart.go:{number % 211} method=GET path=/cart/{number % 1000} status={200 + number % 3} "
        f"duration={number % 97}ms trace_id={number * 7919:016x}"
    )
    return _sized(2, stamp + _sized(2, text.encode()))


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def _sized(field: int, body: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(body)) + body
