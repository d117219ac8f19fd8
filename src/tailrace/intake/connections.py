"""Connections of receivers that are not HTTP: one TCP port, its event loop in a thread of its own, and who may connect.

Comes in: a bound socket, the gate, networks that may send, a TLS context or none, and what talks with a peer (`Talk`).
Goes out: a conversation per connection. Refuses peers of other networks, and connections beyond the limits of the gate:
they are closed and counted. A connection that fails, or whose talk raises, ends alone.

A stop takes no new connection, lets what is on its way arrive for a moment, then ends the input of each one, so that
its talk takes what was received and says its last answers.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import socket
import ssl
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

from tailrace.errors import ConfigError, DataError, Problem
from tailrace.intake.address import network_of, parse_address
from tailrace.intake.gate import Overloaded, client_of

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence

    from tailrace.intake.address import ReceiverSettings
    from tailrace.intake.listeners import Supply

READ_BYTES: Final = 64 * 1024
"""Bytes that one connection hands out at a time; as many again may wait in its buffer."""

HANDSHAKE_S: Final = 10.0
"""Time that a TLS handshake may take."""

QUIET_S: Final = 0.1
"""A stop ends the input when nothing came for so long: what was sent before it has arrived."""

GRACE_S: Final = 2.0
"""Longest time that a stop waits for that, and then for the talks to end."""

ANSWER_S: Final = 25.0
"""Longest time that a stop waits for talks that wait for a commit."""

STOP_S: Final = GRACE_S + ANSWER_S + 3.0
"""Longest time that it all takes."""

_BACKLOG: Final = 256
_LOGGER: Final = logging.getLogger(__name__)
_CLOSED: Final = "Connections of receivers that were closed from here, by reason."


@dataclass(frozen=True, slots=True)
class Peer:
    """Who is at the other end: address, the name under which the gate counts it, and the name in its certificate."""

    address: str
    client: str
    name: str | None = None


class Talk(Protocol):
    """What talks with a peer until its input ends; `DataError` closes the connection and is counted."""

    def __call__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, peer: Peer
    ) -> Coroutine[None, None, None]:
        """Talk; what is received meanwhile is held by the gate."""
        ...


class Allowed:
    """Who may send: everybody, or the networks of the settings."""

    def __init__(self, networks: Sequence[str]) -> None:
        self._networks = [network for one in networks if (network := network_of(one)) is not None]

    def __call__(self, address: str) -> bool:
        """Tell whether an address may."""
        if not self._networks:
            return True
        try:
            found = ipaddress.ip_address(address.partition("%")[0])
        except ValueError:
            return False
        if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
            found = found.ipv4_mapped
        return any(found in network for network in self._networks)


def bound(settings: ReceiverSettings, kind: socket.SocketKind, port: int | None = None) -> socket.socket:
    """Return a socket on the address of a receiver; `port` in the place of the one that is written there."""
    host, written = parse_address(settings.listen)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, kind)
    try:
        if kind == socket.SOCK_STREAM:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, written if port is None else port))
        if kind == socket.SOCK_STREAM:
            sock.listen(_BACKLOG)  # of two that are bound, only one may: told here, where it can be said well
    except OSError as error:
        sock.close()
        what = f"receiver {settings.name!r} cannot listen on {settings.listen}: {error.strerror}"
        hint = "is something else listening there? ports below 1024 are root's, or need CAP_NET_BIND_SERVICE"
        raise ConfigError([Problem("$.receivers", what, hint)]) from error
    sock.setblocking(False)
    return sock


def context_of(settings: ReceiverSettings, supply: Supply) -> ssl.SSLContext | None:
    """Return the TLS context of a receiver; `ConfigError` if it wants one and there is no certificate."""
    if not settings.tls:
        return None
    if supply.tls is None:
        what = f"receiver {settings.name!r} has 'tls: true', and there is no certificate"
        raise ConfigError([Problem("$.tls.certificate", what, "name its file under the key tls")])
    return supply.tls


class Loop:
    """An event loop in a thread of its own, for one receiver: none waits for another's work."""

    def __init__(self, name: str) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    @property
    def started(self) -> bool:
        """Tell whether it was ever run."""
        return self._thread.ident is not None

    def start(self) -> None:
        """Run it."""
        self._thread.start()

    def call(self, work: Coroutine[None, None, None], timeout_s: float) -> None:
        """Do something in the loop, and wait for it."""
        asyncio.run_coroutine_threadsafe(work, self.loop).result(timeout_s)

    def stop(self) -> None:
        """End it; what still runs in it is cancelled."""
        if self.started:
            self.loop.call_soon_threadsafe(self.loop.stop)
            self._thread.join()
        self.loop.close()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        try:
            self.loop.run_forever()
        finally:
            tasks = asyncio.all_tasks(self.loop)
            for task in tasks:
                task.cancel()
            self.loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))


class Connections:
    """One TCP port; everything but the constructor runs in the loop."""

    def __init__(self, settings: ReceiverSettings, supply: Supply, talk: Talk, port: int | None = None) -> None:
        self._settings = settings
        self._supply = supply
        self._talk = talk
        self._context = context_of(settings, supply)
        self._allowed = Allowed(settings.allow)
        self._socket = bound(settings, socket.SOCK_STREAM, port)
        self._server: asyncio.Server | None = None
        self._open: dict[asyncio.Task[None], tuple[asyncio.StreamReader, asyncio.StreamWriter]] = {}

    @property
    def port(self) -> int:
        """The port that it has."""
        port: int = self._socket.getsockname()[1]
        return port

    def close(self) -> None:
        """Free the port of one that never started."""
        self._socket.close()

    async def start(self) -> None:
        """Take connections."""
        secure: dict[str, Any] = {"ssl": self._context} if self._context else {}  # Any: two options of asyncio
        if secure:
            secure["ssl_handshake_timeout"] = HANDSHAKE_S
        self._server = await asyncio.start_server(
            self._connected, sock=self._socket, limit=READ_BYTES // 2, backlog=_BACKLOG, **secure
        )

    async def stop(self) -> None:
        """Take no more; let each connection end what it received."""
        if self._server is not None:
            self._server.close()
        await self._quiet()
        for reader, writer in self._open.values():
            if not reader.at_eof():
                cast("asyncio.Transport", writer.transport).pause_reading()  # nothing may come behind the end
                reader.feed_eof()
        if self._open:
            await asyncio.wait(list(self._open), timeout=ANSWER_S)

    async def _quiet(self) -> None:
        """Wait until nothing comes any more, for a moment."""
        loop = asyncio.get_running_loop()
        until_s, seen = loop.time() + GRACE_S, -1
        while loop.time() < until_s and self._open:
            waiting = sum(map(_buffered, self._open.values()))
            if waiting == seen == 0:
                return
            seen = waiting
            await asyncio.sleep(QUIET_S)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None:  # pragma: no cover  asyncio calls it in one
            return
        self._open[task] = (reader, writer)
        try:
            await self._converse(reader, writer)
        finally:
            del self._open[task]
            writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = _peer(writer)
        if not self._allowed(peer.address):
            self._count("not allowed")
            return
        try:
            with self._supply.gate.connection(peer.client, receiver=self._settings.name):
                await self._talk(reader, writer, peer)
        except Overloaded:
            self._count("too many")
        except DataError as error:
            self._count("malformed")
            _LOGGER.warning("%s: the connection of %s is closed: %s", self._settings.name, peer.address, error)
        except TimeoutError:
            self._count("idle")
        except (OSError, ssl.SSLError, asyncio.IncompleteReadError):
            pass  # the peer went away: what was received of it is kept
        except asyncio.CancelledError:
            self._count("stopped")
        except Exception:
            self._count("failed")
            _LOGGER.exception("%s: the connection of %s failed", self._settings.name, peer.address)

    def _count(self, why: str) -> None:
        self._supply.accounts.count("tailrace_connections_closed_total", _CLOSED, receiver=self._settings.name, why=why)


def _buffered(streams: tuple[asyncio.StreamReader, asyncio.StreamWriter]) -> int:
    return len(streams[0]._buffer)  # type: ignore[attr-defined]  # noqa: SLF001  nothing public tells


def _peer(writer: asyncio.StreamWriter) -> Peer:
    name = writer.get_extra_info("peername")
    address = str(name[0]) if isinstance(name, tuple) else ""
    return Peer(address, client_of(address), _certified(writer.get_extra_info("peercert")))


def _certified(certificate: dict[str, Any] | None) -> str | None:  # Any: as the ssl module has it
    """Return the name in a client's certificate: its first alternative name, else the common name."""
    if not certificate:
        return None
    names = [value for kind, value in certificate.get("subjectAltName", ()) if kind in {"DNS", "URI"}]
    names += [value for part in certificate.get("subject", ()) for key, value in part if key == "commonName"]
    return names[0] if names else None
