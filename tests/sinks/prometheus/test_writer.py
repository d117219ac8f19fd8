"""Remote write, to a real Prometheus and to a receiver that fails."""

from __future__ import annotations

import math
import struct
from typing import TYPE_CHECKING

import cramjam
import httpx
import pytest

from sinks.prometheus_server import prometheus
from sinks.receivers import Answer, Fake, serving
from tailrace.clock import ManualClock, SystemClock
from tailrace.exposition import Family, Histogram, Point
from tailrace.sinks.prometheus.encode import STALE, request, samples
from tailrace.sinks.prometheus.settings import PrometheusSettings
from tailrace.sinks.prometheus.writer import RemoteWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class FakeRemoteWrite(Fake):
    """Takes everything, and says so as version 2.0 asks."""

    written: str | None = "1"

    def answer(self, method, path, headers, body) -> Answer:
        return Answer(204, b"", {"X-Prometheus-Remote-Write-Samples-Written": self.written} if self.written else {})


@pytest.fixture
def fake() -> Iterator[FakeRemoteWrite]:
    with serving(FakeRemoteWrite()) as made:
        yield made


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[str]:
    with prometheus(tmp_path_factory.mktemp("prometheus")) as url:
        yield url


def gauge(value: float, **labels: str) -> Family:
    return Family("rows", "gauge", "Rows.", [Point(labels, value)])


@pytest.fixture
def writer() -> Iterator[Callable[..., RemoteWriter]]:
    made: list[RemoteWriter] = []

    def make(url: str, families, clock=None, **more) -> RemoteWriter:
        settings = PrometheusSettings(url=url, **more)
        made.append(RemoteWriter(settings, "here", lambda: families, clock or SystemClock()))
        return made[-1]

    yield make
    for one in made:
        one.close()


def asked(server: str, query: str) -> list:
    return httpx.get(f"{server}/api/v1/query", params={"query": query}).json()["data"]["result"]


def test_prometheus_has_what_was_written_and_sees_series_end(server: str, writer) -> None:
    histogram = Histogram(3, 7.5, [1.0, 5.0], [1, 1, 1])
    families = [
        gauge(4.0, app="web", empty=""),
        Family("took_seconds", "histogram", "Time.", [Point({"app": "web"}, histogram)]),
        Family("http.requests_total", "counter", "Requests.", [Point({}, 9.0)]),
    ]
    made = writer(server, families, labels={"site": "x"})
    made.collect()
    assert made.deliver() == 0.0
    (row,) = asked(server, "rows")
    assert row["metric"] == {"__name__": "rows", "app": "web", "instance": "here", "job": "tailrace", "site": "x"}
    assert row["value"][1] == "4"
    buckets = {one["metric"]["le"]: one["value"][1] for one in asked(server, "took_seconds_bucket")}
    assert buckets == {"1.0": "1", "5.0": "2", "+Inf": "3"}
    assert [one["value"][1] for one in asked(server, "took_seconds_sum")] == ["7.5"]
    assert [one["value"][1] for one in asked(server, "http_requests_total")] == ["9"]
    families[:] = [gauge(5.0, app="web")]
    made.collect()
    assert made.deliver() == 0.0
    assert asked(server, "took_seconds_count") == []  # it ended at once, not after five minutes
    assert [one["value"][1] for one in asked(server, "rows")] == ["5"]
    made.collect(final=True)
    made.deliver()
    assert asked(server, "rows") == []
    assert made.counters["given_up"] == 0


def test_a_thread_writes_by_itself_and_ends_its_series_at_a_stop(fake: FakeRemoteWrite, writer) -> None:
    made = writer(fake.url, [gauge(1.0)])
    made.start()
    made.close()
    bodies = [values(body) for _, _, _, body in fake.requests]
    assert bodies[-2][0][1] == 1.0
    assert struct.pack("<d", bodies[-1][0][1]) == struct.pack("<d", STALE)
    assert math.isnan(STALE)
    assert bodies[-1][0][2] > bodies[-2][0][2]


def values(body: bytes) -> list[tuple[str, float, int]]:
    """Read name, value and time of each series of version 1.0, as the protocol writes them."""
    data = bytes(cramjam.snappy.decompress_raw(body))
    found = []
    for series in members(data, 1):
        name = next(members(label, 2) for label in members(series, 1) if members(label, 1) == [b"__name__"])
        (sample,) = members(series, 2)
        assert sample[0] == 9  # field 1, 64 bits
        found.append((name[0].decode(), struct.unpack("<d", sample[1:9])[0], varint(sample, 10)[0]))
    return found


def members(message: bytes, number: int) -> list[bytes]:
    found, at = [], 0
    while at < len(message):
        key, at = varint(message, at)
        assert key & 7 == 2
        length, at = varint(message, at)
        if key >> 3 == number:
            found.append(message[at : at + length])
        at += length
    return found


def varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        value |= (message[at] & 127) << shift
        shift, at = shift + 7, at + 1
        if message[at - 1] < 128:
            return value, at


def test_what_cannot_be_delivered_waits_and_comes_in_order(fake: FakeRemoteWrite, writer) -> None:
    clock = ManualClock()
    families = [gauge(1.0)]
    made = writer(fake.url, families, clock)
    fake.faults += [Answer(503), Answer(429, headers={"Retry-After": "7"})]
    made.collect()
    assert made.deliver() == 0.5
    clock.advance(1)
    families[:] = [gauge(2.0)]
    made.collect()
    assert made.deliver() == 7.0  # as the receiver asks
    assert made.counters == {"sent": 0, "given_up": 0, "waiting": 2}
    assert made.deliver() == 0.0
    assert made.counters == {"sent": 2, "given_up": 0, "waiting": 0}
    delivered = [values(body)[0][1:] for _, _, _, body in fake.requests[2:]]
    assert delivered == [(1.0, 1_700_000_000_000), (2.0, 1_700_000_001_000)]


def test_what_is_refused_for_good_is_counted_and_the_rest_goes_on(fake: FakeRemoteWrite, writer) -> None:
    made = writer(fake.url, [gauge(1.0)], ManualClock())
    fake.faults += [Answer(400, b"out of order sample")]
    made.collect()
    made.collect()
    assert made.deliver() == 0.0
    assert made.counters == {"sent": 1, "given_up": 1, "waiting": 0}


def test_the_queue_is_bounded_and_gives_up_the_oldest(fake: FakeRemoteWrite, writer) -> None:
    clock = ManualClock()
    families = [Family("rows", "gauge", "Rows.", [Point({"n": f"{n * 7919:06x}"}, float(n)) for n in range(2_000)])]
    made = writer(fake.url, families, clock, queue_bytes=1 << 20)
    for _ in range(60):
        made.collect()
        clock.advance(15)
    counts = made.counters
    assert counts["given_up"] > 0
    assert counts["given_up"] + counts["waiting"] == 120_000
    made.deliver()
    newest = values(fake.requests[-1][3])[0][2]
    assert newest == 1_700_000_000_000 + 59 * 15_000


def test_times_never_step_back(fake: FakeRemoteWrite, writer) -> None:
    clock = ManualClock()
    made = writer(fake.url, [gauge(1.0)], clock)
    made.collect()
    clock.advance(-3_600)
    made.collect()
    made.deliver()
    assert [values(body)[0][2] for _, _, _, body in fake.requests] == [1_700_000_000_000, 1_700_000_000_001]


def test_version_2_interns_texts_and_says_what_a_metric_is(fake: FakeRemoteWrite, writer) -> None:
    body = bytes(cramjam.snappy.decompress_raw(request(list(samples([gauge(2.0, app="web")], {}).values()), 5, "2.0")))
    assert members(body, 4) == [b"", b"__name__", b"rows", b"app", b"web", b"Rows."]
    (series,) = members(body, 5)
    assert members(series, 1) == [bytes([1, 2, 3, 4])]
    assert members(series, 2) == [b"\x09" + struct.pack("<d", 2.0) + b"\x10\x05"]
    assert members(series, 5) == [b"\x08\x02\x18\x05\x20\x00"]  # a gauge; its help is the sixth text; no unit
    made = writer(fake.url, [gauge(1.0)], ManualClock(), version="2.0")
    made.collect()
    made.deliver()
    headers = fake.requests[-1][2]
    assert headers["Content-Type"] == "application/x-protobuf;proto=io.prometheus.write.v2.Request"
    assert (headers["X-Prometheus-Remote-Write-Version"], headers["Content-Encoding"]) == ("2.0.0", "snappy")


@pytest.mark.parametrize("fault", [Answer(415), Answer(204, b"")])
def test_a_receiver_of_1_0_only_is_not_taken_for_one_of_2_0(
    fake: FakeRemoteWrite, fault: Answer, caplog, writer
) -> None:
    made = writer(fake.url, [gauge(1.0)], ManualClock(), version="2.0")
    fake.faults += [fault]
    made.collect()
    assert made.deliver() == 0.5
    assert made.counters["waiting"] == 1
    assert "version" in caplog.text


def test_labels_are_sorted_by_bytes_and_empty_ones_left_out() -> None:
    (key,) = samples([gauge(1.0, app="a", Zone="z", none="")], {"job": "x", "app": "other"})
    assert key == (("Zone", "z"), ("__name__", "rows"), ("app", "a"), ("job", "x"))
