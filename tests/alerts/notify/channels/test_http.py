"""What is shown and trusted on the way; that answers are read right is tested with the webhook."""

from __future__ import annotations

import base64
import logging
import ssl

import pytest

from alerts.notify.inboxes import Answer, WebInbox
from alerts.notify.samples import T0, notification
from tailrace.alerts.notify.channels.webhook import Webhook
from tailrace.alerts.notify.model import Refused
from tailrace.alerts.notify.receivers import Receiver
from tailrace.clock import ManualClock
from tailrace.errors import TransientError


def webhook(inbox_url: str, **settings: object) -> Webhook:
    receiver = Receiver.model_validate({"name": "team", "webhook": {"url": inbox_url, **settings}})
    assert receiver.webhook is not None
    return Webhook(receiver.webhook, ManualClock(T0))


def test_basic_auth(tmp_path) -> None:
    (tmp_path / "password").write_text("gehëim\n")
    basic = {"username": "me", "password_file": str(tmp_path / "password")}
    with WebInbox() as inbox:
        webhook(inbox.url, basic_auth=basic).send(notification())
    assert inbox.got[0].headers["authorization"] == "Basic " + base64.b64encode("me:gehëim".encode()).decode()


def test_user_of_the_address() -> None:
    with WebInbox() as inbox:
        webhook(inbox.url.replace("//", "//me:p%40ss@")).send(notification())
    assert inbox.got[0].headers["authorization"] == "Basic " + base64.b64encode(b"me:p@ss").decode()


def test_bearer_token_and_headers_from_the_environment(monkeypatch) -> None:
    monkeypatch.setenv("HOOK_TOKEN", "t0ken")
    monkeypatch.setenv("HOOK_KEY", "k3y")
    with WebInbox() as inbox:
        webhook(inbox.url, bearer_token="env:HOOK_TOKEN", headers={"X-Key": "env:HOOK_KEY"}).send(notification())
    assert inbox.got[0].headers["authorization"] == "Bearer t0ken"
    assert inbox.got[0].headers["x-key"] == "k3y"


def test_a_token_that_is_replaced_is_read_again(tmp_path) -> None:
    file = tmp_path / "token"
    file.write_text("old")
    with WebInbox() as inbox:
        channel = webhook(inbox.url, bearer_token_file=str(file))
        channel.send(notification())
        file.write_text("new")
        channel.send(notification())
    assert [posted.headers["authorization"] for posted in inbox.got] == ["Bearer old", "Bearer new"]


def test_a_secret_that_is_not_there_may_come(monkeypatch) -> None:
    monkeypatch.delenv("HOOK_TOKEN", raising=False)
    with pytest.raises(TransientError, match="HOOK_TOKEN"):
        webhook("http://127.0.0.1:1", bearer_token="env:HOOK_TOKEN").send(notification())


def test_an_answer_that_repeats_secrets_is_shown_without_them() -> None:
    with WebInbox() as inbox:
        inbox.answers.append(Answer(403, body="path /services/T0ps3cret with t0ken12 and k3yk3y is wrong"))
        channel = webhook(f"{inbox.url}/services/T0ps3cret?k=v", bearer_token="t0ken12", headers={"X-Key": "k3yk3y"})
        with pytest.raises(Refused) as raised:
            channel.send(notification())
    said = str(raised.value)
    assert said.startswith(f"{inbox.url}/: answered 403: path /********/******** with ******** and ********")
    for secret in ("T0ps3cret", "t0ken12", "k3yk3y"):
        assert secret not in said


def test_a_long_answer_is_cut_behind_its_secrets() -> None:
    with WebInbox() as inbox:
        inbox.answers.append(Answer(400, body="x" * 196 + "t0ken12" + "y" * 10_000_000))
        with pytest.raises(Refused) as raised:
            webhook(inbox.url, bearer_token="t0ken12").send(notification())
    assert str(raised.value) == f"{inbox.url}/: answered 400: " + "x" * 196 + "****"


def test_an_address_of_the_environment_that_is_none(monkeypatch) -> None:
    monkeypatch.setenv("HOOK_URL", "s3cret")
    with pytest.raises(TransientError) as raised:
        webhook("env:HOOK_URL").send(notification())
    assert str(raised.value).startswith("the address: ")
    assert "s3cret" not in str(raised.value)


def test_no_connection_shows_the_host_only() -> None:
    with pytest.raises(TransientError) as raised:
        webhook("http://me:geheim@127.0.0.1:1/T0ps3cret?q=s3cret").send(notification())
    assert str(raised.value) == "http://127.0.0.1:1/: no connection: [Errno 111] Connection refused"
    assert raised.value.__cause__ is None  # whose text a log might print, with the address
    assert raised.value.__suppress_context__


def test_the_client_logs_no_address(caplog) -> None:
    with WebInbox() as inbox, caplog.at_level(logging.INFO):
        webhook(f"{inbox.url}/T0ps3cret").send(notification())
    assert "T0ps3cret" not in caplog.text


def test_a_proxy_is_gone_through() -> None:
    with WebInbox() as proxy:
        webhook("http://receiver.invalid/hook", proxy=proxy.url).send(notification())
    assert [posted.path for posted in proxy.got] == ["http://receiver.invalid/hook"]


def test_whom_tls_trusts(certificate) -> None:
    cert, key = certificate
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    context.load_verify_locations(cert)
    context.verify_mode = ssl.CERT_OPTIONAL
    with WebInbox(context) as inbox:
        with pytest.raises(TransientError, match="CERTIFICATE_VERIFY_FAILED"):
            webhook(inbox.url).send(notification())
        webhook(inbox.url, tls={"insecure_skip_verify": True}).send(notification())
        ours = {"ca_file": str(cert), "cert_file": str(cert), "key_file": str(key)}
        webhook(inbox.url, tls=ours).send(notification())
        assert len(inbox.got) == 2
        missing = str(cert.parent / "none.pem")
        with pytest.raises(TransientError, match=r"none\.pem: no certificates can be read: No such file"):
            webhook(inbox.url, tls={"ca_file": missing}).send(notification())
