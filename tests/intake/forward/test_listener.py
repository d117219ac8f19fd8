"""The receiver of Fluent Forward over real sockets: Python's own client, hand-made ones, and hostile ones."""

from __future__ import annotations

import gzip
import hashlib
import socket
from collections.abc import Callable, Iterator
from contextlib import closing

import msgpack
import pytest
from fluent.sender import FluentSender

from intake.places import Place, place, wait_until
from tailrace.intake.forward.listener import ForwardListener
from tailrace.intake.forward.settings import ForwardSettings

KEY = "a shared key"
ENTRY = [1_700_000_000, {"log": "hello", "level": "warn", "pod": {"name": "web-1"}}]

Start = Callable[..., tuple[Place, ForwardListener]]


@pytest.fixture
def start() -> Iterator[Start]:
    running: list[ForwardListener] = []

    def begin(**settings: object) -> tuple[Place, ForwardListener]:
        where = place()
        listener = ForwardListener(ForwardSettings.model_validate({"listen": "127.0.0.1:0"} | settings), where.supply)
        running.append(listener)
        listener.start()
        return where, listener

    yield begin
    for listener in running:
        listener.stop()


class Client:
    """Speaks Forward by hand."""

    def __init__(self, listener: ForwardListener) -> None:
        self.socket = socket.create_connection(("127.0.0.1", listener.port), timeout=60)
        self._unpacker = msgpack.Unpacker()

    def send(self, *parts: object) -> None:
        self.socket.sendall(msgpack.packb(parts))

    def answer(self) -> object:
        """Return the next answer, None at the end of the connection."""
        for answer in self._unpacker:
            return answer
        while data := self.socket.recv(65_536):
            self._unpacker.feed(data)
            for answer in self._unpacker:
                return answer
        return None

    def close(self) -> None:
        self.socket.close()


def test_fluent_logger(start: Start) -> None:
    here, listener = start(labels={"site": "b"})
    sender = FluentSender("shop", host="127.0.0.1", port=listener.port, nanosecond_precision=True)
    assert sender.emit_with_time("cart", 1_700_000_000.5, {"message": "no stock", "level": "error", "items": 3})
    assert sender.emit("cart", {"message": "again"})
    sender.close()
    wait_until(lambda: len(here.shelf.lines) == 2)
    row = here.shelf.rows.row(0, named=True)
    found = {name: row[name] for name in ("_line", "_level", "items", "tag", "peer", "_time_ns", "_stream")}
    assert found == {
        "_line": "no stock",
        "_level": "error",
        "items": 3,
        "tag": "shop.cart",
        "peer": "127.0.0.1",
        "_time_ns": 1_700_000_000_500_000_000,
        "_stream": '{host="127.0.0.1", service_name="shop.cart", site="b", source="forward"}',
    }


@pytest.mark.parametrize(
    "body",
    [
        ([ENTRY], {"chunk": "c1"}),
        (msgpack.packb(ENTRY), {"chunk": "c1", "size": 1}),
        (gzip.compress(msgpack.packb(ENTRY)), {"chunk": "c1", "compressed": "gzip"}),
        (*ENTRY, {"chunk": "c1"}),
    ],
)
def test_a_chunk_is_acknowledged_when_it_is_durable_and_stored_once(start: Start, body: tuple[object, ...]) -> None:
    here, listener = start()
    here.shelf.moves.clear()
    with closing(Client(listener)) as client, closing(Client(listener)) as second:
        client.send("app", *body)
        wait_until(lambda: here.shelf.held)
        client.socket.settimeout(0.05)
        with pytest.raises(TimeoutError):
            client.answer()
        client.socket.settimeout(60)
        second.send("app", *body)  # it comes again while the first is on its way
        wait_until(lambda: here.metric("tailrace_chunks_repeated_total"))
        here.shelf.go_on()
        assert client.answer() == {"ack": "c1"}
        assert second.answer() == {"ack": "c1"}
        client.send("app", *body)
        assert client.answer() == {"ack": "c1"}
        client.send("app", [ENTRY], {"chunk": "c2"})
        assert client.answer() == {"ack": "c2"}
    assert here.shelf.lines == ["hello", "hello"]
    assert here.shelf.rows["pod_name"].to_list() == ["web-1"] * 2
    wait_until(lambda: here.supply.gate.bytes == 0)
    assert here.accounts.of("forward").closed()


def shake(client: Client, key: str) -> object:
    helo = client.answer()
    assert isinstance(helo, list)
    assert helo[0] == "HELO"
    nonce, salt = helo[1]["nonce"], b"salt"
    proof = hashlib.sha512(salt + b"edge-1" + nonce + key.encode()).hexdigest()
    client.send("PING", "edge-1", salt, proof, "", "")
    pong = client.answer()
    if isinstance(pong, list) and pong[1]:
        assert pong[4] == hashlib.sha512(salt + pong[3].encode() + nonce + key.encode()).hexdigest()
    return pong


def test_the_handshake_with_a_shared_key(start: Start) -> None:
    here, listener = start(shared_key=KEY)
    with closing(Client(listener)) as client:
        pong = shake(client, KEY)
        assert isinstance(pong, list)
        assert pong[:3] == ["PONG", True, ""]
        client.send("app", [ENTRY], {"chunk": "c"})
        assert client.answer() == {"ack": "c"}
    assert here.shelf.rows["_stream"].to_list() == ['{host="edge-1", service_name="app", source="forward"}']


def test_who_has_another_key_or_none_is_turned_away(start: Start) -> None:
    here, listener = start(shared_key=KEY)
    with closing(Client(listener)) as client:
        pong = shake(client, "a guess")
        assert isinstance(pong, list)
        assert pong[1:3] == [False, "shared_key mismatch"]
        assert pong[4] == ""
        assert client.answer() is None
    with closing(Client(listener)) as client:
        client.answer()
        client.send("app", [ENTRY])
        assert client.answer() is None
    assert here.shelf.batches == []
    assert here.metric("tailrace_connections_closed_total", why="malformed") == 2


@pytest.mark.parametrize(
    "data",
    [
        b"\xc1",
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\xdb\x7f\xff\xff\xff" + b"x" * 100_000,
        msgpack.packb(["app", gzip.compress(b"\0" * 50_000_000), {"compressed": "gzip"}]),
        msgpack.packb(["app", [ENTRY], {"fluent_signal": 1}]),
    ],
)
def test_hostile_input_costs_its_sender_the_connection(start: Start, data: bytes) -> None:
    here, listener = start(chunk_bytes=65_536)
    with closing(Client(listener)) as bad, closing(Client(listener)) as good:
        bad.socket.sendall(data)
        assert bad.answer() is None
        good.send("app", [ENTRY], {"chunk": "c"})
        assert good.answer() == {"ack": "c"}
    wait_until(lambda: here.supply.gate.bytes == 0)


def test_a_record_that_is_named_as_the_protocol_names_things(start: Start) -> None:
    here, listener = start()
    with closing(Client(listener)) as client:
        client.send("app", [[1, {"tag": "mine", "peer": 7, "log": "x"}]], {"chunk": "c"})
        client.answer()
    row = here.shelf.rows.row(0, named=True)
    assert (row["tag"], row["tag_extracted"], row["peer"], row["peer_extracted"]) == ("app", "mine", "127.0.0.1", 7)


def test_a_stop_acknowledges_what_has_arrived(start: Start) -> None:
    here, listener = start()
    with closing(Client(listener)) as client:
        client.send("app", [ENTRY] * 1_000, {"chunk": "c"})
        wait_until(lambda: here.supply.gate.bytes or here.shelf.batches)
        listener.stop()
        assert client.answer() == {"ack": "c"}
    assert len(here.shelf.lines) == 1_000
    listener.stop = lambda: None  # type: ignore[method-assign]  # the fixture's
