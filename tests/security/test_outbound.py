"""Attempts to have the server call where it should not (SSRF), and to have it read files and its environment."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from security.conftest import House, running
from tailrace.access.outbound import ForbiddenError, Outbound
from tailrace.alerts.notify.model import Refused
from tailrace.alerts.notify.receivers import Receiver
from tailrace.alerts.notify.sending import attempt
from tailrace.errors import DataError, TransientError

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")  # a plugin of Apprise

INSIDE = [
    "127.0.0.1", "127.1", "127.0.0.1.", "0", "0.0.0.0", "2130706433", "0x7f000001", "017700000001", "0x7f.1",
    "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]",
    "169.254.169.254", "2852039166", "[::ffff:a9fe:a9fe]", "[fe80::1]", "[fd00:ec2::254]", "10.0.0.1", "172.16.0.1",
    "192.168.1.1", "100.64.0.1", "100.100.100.200", "224.0.0.1", "255.255.255.255", "240.0.0.1", "192.0.0.192",
    "168.63.129.16", "[fec0::1]", "[2002:a83f:8110::]", "localhost", "LOCALHOST", "localhost.",
]  # fmt: skip


@pytest.mark.parametrize("host", INSIDE)
def test_no_place_inside_is_called_however_it_is_written(host: str) -> None:
    with pytest.raises(ForbiddenError):
        Outbound().addresses(host, 80)


@pytest.mark.parametrize("host", ["169.254.169.254", "2852039166", "[::ffff:a9fe:a9fe]", "[fe80::1]", "0.0.0.0"])
def test_metadata_of_clouds_is_not_called_even_where_this_machine_may_be(host: str) -> None:
    with pytest.raises(ForbiddenError):
        Outbound(trusting=True).addresses(host, 80)


def test_a_name_with_one_place_inside_is_not_called() -> None:
    bound = Outbound(resolve=lambda _host, _port: ["93.184.216.34", "10.0.0.1"])
    with pytest.raises(ForbiddenError):
        bound.addresses("mixed.example", 80)


def test_what_the_operator_allows_is_called() -> None:
    bound = Outbound(["10.1.0.0/16", "hooks.internal"], resolve=lambda host, _: {"hooks.internal": ["192.168.0.9"]}.get(host, [host]))  # fmt: skip
    assert bound.addresses("10.1.2.3", 80) == ["10.1.2.3"]
    assert bound.addresses("Hooks.Internal.", 80) == ["192.168.0.9"]
    with pytest.raises(ForbiddenError):
        bound.addresses("10.2.0.1", 80)


# --- at the call ------------------------------------------------------------------------------------


class Inside(BaseHTTPRequestHandler):
    """A service of the inside: it counts who calls, and sends them on."""

    calls: list[str] = []  # noqa: RUF012  one list for the one server

    def do_POST(self) -> None:
        self.calls.append(self.path)
        self.send_response(307)
        self.send_header("Location", "/secret")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def inside() -> Iterator[int]:
    Inside.calls.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Inside)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


def told(webhook: dict[str, object], outbound: Outbound | None) -> str:
    (tried,) = attempt(Receiver.model_validate({"name": "r", "webhook": webhook}), outbound=outbound)
    return tried.error


def test_a_redirect_is_not_followed(inside: int) -> None:
    error = told({"url": f"http://127.0.0.1:{inside}/hook"}, None)
    assert "answered 307" in error
    assert Inside.calls == ["/hook"]


def test_a_name_that_means_something_else_at_the_call_is_not_called(inside: int) -> None:
    """Rebinding: at the check the name is outside, when it is called it is inside."""
    answers = iter([["93.184.216.34"], ["127.0.0.1"]])
    bound = Outbound(resolve=lambda _host, _port: next(answers))
    bound.check("rebind.example", inside)
    assert "private network" in told({"url": f"http://rebind.example:{inside}/"}, bound)
    assert Inside.calls == []


def test_the_address_that_was_looked_at_is_the_one_that_is_called(inside: int) -> None:
    """There is one look-up for a call: a second one could give another answer."""
    looked: list[str] = []

    def resolve(host: str, _port: int) -> list[str]:
        looked.append(host)
        return ["127.0.0.1"] if len(looked) == 1 else ["203.0.113.1"]

    told({"url": f"http://pinned.example:{inside}/hook"}, Outbound(["pinned.example"], resolve=resolve))
    assert (looked, Inside.calls) == (["pinned.example"], ["/hook"])


def test_a_proxy_inside_is_not_called(inside: int) -> None:
    webhook = {"url": "http://example.com/", "proxy": f"http://127.0.0.1:{inside}"}
    assert "private network" in told(webhook, Outbound())
    assert Inside.calls == []


def test_mail_is_not_sent_inside(inside: int) -> None:
    email = {"smarthost": f"127.0.0.1:{inside}", "from": "a@example.com", "to": "b@example.com", "encryption": "none"}
    (tried,) = attempt(Receiver.model_validate({"name": "r", "email": email}), outbound=Outbound())
    assert "private network" in tried.error
    assert Inside.calls == []


# --- over the API -----------------------------------------------------------------------------------

MAIL = {"from": "a@example.com", "to": "b@example.com", "encryption": "none"}


@pytest.mark.parametrize(
    "ways",
    [
        {"webhook": "http://127.0.0.1:9/"},
        {"webhook": "http://169.254.169.254/latest/meta-data/"},
        {"webhook": "http://[::ffff:10.0.0.1]/"},
        {"webhook": "http://2130706433/"},
        {"webhook": {"url": "https://93.184.216.34/", "proxy": "http://10.0.0.1:3128"}},
        {"alertmanager": ["http://10.0.0.1:9093"]},
        {"alertmanager": ["http://93.184.216.34", "http://localhost:9093"]},
        {"pagerduty": {"routing_key": "k", "url": "http://192.168.0.1/"}},
        {"email": {"smarthost": "127.0.0.1:25", **MAIL}},
        {"apprise": "json://10.0.0.1/x"},
        {"apprise": "json://rebind.example/x"},
        {"apprise": ["slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#x", "xml://localhost/"]},
        {"webhook": "gopher://127.0.0.1:6379/_x"},
        {"webhook": "file:///etc/passwd"},
        {"webhook": {"url": "env:HOME"}},
        {"webhook": {"url": "https://93.184.216.34/", "bearer_token": "env:AWS_SECRET_ACCESS_KEY"}},
        {"webhook": {"url": "https://93.184.216.34/", "bearer_token_file": "/etc/shadow"}},
        {"webhook": {"url": "https://93.184.216.34/", "headers": {"X": "env:PATH"}}},
        {"webhook": {"url_file": "/etc/passwd"}},
        {"webhook": {"url": "https://93.184.216.34/", "tls": {"ca_file": "/etc/passwd"}}},
        {"pagerduty": {"routing_key_file": "/etc/passwd"}},
        {"email": {"smarthost": "93.184.216.34:25", "username": "u", "password_file": "/etc/shadow", **MAIL}},
        {"apprise": {"urls_file": "/etc/passwd"}},
    ],
    ids=str,
)
def test_a_receiver_that_leads_inside_is_not_saved(house: House, ways: dict[str, object]) -> None:
    with house.client("operator") as client:
        answer = client.put("/api/v1/receivers/evil", json={"receiver": {"name": "evil", **ways}})
        assert answer.status_code == 400, answer.text
        assert client.get("/api/v1/receivers/evil").status_code == 404


def test_a_receiver_that_leads_outside_is_saved(house: House) -> None:
    with house.client("operator") as client:
        webhook = {"url": "https://93.184.216.34/hook", "bearer_token": "tok"}
        assert client.put("/api/v1/receivers/fine", json={"receiver": {"webhook": webhook}}).status_code == 200
        assert client.delete("/api/v1/receivers/fine").status_code == 200


def test_what_the_configuration_says_may_be_called(inside: int) -> None:
    assert "answered 307" in told({"url": f"http://127.0.0.1:{inside}/hook"}, None)


# --- secrets of receivers ---------------------------------------------------------------------------

SECRET = "canary-webhook-token-5d2b"


def test_a_copy_of_the_control_database_holds_no_secret(tmp_path: Path) -> None:
    with running(tmp_path) as house, house.client() as client:
        webhook = {"url": f"https://93.184.216.34/{SECRET}", "bearer_token": SECRET, "headers": {"X-Key": SECRET}}
        assert client.put("/api/v1/receivers/hook", json={"receiver": {"webhook": webhook}}).status_code == 200
        (found,) = [one for one, _ in house.server._alerting.notifier.receivers.all() if one.name == "hook"]
        assert found.webhook is not None
        assert found.webhook.bearer_token is not None
        assert found.webhook.bearer_token.reveal() == SECRET
    copies = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any(path.name.startswith("control") for path in copies)
    assert [path for path in copies if SECRET.encode() in path.read_bytes()] == []


def test_what_was_kept_before_is_sealed_at_the_start(tmp_path: Path) -> None:
    from sqlalchemy import insert, select

    from tailrace.alerts.notify.tables import RECEIVERS
    from tailrace.control import Control

    with running(tmp_path):
        pass
    control = Control.open(tmp_path)
    text = json.dumps({"receiver": {"name": "old", "webhook": f"https://93.184.216.34/{SECRET}"}})
    with control.transaction() as connection:
        connection.execute(insert(RECEIVERS).values(name="old", definition=text, saved_ns=1))
    with running(tmp_path) as house:
        assert [one.name for one, _ in house.server._alerting.notifier.receivers.all()] == ["old"]
        with control.reading() as connection:
            assert SECRET not in connection.execute(select(RECEIVERS.c.definition)).scalar_one()
    control.close()


def test_failures_are_of_the_kinds_that_senders_know() -> None:
    """What is forbidden is final: a delivery is parked, not tried for days."""
    assert issubclass(Refused, Exception)
    assert not issubclass(ForbiddenError, TransientError | DataError)
