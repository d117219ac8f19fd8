"""Receivers that never end: each call ends when its time is over, though every single byte comes in time."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import contextmanager, suppress

import pytest

from alerts.notify.inboxes import WebInbox
from alerts.notify.samples import notification, told
from tailrace.alerts.notify.receivers import Receiver
from tailrace.alerts.notify.sending import channels
from tailrace.errors import TransientError

LIMIT_S = 0.4

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")  # a plugin of Apprise


@contextmanager
def dripping(first: bytes, endless: bytes):
    """Listen; say something at once, and then a bit of it each 50 ms, for as long as anybody listens."""

    def drip(connection):
        with connection, suppress(OSError):
            connection.sendall(first)
            while True:
                connection.sendall(endless)
                time.sleep(0.05)

    def serve():
        with suppress(OSError):
            while True:
                threading.Thread(target=drip, args=(listener.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, daemon=True).start()
        yield listener.getsockname()[1]


def send(**way: object) -> None:
    receiver = Receiver.model_validate({"name": "team", **way})
    [channel] = channels(receiver)
    channel.send(notification(told("a1")))


@pytest.mark.parametrize("first", [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 100 Continue\r\n"])
def test_a_web_service_that_drips_headers(first):
    with dripping(first, b"x" if not first else b"X-A: b\r\n") as port:
        began = time.monotonic()
        with pytest.raises(TransientError, match=rf"127\.0\.0\.1:{port}.*: no answer within 0\.4 s"):
            send(webhook={"url": f"http://127.0.0.1:{port}/", "timeout_s": LIMIT_S})
        assert time.monotonic() - began < 3


def test_a_web_service_that_drips_why_it_failed():
    head = b"HTTP/1.1 503 Busy\r\nTransfer-Encoding: chunked\r\n\r\n"
    with dripping(head, b"1\r\nx\r\n") as port:
        began = time.monotonic()
        with pytest.raises(TransientError, match="answered 503"):
            send(webhook={"url": f"http://127.0.0.1:{port}/", "timeout_s": LIMIT_S})
        assert time.monotonic() - began < 3


@pytest.mark.parametrize("encryption", ["none", "starttls"])
@pytest.mark.parametrize("first", [b"", b"220 hello\r\n"])
def test_a_mail_server_that_drips(first, encryption):
    with dripping(first, b"250-x\r\n" if first else b"2") as port:
        began = time.monotonic()
        to = {"smarthost": f"127.0.0.1:{port}", "from": "a@example.com", "to": ["b@example.com"]}
        with pytest.raises(TransientError, match="no answer in time"):
            send(email={**to, "encryption": encryption, "timeout_s": LIMIT_S})
        assert time.monotonic() - began < 3


def test_addresses_of_apprise_that_drip_hold_nobody_else_up():
    """More of them than Apprise has threads; the call to each ends in time, and does not begin anew while it lasts."""
    with dripping(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n") as port, WebInbox() as inbox:
        stuck = [apprise(f"json://127.0.0.1:{port}/{number}") for number in range(8)]
        for channel in stuck:
            with pytest.raises(TransientError, match=r"no answer within 0\.05 s"):
                channel.send(notification(told("a1")))
        threads = threading.active_count()
        began = time.monotonic()
        with pytest.raises(TransientError, match=r"no answer within 0\.05 s"):
            stuck[0].send(notification(told("a1")))
        assert threading.active_count() <= threads
        apprise(f"json://127.0.0.1:{inbox.port}/", timeout_s=10).send(notification(told("a1")))
        assert len(inbox.got) == 1
        assert time.monotonic() - began < 3


def apprise(url: str, timeout_s: float = 0.05):
    receiver = Receiver.model_validate({"name": "team", "apprise": {"urls": [url], "timeout_s": timeout_s}})
    return channels(receiver)[0]
