from __future__ import annotations

import ssl
from typing import Any

import pytest
from aiosmtpd.smtp import AuthResult, LoginPassword

from alerts.notify.inboxes import MailInbox
from alerts.notify.samples import notification, told
from tailrace.alerts.notify.channels.email import Email
from tailrace.alerts.notify.message import Message, usual
from tailrace.alerts.notify.model import Refused
from tailrace.alerts.notify.receivers import Receiver
from tailrace.errors import TransientError


def email(inbox: MailInbox, writing: Any = usual, **settings: object) -> Email:
    settings = {
        "smarthost": f"127.0.0.1:{inbox.port}",
        "from": "Tailrace <tailrace@example.com>",
        "to": ["one@example.com", "Zwei <two@example.com>"],
        "encryption": "none",
        "hello": "test",
        "timeout_s": 5,
        **settings,
    }
    receiver = Receiver.model_validate({"name": "team", "email": settings})
    assert receiver.email is not None
    return Email(receiver.email, writing)


def test_one_message_to_all() -> None:
    with MailInbox() as inbox:
        email(inbox).send(notification(told("a1"), told("b1", "resolved")))
    [mail] = inbox.got
    assert (mail.sender, mail.to) == ("tailrace@example.com", ("one@example.com", "two@example.com"))
    message = mail.message
    assert message["Subject"] == "[FIRING:1] CartErrors severity=page"
    assert message["From"] == "Tailrace <tailrace@example.com>"
    assert message["To"] == "one@example.com, Zwei <two@example.com>"
    assert message["Date"].datetime.isoformat() == "2023-11-14T22:13:20+00:00"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message.get_content().startswith("Firing (1)\n\n- CartErrors host=a1\n  a1 has errors\n  value: 3.5\n")


def test_a_repetition_has_the_same_id_and_all_of_a_group_make_one_thread() -> None:
    with MailInbox() as inbox:
        channel = email(inbox)
        channel.send(notification(key="1"))
        channel.send(notification(key="1"))
        channel.send(notification(told("a1", "resolved"), key="2"))
        channel.send(notification(key="3", group_key="another"))
    ids = [mail.message["Message-ID"] for mail in inbox.got]
    threads = [mail.message["References"] for mail in inbox.got]
    assert ids[0] == ids[1] != ids[2]
    assert ids[0].endswith("@example.com>")
    assert threads[0] == threads[1] == threads[2] != threads[3]


def test_odd_texts_are_sent() -> None:
    def write(_: object) -> Message:
        return Message("Prüfung \udcff", "x" * 3000 + "\n.\n\udcffü")

    with MailInbox() as inbox:
        email(inbox, write).send(notification())
    assert inbox.got[0].message["Subject"] == "Prüfung ?"
    assert inbox.got[0].message.get_content() == "x" * 3000 + "\n.\n?ü\n"


def test_away_then_back() -> None:
    inbox = MailInbox().open()
    channel = email(inbox)
    inbox.close()
    with pytest.raises(TransientError, match=rf"127\.0\.0\.1:{inbox.port}: .*refused"):
        channel.send(notification())
    with inbox:
        channel.send(notification())
    assert len(inbox.got) == 1


def test_an_address_that_is_not_taken_yet_is_tried_again_alone() -> None:
    with MailInbox() as inbox:
        channel = email(inbox)
        inbox.refuse["two@example.com"] = "450 greylisted"
        with pytest.raises(TransientError, match=r"two@example\.com: 450 greylisted"):
            channel.send(notification())
        inbox.refuse.clear()
        channel.send(notification())
        channel.send(notification(key="another"))
    assert [mail.to for mail in inbox.got] == [
        ("one@example.com",),
        ("two@example.com",),
        ("one@example.com", "two@example.com"),
    ]


def test_an_address_that_is_refused_for_good_is_told_of_though_the_others_have_it() -> None:
    with MailInbox() as inbox:
        inbox.refuse["two@example.com"] = "550 nobody of this name"
        with pytest.raises(Refused, match=r"two@example\.com: 550 nobody of this name"):
            email(inbox).send(notification())
    assert [mail.to for mail in inbox.got] == [("one@example.com",)]


def test_all_refused() -> None:
    with MailInbox() as inbox:
        inbox.refuse = {"one@example.com": "550 no", "two@example.com": "451 later"}
        with pytest.raises(TransientError, match="451 later"):
            email(inbox).send(notification())
        inbox.refuse["two@example.com"] = "550 no"
        with pytest.raises(Refused, match="550 no"):
            email(inbox).send(notification())


@pytest.mark.parametrize(("said", "error"), [("452 full", TransientError), ("554 spam", Refused)])
def test_a_message_that_is_not_taken(said: str, error: type[Exception]) -> None:
    with MailInbox() as inbox:
        inbox.refuse_data = said
        with pytest.raises(error, match=said):
            email(inbox).send(notification())


def test_no_starttls_is_no_mail() -> None:
    with MailInbox() as inbox:
        with pytest.raises(Refused, match="STARTTLS"):
            email(inbox, encryption="auto").send(notification())
        assert inbox.got == []


def test_starttls_and_login(certificate, monkeypatch) -> None:
    cert, key = certificate
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)

    def allow(server: object, session: object, envelope: object, mechanism: str, data: LoginPassword) -> AuthResult:
        return AuthResult(success=(data.login, data.password) == (b"me", b"geheim"), handled=False)

    monkeypatch.setenv("MAIL_PASSWORD", "geheim")
    inbox = MailInbox(tls_context=context, authenticator=allow, auth_required=True, require_starttls=True)
    with inbox:
        login = {"username": "me", "password": "env:MAIL_PASSWORD", "tls": {"ca_file": str(cert)}}
        email(inbox, encryption="auto", **login).send(notification())
        assert len(inbox.got) == 1
        with pytest.raises(TransientError, match="CERTIFICATE_VERIFY_FAILED"):
            email(inbox, encryption="auto", **{**login, "tls": {}}).send(notification())
        with pytest.raises(Refused, match="535") as raised:
            email(inbox, encryption="auto", **{**login, "password": "wr0ng"}).send(notification())
        assert "wr0ng" not in str(raised.value)


def test_tls_from_the_start(certificate) -> None:
    cert, key = certificate
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    with MailInbox(ssl_context=context) as inbox:
        email(inbox, encryption="tls", tls={"ca_file": str(cert)}).send(notification())
        with pytest.raises(TransientError, match="CERTIFICATE_VERIFY_FAILED"):
            email(inbox, encryption="tls").send(notification())
    assert len(inbox.got) == 1
