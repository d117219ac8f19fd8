"""The handshake: what proves the key, and what does not."""

from __future__ import annotations

import hashlib

import msgpack
import pytest

from tailrace.errors import DataError
from tailrace.intake.forward.handshake import Handshake
from tailrace.secret import Secret


def proof(key: bytes, nonce: bytes, name: bytes = b"edge") -> str:
    return hashlib.sha512(b"salt" + name + nonce + key).hexdigest()


def begun() -> tuple[Handshake, bytes]:
    handshake = Handshake(Secret("key"), "here")
    kind, options = msgpack.unpackb(handshake.helo())
    assert (kind, options["auth"], len(options["nonce"])) == ("HELO", b"", 16)
    return handshake, options["nonce"]


def test_who_knows_the_key_is_told_that_we_do() -> None:
    handshake, nonce = begun()
    answer, name = handshake.pong(msgpack.packb(["PING", "edge", b"salt", proof(b"key", nonce), "", ""]))
    assert name == "edge"
    assert msgpack.unpackb(answer) == ["PONG", True, "", "here", proof(b"key", nonce, b"here")]


def test_what_was_overheard_proves_nothing_again() -> None:
    _, nonce = begun()
    again, other = begun()
    assert nonce != other
    answer, name = again.pong(msgpack.packb(["PING", "edge", b"salt", proof(b"key", nonce), "", ""]))
    assert (name, msgpack.unpackb(answer)) == (None, ["PONG", False, "shared_key mismatch", "here", ""])


@pytest.mark.parametrize(
    "ping",
    [
        b"\xc1",
        msgpack.packb(["PING"]),
        msgpack.packb(["PONG", "edge", b"salt", "x", "", ""]),
        msgpack.packb(["PING", 1, b"salt", "x", "", ""]),
        msgpack.packb(["PING", "edge", b"salt", {}, "", ""]),
        msgpack.packb(["app", 1, {"log": "x"}]),
    ],
)
def test_another_message_is_refused(ping: bytes) -> None:
    handshake, _ = begun()
    with pytest.raises(DataError):
        handshake.pong(ping)
