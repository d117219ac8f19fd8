"""Requests that bring lines, at the gate: what is too much comes back later, and stops nobody else."""

from __future__ import annotations

import json
import socket
import threading
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass

import httpx
import pytest

from tailrace import limits
from web.conftest import FakeSink, House, wait_until

PUSH = json.dumps({"streams": [{"stream": {"app": "a"}, "values": [["1767225600000000001", "x" * 100]]}]}).encode()
PATHS = [("/loki/api/v1/push", PUSH), ("/ingest/jsonline", b'{"message": "' + b"x" * 100 + b'"}')]
JSON = {"content-type": "application/json"}


@dataclass(frozen=True)
class Small:
    bytes_at_once: int = 100_000
    requests_at_once: int = 4
    connections: int = 0
    client_connections: int = 0
    client_requests_per_s: float = 0
    client_bytes_per_s: int = 0


@pytest.fixture
def crowded(monkeypatch: pytest.MonkeyPatch, house_with: Callable[[FakeSink], House]) -> tuple[House, FakeSink]:
    monkeypatch.setattr("tailrace.web.intake.IntakeSettings", Small)
    sink = FakeSink(outcome="wait")
    return house_with(sink), sink


def post(house: House, path: str, body: bytes, address: str = "127.0.0.1") -> httpx.Response:
    transport = httpx.HTTPTransport(local_address=address)
    with httpx.Client(base_url=house.client.base_url, transport=transport, timeout=60) as client:
        return client.post(path, content=body, headers=JSON)


@pytest.mark.parametrize(("path", "body"), PATHS)
def test_too_many_requests_of_one_client_come_back_and_another_is_served(
    crowded: tuple[House, FakeSink], path: str, body: bytes
) -> None:
    house, sink = crowded
    answers: list[int] = []

    def push(address: str, text: bytes) -> threading.Thread:
        thread = threading.Thread(target=lambda: answers.append(post(house, path, text, address).status_code))
        thread.start()
        return thread

    waiting = []
    for number in range(2):
        waiting.append(push("127.0.0.1", body.replace(b"xxx", b"%03d" % number)))
        wait_until(lambda number=number: len(sink.futures) == number + 1)
    refused = post(house, path, body)
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
    assert "too many requests" in refused.text
    waiting.append(push("127.0.0.2", body.replace(b"xxx", b"abc")))
    wait_until(lambda: len(sink.futures) == 3)
    for future in sink.futures:
        future.set_result(None)
    for thread in waiting:
        thread.join(60)
    assert answers == [204] * 3
    sink.outcome = "done"
    assert post(house, path, body).status_code == 204
    assert b'tailrace_intake_refused_total{receiver="' in house.client.get("/metrics").content


@pytest.mark.parametrize(("path", "body"), PATHS)
def test_a_body_for_which_there_is_no_room_comes_back(crowded: tuple[House, FakeSink], path: str, body: bytes) -> None:
    house, sink = crowded
    refused = post(house, path, body.replace(b"x" * 100, b"x" * 100_000))
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
    assert sink.batches == []
    sink.outcome = "done"
    assert post(house, path, body).status_code == 204
    assert b"tailrace_intake_bytes 0.0" in house.client.get("/metrics").content


def test_a_body_that_does_not_come_is_given_up(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tailrace.web.intake.BODY_WAIT_S", 0.05)
    place = urllib.parse.urlsplit(str(house.client.base_url))
    with socket.create_connection((place.hostname, place.port), 60) as sock:
        sock.sendall(b"POST /loki/api/v1/push HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\n\r\n{")
        assert b" 408 " in sock.recv(4_096).partition(b"\r\n")[0]


def test_a_body_that_is_too_large_is_refused_as_it_comes(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "PUSH_BODY_BYTES", 10)
    assert house.client.post("/loki/api/v1/push", content=PUSH, headers=JSON).status_code == 413
