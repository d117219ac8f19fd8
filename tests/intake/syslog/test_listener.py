"""The syslog receiver over real sockets, with clients of Python's own library and hostile ones."""

from __future__ import annotations

import logging
import logging.handlers
import socket
from collections.abc import Callable, Iterator

import pytest

from intake.places import Place, place, wait_until
from tailrace.errors import ConfigError, TransientError
from tailrace.intake.listeners import Listeners
from tailrace.intake.syslog.listener import SyslogListener
from tailrace.intake.syslog.settings import SyslogSettings

Start = Callable[..., tuple[Place, SyslogListener]]


@pytest.fixture
def start() -> Iterator[Start]:
    running: list[SyslogListener] = []

    def begin(here: Place | None = None, **settings: object) -> tuple[Place, SyslogListener]:
        where = here or place()
        given = {"listen": "127.0.0.1:0", "timezone": "UTC"} | settings
        listener = SyslogListener(SyslogSettings.model_validate(given), where.supply)
        running.append(listener)
        listener.start()
        return where, listener

    yield begin
    for listener in running:
        listener.stop()


def tcp(listener: SyslogListener) -> socket.socket:
    return socket.create_connection(("127.0.0.1", listener.port), timeout=60)


def udp(listener: SyslogListener, *datagrams: bytes) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for data in datagrams:
            sock.sendto(data, ("127.0.0.1", listener.port))


@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_STREAM])
def test_pythons_own_handler(start: Start, kind: socket.SocketKind) -> None:
    here, listener = start()
    handler = logging.handlers.SysLogHandler(("127.0.0.1", listener.port), socktype=kind)
    handler.ident = "cart[7]: "
    record = logging.LogRecord("cart", logging.ERROR, "f.py", 1, "no stock for %s", ("tea",), None)
    handler.emit(record)
    handler.close()
    wait_until(lambda: here.shelf.batches)
    row = here.shelf.rows.row(0, named=True)
    found = {name: row[name] for name in ("_line", "_level", "app", "procid", "facility", "severity", "peer")}
    assert found == {
        "_line": "no stock for tea",
        "_level": "error",
        "app": "cart",
        "procid": "7",
        "facility": 1,
        "severity": 3,
        "peer": "127.0.0.1",
    }
    assert row["_stream"] == '{host="127.0.0.1", service_name="cart", source="syslog"}'


def test_framings_mix_on_one_connection_and_order_is_kept(start: Start) -> None:
    here, listener = start()
    with tcp(listener) as sock:
        sock.sendall(
            b"<13>1 2024-01-01T00:00:00Z a app - - - one\n55 <13>1 2024-01-01T00:00:00Z a app - - - two\nof two li"
        )
        sock.sendall(b"nes<13>1 2024-01-01T00:00:00Z a app - - - three\0raw four\n<13>five without end")
    wait_until(lambda: len(here.shelf.lines) == 5)
    rows = here.shelf.rows
    assert rows["_line"].to_list() == ["one", "two\nof two lines", "three", "raw four", "five without end"]
    assert rows["_observed_ns"].is_sorted()
    assert rows["_observed_ns"].n_unique() == 5
    assert rows["_error"].to_list() == [None, None, None, "SyslogParserErr", None]


def test_a_stop_takes_what_has_arrived_and_waits_until_it_is_stored(start: Start) -> None:
    here, listener = start()
    lines = [b"<13>line %d of many\n" % number for number in range(5_000)]
    with tcp(listener) as sock:
        sock.sendall(b"".join(lines))
        udp(listener, b"<13>a datagram")
        wait_until(lambda: here.supply.gate.bytes or here.shelf.batches)
        listener.stop()
    assert sorted(here.shelf.lines) == sorted(["a datagram", *(line.decode()[4:-1] for line in lines)])
    account = here.accounts.of("syslog")
    assert (account.lines["stored"], account.closed(), here.supply.gate.bytes) == (5_001, True, 0)
    listener.stop = lambda: None  # type: ignore[method-assign]  # the fixture's


def test_a_message_that_is_too_long_is_cut_and_the_next_is_read(start: Start) -> None:
    here, listener = start(message_bytes=480)
    with tcp(listener) as sock:
        sock.sendall(b"<13>" + b"x" * 100_000 + b"\n<13>next\n2000 <13>" + b"y" * 1_996 + b"<13>last\n")
    udp(listener, b"<13>" + b"z" * 996)
    wait_until(lambda: len(here.shelf.lines) == 5)
    rows = here.shelf.rows
    assert sorted(rows["_line"].str.len_chars()) == [4, 4, 476, 476, 476]
    assert rows["_error"].drop_nulls().to_list() == ["SyslogMessageCut"] * 3
    assert here.metric("tailrace_syslog_cut_bytes_total") == (100_004 - 480) + (2_000 - 480) + (1_000 - 480)


def test_only_allowed_networks_may_send(start: Start) -> None:
    here, listener = start(allow=["192.0.2.0/24"])
    with tcp(listener) as sock:
        assert sock.recv(1) == b""
    udp(listener, b"<13>x")
    wait_until(lambda: here.metric("tailrace_datagrams_dropped_total", why="not allowed"))
    assert here.metric("tailrace_connections_closed_total", why="not allowed") == 1
    assert here.shelf.batches == []


def test_what_cannot_be_stored_now_is_tried_again(start: Start) -> None:
    here, listener = start()
    here.shelf.failures = [TransientError("the disk is full"), TransientError("still")]
    udp(listener, b"<13>kept")
    wait_until(lambda: here.shelf.lines == ["kept"])
    wait_until(lambda: here.supply.gate.bytes == 0)
    assert here.accounts.of("syslog").closed()


def test_fields_that_can_never_be_stored_are_left_out(start: Start) -> None:
    here, listener = start()
    here.shelf.failures = [ValueError("a field is no good")]
    udp(listener, b"<13>app: kept")
    wait_until(lambda: here.shelf.lines == ["kept"])
    assert here.shelf.rows["_error"].to_list() == ["ReceiverFailure"]


@pytest.mark.parametrize(
    ("sent", "lines"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", ["GET / HTTP/1.1", "Host: x"]),
        (b"\x16\x03\x01\x02\x00\x01\n", ["\x16\x03\x01\x02", "\x01"]),  # the beginning of TLS
        (b"\xff\xfe<13>x\n", ["\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}<13>x"]),
        (b"<13>unfinished", ["unfinished"]),
        (b"40 <13>unfinished", ["unfinished"]),
        (b"9999999 <13>" + b"x" * 70_000, ["x" * 65_532]),
        (b"\n\0\r\n" * 1_000 + b"<13>x\n", ["x"]),
    ],
)
def test_odd_input_is_kept_and_stops_nobody(start: Start, sent: bytes, lines: list[str]) -> None:
    here, listener = start()
    with tcp(listener) as sock:
        sock.sendall(sent)
    wait_until(lambda: here.shelf.lines == lines)
    with tcp(listener) as sock:
        sock.sendall(b"<13>good\n")
        wait_until(lambda: here.shelf.lines == [*lines, "good"])
    wait_until(lambda: here.supply.gate.bytes == 0)


def test_a_slow_sender_is_given_up_and_what_it_said_is_kept(start: Start) -> None:
    here, listener = start(idle_s=0.2)
    with tcp(listener) as sock:
        sock.sendall(b"<13>one\n<13>tw")
        assert sock.recv(1) == b""
    wait_until(lambda: here.shelf.lines == ["one", "tw"])


def test_a_port_that_is_taken_is_said_at_once() -> None:
    here = place()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = SyslogSettings(listen=f"127.0.0.1:{taken.getsockname()[1]}")
        with pytest.raises(ConfigError, match="cannot listen"):
            Listeners([settings], here.supply)


def test_tls_needs_a_certificate() -> None:
    with pytest.raises(ConfigError, match="no certificate"):
        Listeners([SyslogSettings(listen="127.0.0.1:0", tls=True)], place().supply)


def test_one_that_never_started_frees_its_port() -> None:
    here = place()
    free = SyslogSettings(listen="127.0.0.1:0", name="first")
    with pytest.raises(ConfigError):
        Listeners([free, SyslogSettings(listen="127.0.0.1:0", tls=True, name="second")], here.supply)
    assert here.shelf.batches == []
