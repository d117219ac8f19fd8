"""A store that stands still: what is held stays under the bound, senders wait or come back, and nothing is lost.

Clients are told apart by their addresses: all of 127.0.0.0/8 is this machine.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import msgpack
import pytest

from intake.places import Place, place, wait_until
from tailrace.intake.forward.listener import ForwardListener
from tailrace.intake.forward.settings import ForwardSettings
from tailrace.intake.syslog.listener import SyslogListener
from tailrace.intake.syslog.settings import SyslogSettings

ROOM = 4_000_000
NOISE = "noisy" * 50  # more in all than the buffers of the kernel hold


@dataclass(frozen=True)
class Small:
    bytes_at_once: int = ROOM
    requests_at_once: int = 8
    connections: int = 10
    client_connections: int = 5
    client_requests_per_s: float = 0
    client_bytes_per_s: int = 0


def syslog_lines(count: int, text: str) -> list[bytes]:
    return [b"<13>%s %d\n" % (text.encode(), number) for number in range(count)]


def forward_messages(count: int, text: str) -> list[bytes]:
    return [msgpack.packb(["app", [[1, {"log": f"{text} {number}"}]]]) for number in range(count)]


Make = Callable[[int, str], list[bytes]]


@pytest.fixture(params=["syslog", "forward"])
def receiver(request: pytest.FixtureRequest) -> Iterator[tuple[Place, int, Make]]:
    here = place(Small())
    here.shelf.moves.clear()
    listener: Any  # either of them
    if request.param == "syslog":
        settings = SyslogSettings(listen="127.0.0.1:0", protocols=("tcp",))
        listener, make = SyslogListener(settings, here.supply), syslog_lines
    else:
        listener = ForwardListener(ForwardSettings(listen="127.0.0.1:0"), here.supply)
        make = forward_messages
    listener.start()
    yield here, listener.port, make
    here.shelf.go_on()
    listener.stop()


def flood(address: str, port: int, pieces: list[bytes]) -> threading.Thread:
    """Send all that somebody takes, in a thread that TCP makes wait."""

    def send() -> None:
        with socket.create_connection(("127.0.0.1", port), timeout=120, source_address=(address, 0)) as sock:
            sock.sendall(b"".join(pieces))

    thread = threading.Thread(target=send, daemon=True)
    thread.start()
    return thread


def test_a_flood_is_not_read_and_does_not_stop_others(receiver: tuple[Place, int, Make]) -> None:
    here, port, make = receiver
    gate = here.supply.gate
    noisy = flood("127.0.0.2", port, make(60_000, NOISE))
    wait_until(lambda: gate._waiters)
    assert 0 < gate.bytes <= ROOM // 2
    assert noisy.is_alive()
    quiet = flood("127.0.0.3", port, make(100, "quiet"))
    quiet.join(60)
    assert not quiet.is_alive()
    wait_until(lambda: "127.0.0.3" in gate._clients and gate._clients["127.0.0.3"].held_bytes)
    assert gate.bytes <= ROOM
    assert here.metric("tailrace_intake_refused_total", why="bytes") > 0
    here.shelf.go_on()
    noisy.join(120)
    wait_until(lambda: len(here.shelf.lines) == 60_100)
    lines = here.shelf.lines
    assert [line for line in lines if line.startswith("noisy")] == [f"{NOISE} {n}" for n in range(60_000)]
    assert [line for line in lines if line.startswith("quiet")] == [f"quiet {n}" for n in range(100)]
    wait_until(lambda: gate.bytes == 0)


def test_more_connections_than_a_client_may_have_are_closed(receiver: tuple[Place, int, Make]) -> None:
    here, port, make = receiver
    here.shelf.go_on()
    opened = [socket.create_connection(("127.0.0.1", port), 60, ("127.0.0.2", 0)) for _ in range(5)]
    wait_until(lambda: here.supply.gate._connections == 5)
    with socket.create_connection(("127.0.0.1", port), 60, ("127.0.0.2", 0)) as extra:
        assert extra.recv(1) == b""
    flood("127.0.0.3", port, make(1, "another client")).join(60)
    wait_until(lambda: here.shelf.lines == ["another client 0"])
    for sock in opened:
        sock.close()
    wait_until(lambda: here.supply.gate._connections == 0)
    assert here.metric("tailrace_connections_closed_total", why="too many") == 1
