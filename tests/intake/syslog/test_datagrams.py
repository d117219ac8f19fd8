"""UDP without an event loop: what is fetched, what is dropped, and what the kernel dropped."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from intake.places import Place, place
from tailrace.intake.connections import Allowed
from tailrace.intake.gate import Hold
from tailrace.intake.settings import IntakeSettings
from tailrace.intake.syslog.datagrams import Datagrams, kernel_drops


@pytest.fixture
def sock() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        made.bind(("127.0.0.1", 0))
        made.setblocking(False)
        yield made


def send(sock: socket.socket, *datagrams: bytes) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for data in datagrams:
            sender.sendto(data, sock.getsockname())


def fetched(datagrams: Datagrams) -> list[bytes]:
    found: list[bytes] = []

    def take(messages: list[bytes], peer: str, hold: Hold) -> None:
        assert (peer, hold.size) == ("127.0.0.1", sum(map(len, messages)))
        found.extend(messages)
        hold.release()

    datagrams.fetch(take)
    return found


def dropped(here: Place, why: str) -> float:
    return here.metric("tailrace_datagrams_dropped_total", why=why, receiver="syslog")


def test_what_is_there_is_fetched_per_peer(sock: socket.socket) -> None:
    datagrams = Datagrams(sock, "syslog", place().supply, Allowed(()), 1 << 20)
    send(sock, b"a", b"", b"b" * 9_000)
    assert fetched(datagrams) == [b"a", b"", b"b" * 9_000]
    assert fetched(datagrams) == []


def test_what_the_kernel_dropped_is_counted(sock: socket.socket) -> None:
    if kernel_drops(sock) is None:
        pytest.skip("this kernel does not tell what it dropped")
    here = place()
    datagrams = Datagrams(sock, "syslog", here.supply, Allowed(()), 4_096)
    send(sock, *[b"x" * 1_000] * 50)
    datagrams._count_kernel()
    kept = len(fetched(datagrams))
    assert 0 < kept < 50
    assert dropped(here, "kernel") == 50 - kept
    datagrams._count_kernel()
    assert dropped(here, "kernel") == 50 - kept


def test_what_there_is_no_room_for_is_dropped_and_counted(sock: socket.socket) -> None:
    here = place(IntakeSettings(client_bytes_per_s=100))
    datagrams = Datagrams(sock, "syslog", here.supply, Allowed(()), 1 << 20)
    send(sock, b"x" * 5_000)
    assert len(fetched(datagrams)) == 1
    send(sock, b"y", b"z")
    assert fetched(datagrams) == []
    assert dropped(here, "rate") == 2


def test_who_may_not_send_is_not_heard(sock: socket.socket) -> None:
    here = place()
    datagrams = Datagrams(sock, "syslog", here.supply, Allowed(("192.0.2.0/24", "::1")), 1 << 20)
    send(sock, b"x")
    assert fetched(datagrams) == []
    assert dropped(here, "not allowed") == 1


def test_allowed_networks() -> None:
    allowed = Allowed(("10.0.0.0/8", "2001:db8::/32"))
    assert [allowed(one) for one in ("10.1.2.3", "::ffff:10.1.2.3", "2001:db8::1%eth0", "11.0.0.1", "", "x")] == [
        True,
        True,
        True,
        False,
        False,
        False,
    ]
    assert Allowed(())("anything")
