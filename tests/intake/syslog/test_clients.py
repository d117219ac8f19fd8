"""rsyslog and syslog-ng, as Debian has them, send to the receiver over all of its ways."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from intake import certificates
from intake.certificates import Certificates
from intake.places import Place, place, wait_until
from tailrace.access.settings import TlsSettings
from tailrace.access.tls import server_context
from tailrace.intake.listeners import Supply
from tailrace.intake.syslog.listener import SyslogListener
from tailrace.intake.syslog.settings import SyslogSettings

LINES = 300
UNPACKED = (
    Path(__file__).parents[3] / ".venv/syslog-ng"
)  # where scripts/peers puts the package, which excludes rsyslog's

Start = Callable[..., tuple[Place, SyslogListener]]


@pytest.fixture(scope="module")
def pems(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return certificates.make(tmp_path_factory.mktemp("pems"))


@pytest.fixture
def start(pems: Certificates) -> Iterator[Start]:
    running: list[SyslogListener] = []

    def begin(*, tls: bool) -> tuple[Place, SyslogListener]:
        where = place()
        context = server_context(
            TlsSettings(certificate=pems.server, key=pems.server_key, client_ca=pems.authority if tls else None)
        )
        base = where.supply
        supply = Supply(base.sink, base.gate, base.accounts, base.clock, tls=context if tls else None)
        listener = SyslogListener(SyslogSettings(listen="127.0.0.1:0", timezone="UTC", tls=tls), supply)
        running.append(listener)
        listener.start()
        return where, listener

    yield begin
    for listener in running:
        listener.stop()


def program(command: list[str], **environment: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command,
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def check(here: Place, *, tls: bool) -> None:
    """Look at what arrived: every line once, in order, with what its program said of it."""
    wait_until(lambda: here.shelf.rows.height >= LINES)
    rows = here.shelf.rows.filter(here.shelf.rows["_line"].str.starts_with("number "))
    assert rows["_line"].to_list() == [f"number {number} of many" for number in range(LINES)]
    assert rows["_error"].null_count() == LINES
    assert set(rows["app"]) == {"shop"}
    assert rows["_stream"].str.contains('service_name="shop"', literal=True).all()
    assert rows["hostname"].null_count() == 0
    if tls:
        assert set(rows["peer_name"]) == {"edge-1"}


@pytest.mark.parametrize(
    ("protocol", "template"),
    [
        ("udp", "RSYSLOG_TraditionalForwardFormat"),
        ("tcp", "RSYSLOG_SyslogProtocol23Format"),
        ("octets", "RSYSLOG_SyslogProtocol23Format"),
        ("octets", "RSYSLOG_ForwardFormat"),
        ("tls", "RSYSLOG_SyslogProtocol23Format"),
    ],
)
def test_rsyslog(start: Start, pems: Certificates, tmp_path: Path, protocol: str, template: str) -> None:
    if shutil.which("rsyslogd") is None:
        pytest.skip("rsyslogd is not installed: scripts/peers does it")
    here, listener = start(tls=protocol == "tls")
    ways = {
        "udp": 'protocol="udp"',
        "tcp": 'protocol="tcp" TCP_Framing="traditional"',
        "octets": 'protocol="tcp" TCP_Framing="octet-counted"',
        "tls": 'protocol="tcp" TCP_Framing="octet-counted" StreamDriver="ossl" StreamDriverMode="1" '
        'StreamDriverAuthMode="anon"',
    }
    tls = (
        f'DefaultNetstreamDriverCAFile="{pems.authority}" DefaultNetstreamDriverCertFile="{pems.client}" '
        f'DefaultNetstreamDriverKeyFile="{pems.client_key}"'
    )
    source = tmp_path / "shop.log"
    config = tmp_path / "rsyslog.conf"
    config.write_text(
        f'global(workDirectory="{tmp_path}" {tls if protocol == "tls" else ""})\n'
        'module(load="imfile")\n'
        f'input(type="imfile" File="{source}" Tag="shop:" Severity="warning" Facility="local3")\n'
        f'*.* action(type="omfwd" target="127.0.0.1" port="{listener.port}" template="{template}" {ways[protocol]})\n'
    )
    source.write_text("".join(f"number {number} of many\n" for number in range(LINES)))
    process = program(["rsyslogd", "-n", "-f", str(config), "-i", str(tmp_path / "pid")])
    try:
        check(here, tls=protocol == "tls")
    finally:
        stop(process)
    row = here.shelf.rows.row(0, named=True)
    assert (row["facility"], row["severity"], row["_level"]) == (19, 4, "warn")


@pytest.mark.parametrize("way", ["network", "syslog", "tls"])
def test_syslog_ng(start: Start, pems: Certificates, tmp_path: Path, way: str) -> None:
    found = shutil.which("syslog-ng") or str(UNPACKED / "usr/sbin/syslog-ng")
    if not Path(found).exists():
        pytest.skip("syslog-ng is not installed: scripts/peers does it")
    here, listener = start(tls=way == "tls")
    source = tmp_path / "shop.log"
    source.write_text("".join(f"number {number} of many\n" for number in range(LINES)))
    tls = (
        f'transport("tls") tls(ca-file("{pems.authority}") cert-file("{pems.client}") '
        f'key-file("{pems.client_key}") peer-verify(required-trusted))'
    )
    driver = {
        "network": f'network("127.0.0.1" port({listener.port}) transport("tcp"))',
        "syslog": f'syslog("127.0.0.1" port({listener.port}) transport("tcp"))',
        "tls": f'syslog("127.0.0.1" port({listener.port}) {tls})',
    }[way]
    config = tmp_path / "syslog-ng.conf"
    config.write_text(
        "@version: 3.38\n"
        f'source s {{ file("{source}" flags(no-parse) program-override("shop") follow-freq(0.1)); }};\n'
        f"destination d {{ {driver}; }};\n"
        "log { source(s); destination(d); };\n"
    )
    modules = next(iter(UNPACKED.glob("usr/lib/syslog-ng/*/libafsocket.so")), None)
    command = [found, "-F", "-f", str(config), "-R", str(tmp_path / "persist"), "-p", str(tmp_path / "pid")]
    command += ["-c", str(tmp_path / "control"), "--no-caps"]
    if modules is not None:
        command += [f"--module-path={modules.parent}"]
    process = program(command, LD_LIBRARY_PATH=str(UNPACKED / "usr/lib/syslog-ng"))
    try:
        check(here, tls=way == "tls")
    finally:
        stop(process)
