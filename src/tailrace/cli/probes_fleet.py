"""What `tailrace doctor` looks at when a configuration names more than this machine: libraries, certificates, others.

Each probe yields nothing when the configuration does not ask for what it looks at. Nothing is sent but the greeting of
PostgreSQL: of sinks it is seen whether their ports take connections.
"""

from __future__ import annotations

import importlib.util
import socket
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from tailrace.cli.probes import Finding
from tailrace.errors import TailraceError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tailrace.config.model import Config
    from tailrace.database_url import DatabaseUrl

CONNECT_S: Final = 5.0
"""How long a machine may take to answer before it counts as away."""

_MODULES: Final = {
    "objects": "obstore",
    "postgres": "psycopg",
    "spark": "pyspark",
    "kafka": "confluent_kafka",
    "otlp": "grpc",
}
_PORTS: Final = {"http": 80, "https": 443}


def extras(config: Config) -> Iterator[Finding]:
    """Look whether the libraries are here that the configuration needs."""
    for extra, wanted_by in _wanted(config).items():
        if importlib.util.find_spec(_MODULES[extra]) is None:
            what = f"{', '.join(wanted_by)}: needs a library that is not here"
            yield Finding(f"extra {extra}", "fail", what, f"pip install 'tailrace[{extra}]'")
        else:
            yield Finding(f"extra {extra}", "ok", f"is here, for {', '.join(wanted_by)}")


def _wanted(config: Config) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    if config.table:
        found["objects"] = ["$.table"]
    if config.control is not None:
        found["postgres"] = ["$.control"]
    if config.engine.cluster is not None:
        found["spark"] = ["$.engine"]
    for index, sink in enumerate(config.sinks):
        if sink.type in _MODULES:
            found.setdefault(sink.type, []).append(f"$.sinks[{index}]")
    for index, receiver in enumerate(config.receivers):
        if receiver.type == "otlp_grpc":
            found.setdefault("otlp", []).append(f"$.receivers[{index}]")
    return found


def certificate(config: Config) -> Iterator[Finding]:
    """Look whether the certificate can be shown, as a start would."""
    if not config.tls.on:
        return
    from tailrace.access.tls import server_context

    try:
        server_context(config.tls)
    except TailraceError as error:
        yield Finding("certificate", "fail", str(error), "no server starts with it; see docs/howto/secure.md")
        return
    yield Finding("certificate", "ok", f"{config.tls.certificate} can be used")


def receivers(config: Config) -> Iterator[Finding]:
    """Look whether the ports of receivers are free, and may be taken."""
    from tailrace.intake.address import parse_address

    for one in config.receivers:
        host, number = parse_address(one.listen)
        protocols = one.protocols if one.type == "syslog" else ("tcp",)
        wanted = [name for name in protocols if not (one.tls and name == "udp")]
        refused = {name: error for name in wanted if (error := _bind(host, number, udp=name == "udp")) is not None}
        for name, error in refused.items():
            what = f"{one.listen} over {name} cannot be listened on: {error.strerror}"
            yield Finding(f"receiver {one.name}", "warn", what, why_not(error))
        if not refused:
            yield Finding(f"receiver {one.name}", "ok", f"{one.listen} is free")


def why_not(error: OSError) -> str:
    """Return what to do about a port that cannot be listened on."""
    if isinstance(error, PermissionError):
        return "ports below 1024 are root's, or need CAP_NET_BIND_SERVICE: see the systemd unit, or choose a higher one"
    return "is Tailrace running already? if not, something else listens there: choose another port"


def _bind(host: str, port: int, *, udp: bool) -> OSError | None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM if udp else socket.SOCK_STREAM) as probe:
        if not udp:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return error
    return None


def databases(config: Config) -> Iterator[Finding]:
    """Look whether the databases answer: that of several servers, and those that get lines."""
    if config.control is not None:
        todo = "it must answer when a server starts; see docs/howto/several-servers.md"
        yield _database("control", "fail", config.control, todo)
    for sink in config.sinks:
        if sink.type == "postgres":
            yield _database(f"sink {sink.name}", "warn", sink.url, "lines wait on disk until it answers")


def _database(name: str, state: str, url: DatabaseUrl, todo: str) -> Finding:
    try:
        import psycopg
    except ImportError:
        return Finding(name, "warn", "not asked: the library is not here", "pip install 'tailrace[postgres]'")
    try:
        with psycopg.connect(url.address(), connect_timeout=int(CONNECT_S)) as connection:
            version = connection.info.server_version
    except (TailraceError, psycopg.Error) as error:
        said = str(error).strip().partition("\n")[0]
        return Finding(name, "fail" if state == "fail" else "warn", f"{url.shown()}: {said}", todo)
    return Finding(name, "ok", f"{url.shown()} answers, PostgreSQL {version // 10_000}")


def sinks(config: Config) -> Iterator[Finding]:
    """Look whether those who get lines can be reached."""
    for sink in config.sinks:
        if sink.type == "ship":
            places = [*map(_place, sink.servers)]
        elif sink.type == "kafka":
            places = [_place(f"//{broker}") for broker in sink.brokers]
        elif sink.type == "store" or sink.type == "file" or sink.type == "postgres":  # noqa: PLR1714  mypy reads these
            continue
        else:
            places = [_place(sink.url)]
        for host, port in places:
            yield _reached(f"sink {sink.name}", host, port)


def _place(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 0)


def _reached(name: str, host: str, port: int) -> Finding:
    try:
        socket.create_connection((host, port), CONNECT_S).close()
    except OSError as error:
        what = f"{host}:{port} cannot be reached: {error.strerror or 'no answer'}"
        return Finding(name, "warn", what, "lines wait until it answers; correct the address if it is wrong")
    return Finding(name, "ok", f"{host}:{port} takes connections")
