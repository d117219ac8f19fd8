"""TLS of receivers: who has no certificate, or speaks something else, gets no further."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from intake import certificates
from intake.certificates import Certificates
from intake.places import Place, place, wait_until
from tailrace.access.settings import TlsSettings
from tailrace.access.tls import server_context
from tailrace.intake.listeners import Supply
from tailrace.intake.syslog.listener import SyslogListener
from tailrace.intake.syslog.settings import SyslogSettings


@pytest.fixture(scope="module")
def pems(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return certificates.make(tmp_path_factory.mktemp("pems"))


@pytest.fixture
def running(pems: Certificates) -> Iterator[tuple[Place, SyslogListener]]:
    here = place()
    context = server_context(TlsSettings(certificate=pems.server, key=pems.server_key, client_ca=pems.authority))
    base = here.supply
    supply = Supply(base.sink, base.gate, base.accounts, base.clock, tls=context)
    listener = SyslogListener(SyslogSettings(listen="127.0.0.1:0", tls=True), supply)
    listener.start()
    yield here, listener
    listener.stop()


def secure(listener: SyslogListener, pems: Certificates, client: tuple[Path, Path] | None) -> ssl.SSLSocket:
    context = ssl.create_default_context(cafile=str(pems.authority))
    if client is not None:
        context.load_cert_chain(*client)
    sock = socket.create_connection(("127.0.0.1", listener.port), timeout=60)
    return context.wrap_socket(sock, server_hostname="127.0.0.1")


def test_who_is_certified_is_heard_by_name(running: tuple[Place, SyslogListener], pems: Certificates) -> None:
    here, listener = running
    with secure(listener, pems, (pems.client, pems.client_key)) as sock:
        sock.sendall(b"12 <13>a secret<13>x\n")
    wait_until(lambda: here.shelf.lines == ["a secret", "x"])
    assert set(here.shelf.rows["peer_name"]) == {"edge-1"}


def test_who_is_not_is_turned_away(running: tuple[Place, SyslogListener], pems: Certificates) -> None:
    here, listener = running
    with pytest.raises((ssl.SSLError, OSError)), secure(listener, pems, None) as sock:  # noqa: PT012
        sock.sendall(b"<13>x\n")  # with TLS 1.3 the refusal comes behind the handshake
        while sock.recv(1):
            pass
        raise ConnectionResetError
    with socket.create_connection(("127.0.0.1", listener.port), timeout=60) as plain:
        plain.sendall(b"<13>no TLS at all\n" * 100)
        try:
            while plain.recv(100):
                pass
        except ConnectionResetError:
            pass
    with secure(listener, pems, (pems.client, pems.client_key)) as sock:
        sock.sendall(b"<13>good\n")
    wait_until(lambda: here.shelf.lines == ["good"])
