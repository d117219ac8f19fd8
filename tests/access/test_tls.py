"""Certificates that a test makes: who is believed, and what is shown after a renewal."""

from __future__ import annotations

import socket
import ssl
import threading
from pathlib import Path

import pytest

from access.certificates import certificate
from tailrace.access.settings import TlsSettings
from tailrace.access.tls import Renewal, server_context
from tailrace.errors import ConfigError


def shaken(context: ssl.SSLContext, client: ssl.SSLContext) -> bytes:
    """Shake hands over a pair of sockets; return the certificate that was shown."""
    ours, theirs = socket.socketpair()
    failures: list[Exception] = []

    def serve() -> None:
        try:
            with context.wrap_socket(ours, server_side=True) as done:
                done.recv(1)
        except (OSError, ssl.SSLError) as error:
            failures.append(error)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        with client.wrap_socket(theirs, server_hostname="localhost") as done:
            shown = done.getpeercert(binary_form=True) or b""
            done.send(b"x")
            done.settimeout(60)
            done.recv(1)  # of a refusal in TLS 1.3 one hears here
    finally:
        thread.join(60)
    if failures:
        raise failures[0]
    return shown


def anybody() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def test_a_renewed_certificate_is_shown(tmp_path: Path) -> None:
    pem, key = certificate(tmp_path, "server", "one")
    settings = TlsSettings(certificate=pem, key=key)
    context = server_context(settings)
    renewal = Renewal(context, settings)
    first = shaken(context, anybody())
    assert not renewal.look()
    other = certificate(tmp_path, "new", "two")
    other[0].replace(pem)
    assert not renewal.look()  # the key is still the old one: the old pair stays
    assert shaken(context, anybody()) == first
    other[1].replace(key)
    assert renewal.look()
    assert shaken(context, anybody()) != first


def test_a_client_without_a_certificate_that_is_believed_is_turned_away(tmp_path: Path) -> None:
    pem, key = certificate(tmp_path, "server", "server")
    ca, ca_key = certificate(tmp_path, "ca", "clients")
    foreign, foreign_key = certificate(tmp_path, "foreign", "foreign")
    context = server_context(TlsSettings(certificate=pem, key=key, client_ca=ca))
    with pytest.raises((ssl.SSLError, OSError)):
        shaken(context, anybody())
    stranger = anybody()
    stranger.load_cert_chain(foreign, foreign_key)
    with pytest.raises((ssl.SSLError, OSError)):
        shaken(context, stranger)
    known = anybody()
    known.load_cert_chain(ca, ca_key)
    assert shaken(context, known)


def test_old_versions_are_refused(tmp_path: Path) -> None:
    pem, key = certificate(tmp_path, "server", "server")
    context = server_context(TlsSettings(certificate=pem, key=key))
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2


def test_files_that_cannot_be_used_are_said(tmp_path: Path) -> None:
    pem, key = certificate(tmp_path, "server", "server")
    _, other = certificate(tmp_path, "other", "other")
    for settings, said in (
        (TlsSettings(certificate=tmp_path / "none"), "cannot be read"),
        (TlsSettings(certificate=pem, key=other), "cannot be used"),
        (TlsSettings(certificate=pem, key=key, client_ca=tmp_path / "none"), "cannot be read"),
    ):
        with pytest.raises(ConfigError, match=said):
            server_context(settings)
    with pytest.raises(ConfigError, match="no certificate is given"):
        server_context(TlsSettings())
