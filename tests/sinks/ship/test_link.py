"""Who is on the other end is proved, on both ends; what goes wrong is said without the token."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from pathlib import Path

import pytest

from sinks.ship.certificates import Authority
from sinks.ship.fake_server import FakeServer, Said, serving
from tailrace.access.client_tls import ClientTls
from tailrace.access.settings import TlsSettings as ServerTls
from tailrace.access.tls import server_context
from tailrace.errors import ConfigError, TransientError
from tailrace.shipment import AGENTS, BATCHES, Heading
from tailrace.sinks.ship.link import Answer, Link, trusted
from tailrace.sinks.ship.settings import ShipSettings


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ours"))


@pytest.fixture(scope="module")
def secured(ours: Authority) -> Iterator[FakeServer]:
    """A server that lets in only whom our authority certified."""
    certificate, key = ours.certify("server")
    with serving(
        FakeServer(), server_context(ServerTls(certificate=certificate, key=key, client_ca=ours.file))
    ) as fake:
        yield fake


def link(server: str, **tls: object) -> Link:
    settings = ShipSettings(servers=[server], token="tr_secret_of_ours", tls=ClientTls(**tls), timeout_s=20)
    return Link(server, settings, trusted(settings.tls))


def test_both_ends_are_proved(secured: FakeServer, ours: Authority) -> None:
    certificate, key = ours.certify("agent")
    made = link(secured.address, ca_file=ours.file, cert_file=certificate, key_file=key)
    assert made.ask("POST", BATCHES, Heading("web", 3, -1).headers()) == Answer(200, 3, why="OK")
    assert made.ask("GET", f"{AGENTS}/web") == Answer(200, 3, why="OK")
    assert secured.asked[-1]["Authorization"] == "Bearer tr_secret_of_ours"
    made.close()


def test_who_is_not_certified_gets_no_answer(secured: FakeServer, ours: Authority, tmp_path: Path) -> None:
    stranger = Authority(tmp_path / "stranger")
    certificate, key = stranger.certify("agent")
    asked = len(secured.asked)
    for tls in (
        {"ca_file": ours.file},  # shows no certificate
        {"ca_file": ours.file, "cert_file": certificate, "key_file": key},
        {"ca_file": stranger.file},  # does not believe the server
        {},
    ):
        with pytest.raises(TransientError, match="https://127") as failed:
            link(secured.address, **tls).ask("GET", f"{AGENTS}/web")
        assert "tr_secret" not in str(failed.value)
    assert len(secured.asked) == asked


def test_a_server_may_be_believed_blindly_when_told_so(secured: FakeServer, ours: Authority) -> None:
    certificate, key = ours.certify("blind")
    made = link(secured.address, insecure_skip_verify=True, cert_file=certificate, key_file=key)
    assert made.ask("GET", f"{AGENTS}/nobody").status == 200
    made.close()


def test_files_that_are_no_certificates_are_named(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.pem"
    wrong.write_text("no certificate")
    for tls in ({"ca_file": wrong}, {"cert_file": wrong}, {"ca_file": tmp_path / "absent.pem"}):
        with pytest.raises(ConfigError, match=r"wrong\.pem|absent\.pem"):
            trusted(ClientTls(**tls))


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7.0),
        ({"Retry-After": "1000000000"}, 300.0),
        ({"Retry-After": "-5"}, 0.0),
        ({"Retry-After": "nan"}, 0.0),
        ({"Retry-After": "soon"}, 0.0),
        ({"Retry-After": "Thu, 01 Jan 1970 00:00:00 +99999999999999"}, 0.0),
        ({"Retry-After": "Fri, 02 Jan 2026 00:00:30 GMT", "Date": "Fri, 02 Jan 2026 00:00:00 GMT"}, 30.0),
        ({"Retry-After": "Thu, 01 Jan 2026 00:00:00 GMT", "Date": "Fri, 02 Jan 2026 00:00:00 GMT"}, 0.0),
        ({}, 0.0),
    ],
)
def test_retry_after_is_a_number_or_a_date(headers: dict[str, str], seconds: float) -> None:
    from tailrace.sinks.ship.link import _seconds

    assert _seconds(headers.get("Retry-After"), headers.get("Date")) == seconds


def test_an_answer_says_why() -> None:
    with serving(FakeServer(script=deque([Said(503, {"Retry-After": "2"}, "no\r\nspace")]))) as fake:
        made = link(fake.address)
        answer = made.ask("POST", BATCHES, Heading("web", 3, -1).headers())
        assert answer == Answer(503, None, 2.0, "no space")
        made.close()
