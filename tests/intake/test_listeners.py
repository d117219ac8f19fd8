"""All receivers together: started and stopped as one; one that fails does not keep the others."""

from __future__ import annotations

import socket

import pytest

from intake.places import place, wait_until
from tailrace.errors import ConfigError
from tailrace.intake.forward.settings import ForwardSettings
from tailrace.intake.listeners import Listeners
from tailrace.intake.syslog.settings import SyslogSettings


def test_they_listen_until_they_are_stopped(caplog: pytest.LogCaptureFixture) -> None:
    here = place()
    receivers = [SyslogSettings(listen="127.0.0.1:0"), ForwardSettings(listen="127.0.0.1:0")]
    listeners = Listeners(receivers, here.supply)
    syslog, forward = listeners.addresses
    assert syslog.startswith("syslog udp+tcp://127.0.0.1:")
    assert forward.startswith("forward tcp://127.0.0.1:")
    listeners.start()
    with socket.create_connection(("127.0.0.1", int(syslog.rpartition(":")[2])), 60) as sock:
        sock.sendall(b"<13>hello\n")
        wait_until(lambda: here.shelf.lines == ["hello"])

    def fail() -> None:
        raise RuntimeError("it hangs")

    failing = listeners._all[0]
    stop, failing.stop = failing.stop, fail  # type: ignore[method-assign]
    listeners.stop()
    assert "did not stop as it should" in caplog.text
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", int(forward.rpartition(":")[2])), 60)
    stop()


def test_none_of_them_costs_nothing() -> None:
    listeners = Listeners([], place().supply)
    listeners.start()
    listeners.stop()
    assert listeners.addresses == []


def test_a_port_that_is_bound_and_not_yet_used_is_told_of_at_once() -> None:
    here = place()
    first = Listeners([SyslogSettings(listen="127.0.0.1:0", protocols=("tcp",))], here.supply)
    port = first.addresses[0].rpartition(":")[2]
    with pytest.raises(ConfigError, match=r"cannot listen on .* in use .*is something else listening there"):
        Listeners([ForwardSettings(listen=f"127.0.0.1:{port}")], here.supply)
    first.stop()
