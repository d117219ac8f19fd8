"""The syslog receiver: a UDP socket, a TCP or TLS port, and the rows of what comes over both.

Comes in: settings and a `Supply`. Goes out: rows in the sink. TCP and TLS have no acknowledgement: a connection is read
as far as the gate has room, and stands still beyond that. A stop reads what has arrived, and waits until it is durable.
"""

from __future__ import annotations

import asyncio
import socket
from functools import partial
from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.batch import stream_text
from tailrace.errors import ConfigError
from tailrace.intake.connections import READ_BYTES, STOP_S, Allowed, Connections, Loop, bound
from tailrace.intake.syslog.datagrams import Datagrams
from tailrace.intake.syslog.framing import Framing
from tailrace.intake.syslog.rows import Received, Rows
from tailrace.intake.turns import FAILED, Turns

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tailrace.intake.connections import Peer
    from tailrace.intake.gate import Hold
    from tailrace.intake.listeners import Supply
    from tailrace.intake.syslog.framing import Flaw
    from tailrace.intake.syslog.settings import SyslogSettings

_TRIES: Final = 8  # to find a free port that UDP and TCP both have
_CUT: Final = "Bytes of messages that were too long, which were cut off."


class SyslogListener:
    """Implements `intake.listeners.Listener`."""

    def __init__(self, settings: SyslogSettings, supply: Supply) -> None:
        supply = supply.of(settings.tenant)
        self._settings = settings
        self._supply = supply
        self._loop = Loop(f"syslog-{settings.name}")
        self._connections: Connections | None = None
        self._datagrams: Datagrams | None = None
        try:
            self.port = self._bind()
        except BaseException:
            self._loop.stop()
            self._close()
            raise
        self._turns: Turns[Received] = Turns(settings.name, supply, Rows(settings), partial(_plain, settings))

    @property
    def address(self) -> str:
        """Where it listens, for people."""
        kinds = [kind for kind, there in (("udp", self._datagrams), (self._stream, self._connections)) if there]
        return f"syslog {'+'.join(kinds)}://{self._settings.listen.rpartition(':')[0]}:{self.port}"

    @property
    def _stream(self) -> str:
        return "tls" if self._settings.tls else "tcp"

    def start(self) -> None:
        """Take in what comes, in the background."""
        self._turns.start()
        self._loop.start()
        self._loop.call(self._start(), STOP_S)

    def stop(self) -> None:
        """Take in what has arrived, then nothing; return when it is durable."""
        try:
            if self._loop.started:
                self._loop.call(self._stop(), STOP_S)
        finally:
            self._loop.stop()
            self._close()
            self._turns.close()

    def _bind(self) -> int:
        """Bind what is wanted, UDP and TCP on one port; return that."""
        wanted = self._settings.protocols
        for tries_left in reversed(range(_TRIES)):
            port = None
            if "tcp" in wanted or self._settings.tls:
                self._connections = Connections(self._settings, self._supply, self._talk)
                port = self._connections.port
            if "udp" not in wanted or self._settings.tls:
                break
            try:
                sock = bound(self._settings, socket.SOCK_DGRAM, port)
            except ConfigError:
                if self._connections is None or not self._settings.listen.endswith(":0") or not tries_left:
                    raise
                self._connections.close()  # the port that TCP got is taken for UDP
                continue
            name, size = self._settings.name, self._settings.udp_buffer_bytes
            self._datagrams = Datagrams(sock, name, self._supply, Allowed(self._settings.allow), size)
            return int(sock.getsockname()[1])
        return port or 0

    def _close(self) -> None:
        if self._connections is not None:
            self._connections.close()
        if self._datagrams is not None:
            self._datagrams.close()

    # --- in the loop ------------------------------------------------------------------------------

    async def _start(self) -> None:
        if self._datagrams is not None:
            self._datagrams.start(self._loop.loop, self._take_datagrams)
        if self._connections is not None:
            await self._connections.start()

    async def _stop(self) -> None:
        if self._connections is not None:
            await self._connections.stop()
        if self._datagrams is not None:
            self._datagrams.stop(self._loop.loop, self._take_datagrams)

    def _take_datagrams(self, found: list[bytes], peer: str, hold: Hold) -> None:
        most, flaws = self._settings.message_bytes, dict[int, "Flaw"]()
        messages = [message for data in found if (message := data.rstrip(b"\r\n\0"))]
        if max(map(len, messages), default=0) > most:
            flaws = {at: "SyslogMessageCut" for at, message in enumerate(messages) if len(message) > most}
            self._count_cut(sum(len(messages[at]) - most for at in flaws))
            messages = [message[:most] for message in messages]
        self._add(messages, flaws, peer, None, hold)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, peer: Peer) -> None:  # noqa: ARG002  no answers
        gate, name, framing = self._supply.gate, self._settings.name, Framing(self._settings.message_bytes)
        while data := await self._read(reader):
            hold = await gate.wait(peer.client, len(data), receiver=name)
            self._add(*framing.feed(data), peer.address, peer.name, hold)
            self._count_cut(framing.take_cut())
        messages, flaws = framing.end()
        if messages:
            hold = await gate.wait(peer.client, len(messages[0]), receiver=name)
            self._add(messages, flaws, peer.address, peer.name, hold)

    async def _read(self, reader: asyncio.StreamReader) -> bytes:
        """Return what came, nothing at the end: that of the input, of the connection, or of patience."""
        try:
            return await asyncio.wait_for(reader.read(READ_BYTES), self._settings.idle_s)
        except (OSError, TimeoutError):
            return b""

    def _add(
        self, messages: Sequence[bytes], flaws: Mapping[int, Flaw], peer: str, peer_name: str | None, hold: Hold
    ) -> None:
        if not messages:
            hold.release()
            return
        self._turns.add(Received(messages, peer, self._supply.clock.now_ns(), peer_name, flaws), hold)

    def _count_cut(self, size: int) -> None:
        if size:
            self._supply.accounts.count("tailrace_syslog_cut_bytes_total", _CUT, size, receiver=self._settings.name)


def _plain(settings: SyslogSettings, turn: Sequence[Received]) -> pl.DataFrame:
    """Return the rows of a turn that could not be read: the text alone."""
    lines = [message.decode("utf-8", "replace") for one in turn for message in one.messages]
    times = [one.observed_ns for one in turn for _ in one.messages]
    stream = stream_text({"source": settings.name, "service_name": settings.name, **settings.labels})
    frame = pl.DataFrame({"_line": lines, "_time_ns": times}, schema={"_line": pl.String, "_time_ns": pl.Int64})
    return frame.with_columns(_observed_ns=pl.col("_time_ns"), _stream=pl.lit(stream), _error=pl.lit(FAILED))
