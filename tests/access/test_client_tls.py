"""What is shown to, and asked of, those whom Tailrace calls."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from pydantic import ValidationError

from access.certificates import certificate
from tailrace.access.client_tls import ClientTls, client_context
from tailrace.errors import TransientError


def test_given_authorities_are_believed_and_no_others(tmp_path: Path) -> None:
    pem, key = certificate(tmp_path, "ours", "one")
    context = client_context(ClientTls(ca_file=pem, cert_file=pem, key_file=key))
    assert [dict(part[0] for part in ca["subject"]) for ca in context.get_ca_certs()] == [{"commonName": "one"}]
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname


def test_who_skips_the_check_says_so() -> None:
    context = client_context(ClientTls(insecure_skip_verify=True))
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_NONE, False)


def test_a_locked_key_is_an_error_and_no_question(tmp_path: Path) -> None:
    pem, key = certificate(tmp_path, "ours", "one")
    opened = serialization.load_pem_private_key(key.read_bytes(), None)
    locked = serialization.BestAvailableEncryption(b"secret")
    key.write_bytes(opened.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, locked))
    with pytest.raises(TransientError, match=r"ours\.key: no certificates can be read"):
        client_context(ClientTls(cert_file=pem, key_file=key))


def test_files_that_are_no_certificates_are_named(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.pem"
    wrong.write_text("no certificate")
    for tls in (ClientTls(ca_file=wrong), ClientTls(cert_file=wrong), ClientTls(ca_file=tmp_path / "absent.pem")):
        with pytest.raises(TransientError, match=r"(wrong|absent)\.pem: no certificates can be read: "):
            client_context(tls)


def test_a_key_without_a_certificate_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="key_file is given without a certificate"):
        ClientTls(key_file=tmp_path / "ours.key")
