"""Requests to a web service: what its answers mean, TLS, and that secrets stay where they are."""

from __future__ import annotations

import datetime as dt
import ipaddress
import ssl
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from sinks.receivers import Answer, Fake, serving
from tailrace.clock import ManualClock
from tailrace.errors import TransientError
from tailrace.sinks import service as service_module
from tailrace.sinks.delivery import LaterError, RefusedError
from tailrace.sinks.loki.settings import LokiSettings
from tailrace.sinks.service import Service

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class FakeService(Fake):
    def answer(self, method, path, headers, body) -> Answer:
        return Answer(200, b"ok")


@pytest.fixture
def fake() -> Iterator[FakeService]:
    with serving(FakeService()) as made:
        yield made


@pytest.fixture
def service() -> Iterator:
    made: list[Service] = []

    def make(url: str, **more) -> Service:
        made.append(Service(LokiSettings(url=url, **more), ManualClock()))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.mark.parametrize(
    ("answer", "kind", "said"),
    [
        (Answer(400, b"bad \n body"), RefusedError, "answered 400: bad body"),
        (Answer(413), RefusedError, "answered 413"),
        (Answer(422), RefusedError, "answered 422"),
        (Answer(401), TransientError, "check user and password"),
        (Answer(403), TransientError, "what the user or token may do"),
        (Answer(404), TransientError, "check the address"),
        (Answer(301, headers={"Location": "http://x"}), TransientError, "it has moved"),
        (Answer(500), TransientError, "answered 500"),
        (Answer(200, b"<p>log in", {"Content-Type": "text/html; charset=utf-8"}), TransientError, "a page for people"),
        (None, TransientError, "Server disconnected"),
    ],
)
def test_answers_mean_what_they_should(fake: FakeService, service, answer, kind, said: str) -> None:
    fake.faults.append(answer)
    with pytest.raises(kind, match=said) as caught:
        service(fake.url).request("POST", "/", b"x")
    assert not isinstance(caught.value, LaterError)


@pytest.mark.parametrize("charset", ["base64", "rot13", "idna", "undefined"])
def test_what_is_said_is_read_whatever_charset_it_claims(fake: FakeService, service, charset: str) -> None:
    fake.faults.append(Answer(400, b"bad body \xff", {"Content-Type": f"text/plain; charset={charset}"}))
    with pytest.raises(RefusedError, match="bad body"):
        service(fake.url).request("POST", "/", b"x")


@pytest.mark.parametrize(
    ("text", "after_s"),
    [("120", 120.0), ("0", 0.0), ("Tue, 14 Nov 2023 22:13:50 GMT", 30.0), ("Tue, 14 Nov 2023 22:00:00 GMT", 0.0)],
)
def test_retry_after_is_a_number_or_a_date(fake: FakeService, service, text: str, after_s: float) -> None:
    fake.faults.append(Answer(429, headers={"Retry-After": text}))
    with pytest.raises(LaterError) as caught:
        service(fake.url).request("POST", "/", b"x")
    assert caught.value.after_s == after_s  # the clock stands at 2023-11-14 22:13:20


@pytest.mark.parametrize("text", ["soon", "-5", "", "Thu, 01 Jan 1970 00:00:00 +99999999999999"])
def test_a_retry_after_that_is_none_is_passed_over(fake: FakeService, service, text: str) -> None:
    fake.faults.append(Answer(503, headers={"Retry-After": text}))
    with pytest.raises(TransientError) as caught:
        service(fake.url).request("POST", "/", b"x")
    assert not isinstance(caught.value, LaterError)


def test_an_answer_that_never_ends_is_given_up(fake: FakeService, service, monkeypatch) -> None:
    monkeypatch.setattr(service_module, "ANSWER_BYTES", 1_000_000)
    fake.faults.append(Answer(200, b"x" * 2_000_000))
    with pytest.raises(TransientError, match="answered more than"):
        service(fake.url).request("POST", "/", b"x")


def test_a_secret_that_is_replaced_in_its_file_is_read_again(fake: FakeService, service, tmp_path: Path) -> None:
    secret = tmp_path / "token"
    secret.write_text("old\n")
    made = service(fake.url, token_file=secret)
    fake.faults.append(Answer(401, b"old is no token"))
    with pytest.raises(TransientError, match="is no token") as caught:
        made.request("POST", "/", b"x")
    assert "old" not in str(caught.value)
    secret.write_text("new\n")
    made.request("POST", "/", b"x")
    assert [one[2]["Authorization"] for one in fake.requests] == ["Bearer old", "Bearer new"]


def test_no_message_repeats_a_secret(fake: FakeService, service, monkeypatch) -> None:
    monkeypatch.setenv("PART", "hush-env")
    made = service(fake.url, user="me", password="hush-1", headers={"X-Key": "hush-2", "X-Env": "env:PART"})
    fake.faults.append(Answer(400, b"you sent hush-1, hush-2 and hush-env"))
    with pytest.raises(RefusedError) as caught:
        made.request("POST", "/", b"x")
    assert "hush" not in str(caught.value)
    assert fake.requests[0][2]["X-Env"] == "hush-env"


def test_a_secret_file_that_is_not_there_is_waited_for(fake: FakeService, service, tmp_path: Path) -> None:
    with pytest.raises(TransientError, match="cannot be read"):
        service(fake.url, token_file=tmp_path / "none").request("POST", "/", b"x")


# --- TLS --------------------------------------------------------------------------------------------


def pem(folder: Path, name: str, issuer=None):
    """Write NAME.pem (certificate and key) signed by an issuer, or by itself; return both."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    builder = x509.CertificateBuilder().subject_name(subject).public_key(key.public_key())
    builder = builder.issuer_name(issuer[0].subject if issuer else subject).serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now - dt.timedelta(hours=1)).not_valid_after(now + dt.timedelta(hours=1))
    builder = builder.add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
    names = [x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    certificate = builder.sign(issuer[1] if issuer else key, hashes.SHA256())
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / f"{name}.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + private)
    return certificate, key


@pytest.fixture(scope="module")
def secured(tmp_path_factory) -> Iterator[tuple[str, Path]]:
    """A server that asks for a client's certificate, and the folder of all certificates."""
    folder = tmp_path_factory.mktemp("tls")
    ca = pem(folder, "ca")
    pem(folder, "server", ca)
    pem(folder, "client", ca)
    pem(folder, "other")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_args) -> None:
            return

    class Server(ThreadingHTTPServer):
        def handle_error(self, request, client_address) -> None:  # a handshake that failed
            return

    server = Server(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    context.load_verify_locations(folder / "ca.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield f"https://127.0.0.1:{server.server_address[1]}", folder
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_client_with_its_certificate_is_let_in(secured, service) -> None:
    url, folder = secured
    made = service(url, tls={"ca_file": folder / "ca.pem", "cert_file": folder / "client.pem"})
    assert made.request("POST", "/", b"x").status_code == 204


def test_a_client_without_one_is_not(secured, service) -> None:
    url, folder = secured
    with pytest.raises(TransientError):
        service(url, tls={"ca_file": folder / "ca.pem"}).request("POST", "/", b"x")


def test_a_receiver_that_nobody_vouches_for_gets_nothing(secured, service) -> None:
    url, folder = secured
    with pytest.raises(TransientError, match=r"tls\.ca_file"):
        service(url, tls={"ca_file": folder / "other.pem", "cert_file": folder / "client.pem"}).request(
            "POST", "/", b"x"
        )


def test_skipping_the_check_is_possible_and_said(secured, service, caplog) -> None:
    url, folder = secured
    made = service(url, tls={"cert_file": folder / "client.pem", "insecure_skip_verify": True})
    assert made.request("POST", "/", b"x").status_code == 204
    assert "insecure_skip_verify" in caplog.text


def test_certificates_that_cannot_be_read_are_waited_for(secured, service, tmp_path: Path) -> None:
    url, _ = secured
    with pytest.raises(TransientError, match="no certificates can be read"):
        service(url, tls={"ca_file": tmp_path / "none.pem"}).request("POST", "/", b"x")
