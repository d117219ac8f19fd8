"""The receiver of Fluent Forward: a TCP or TLS port, chunks in, rows out, acknowledged when they are durable.

Comes in: settings and a `Supply`. Goes out: rows in the sink, and to senders that ask for it (`chunk`) the
acknowledgement of each chunk, after its rows were committed and synced. A chunk that comes again, since its sender
did not see that, is acknowledged and not stored anew: the identifiers of the newest `CHUNKS` are remembered by this
process. Whoever sends what is no Forward, or a message that is too long, loses the connection, and nothing else.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

import msgpack
import polars as pl

from tailrace import limits
from tailrace.batch import stream_text
from tailrace.errors import DataError
from tailrace.intake.connections import READ_BYTES, STOP_S, Connections, Loop
from tailrace.intake.forward.frames import Framing, head, joined, unpacked
from tailrace.intake.forward.handshake import HANDSHAKE_BYTES, HANDSHAKE_S, Handshake
from tailrace.intake.forward.rows import Arrived, Rows
from tailrace.intake.gate import COME_BACK_S, Overloaded
from tailrace.intake.turns import FAILED, Turns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tailrace.intake.connections import Peer
    from tailrace.intake.forward.frames import Chunk
    from tailrace.intake.forward.settings import ForwardSettings
    from tailrace.intake.gate import Hold
    from tailrace.intake.listeners import Supply

CHUNKS: Final = 100_000
"""Chunks whose identifiers are remembered to recognise one that comes again: at one a second, a day."""

PATIENCE_S: Final = 30.0
"""How long a message that has come in part may wait for room: its bytes are in the way of others that are whole."""

_REPEATED: Final = "Chunks that were stored before: acknowledged, and left out."

_Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Arrival:
    """A message as it came: what it says of itself, what is held for it, and from whom it is."""

    chunk: Chunk
    hold: Hold
    peer: Peer
    host: str


class ForwardListener:
    """Implements `intake.listeners.Listener`."""

    def __init__(self, settings: ForwardSettings, supply: Supply) -> None:
        supply = supply.of(settings.tenant)
        self._settings = settings
        self._supply = supply
        self._loop = Loop(f"forward-{settings.name}")
        try:
            self._connections = Connections(settings, supply, self._talk)
        except BaseException:
            self._loop.stop()
            raise
        self.port = self._connections.port
        self._inflating = ThreadPoolExecutor(limits.PUSHES_AT_ONCE, thread_name_prefix="inflate")
        self._turns: Turns[Arrived] = Turns(settings.name, supply, Rows(settings), partial(_plain, settings))
        self._known: OrderedDict[_Key, asyncio.Future[bool]] = OrderedDict()  # done, or on their way

    @property
    def address(self) -> str:
        """Where it listens, for people."""
        kind = "tls" if self._settings.tls else "tcp"
        return f"forward {kind}://{self._settings.listen.rpartition(':')[0]}:{self.port}"

    def start(self) -> None:
        """Take in what comes, in the background."""
        self._turns.start()
        self._loop.start()
        self._loop.call(self._connections.start(), STOP_S)

    def stop(self) -> None:
        """Take in what has arrived, acknowledge what becomes durable, then stop."""
        try:
            if self._loop.started:
                self._loop.call(self._connections.stop(), STOP_S)
        finally:
            self._turns.close()
            self._loop.stop()
            self._connections.close()
            self._inflating.shutdown()

    # --- in the loop ------------------------------------------------------------------------------

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, peer: Peer) -> None:
        host = peer.address
        if self._settings.shared_key is not None:
            host = await self._shake_hands(reader, writer, Handshake(self._settings.shared_key)) or host
        answers: set[asyncio.Task[None]] = set()
        try:
            await self._receive(reader, writer, peer, host, answers)
        finally:
            if answers:
                await asyncio.wait(answers)

    async def _shake_hands(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, handshake: Handshake
    ) -> str | None:
        """Return the name of a client that knows the key; `DataError` for any other."""
        writer.write(handshake.helo())
        framing = Framing(HANDSHAKE_BYTES)
        async with asyncio.timeout(HANDSHAKE_S):
            while True:
                data = await reader.read(HANDSHAKE_BYTES)
                if not data:
                    raise DataError("the connection ended within the handshake")
                if messages := framing.feed(data):
                    break
        answer, name = handshake.pong(messages[0])
        writer.write(answer)
        await writer.drain()
        if name is None or len(messages) > 1:
            raise DataError("the shared key of this client is another one")
        return name

    async def _receive(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        peer: Peer,
        host: str,
        answers: set[asyncio.Task[None]],
    ) -> None:
        framing = Framing(self._settings.chunk_bytes)
        with self._supply.gate.chunk(peer.client, 0, receiver=self._settings.name) as part:  # of what is not whole yet
            while data := await asyncio.wait_for(reader.read(READ_BYTES), self._settings.idle_s):
                part.join(await self._room(peer, len(data), waiting=framing.waiting))
                for chunk in list(joined(map(head, framing.feed(data)))):
                    await self._take(Arrival(chunk, part.split(len(chunk.data)), peer, host), writer, answers)
                part.become(framing.waiting)  # heartbeats are gone

    async def _room(self, peer: Peer, size: int, *, waiting: int) -> Hold:
        try:
            async with asyncio.timeout(PATIENCE_S if waiting else None):
                return await self._supply.gate.wait(peer.client, size, receiver=self._settings.name)
        except TimeoutError:
            raise Overloaded("there is no room for the rest of a message", COME_BACK_S, "bytes") from None

    async def _take(self, came: Arrival, writer: asyncio.StreamWriter, answers: set[asyncio.Task[None]]) -> None:
        """Hand a chunk on, once, and see to its acknowledgement."""
        chunk = came.chunk
        key = (chunk.tag, chunk.id) if chunk.id is not None else None
        stored = self._known.get(key) if key else None
        if stored is None:
            stored = asyncio.get_running_loop().create_future()
            if key is not None:
                self._remember(key, stored)
            try:
                await self._hand_on(came, key, stored)
            except BaseException:
                came.hold.release()
                self._end(key, stored, good=False)
                raise
        else:
            came.hold.release()
            self._supply.accounts.count("tailrace_chunks_repeated_total", _REPEATED, receiver=self._settings.name)
        if chunk.id is not None:
            task = asyncio.create_task(_acknowledge(writer, chunk.id, stored))
            answers.add(task)
            task.add_done_callback(answers.discard)

    async def _hand_on(self, came: Arrival, key: _Key | None, stored: asyncio.Future[bool]) -> None:
        chunk, loop = came.chunk, asyncio.get_running_loop()
        if chunk.compressed:
            chunk = await loop.run_in_executor(self._inflating, unpacked, chunk, self._settings.chunk_bytes)
            came.hold.become(len(chunk.data))

        def then(good: bool) -> None:
            with suppress(RuntimeError):  # the loop has ended: nobody waits for the answer any more
                loop.call_soon_threadsafe(partial(self._end, key, stored, good=good))

        arrived = Arrived(chunk, came.peer.address, came.host, self._supply.clock.now_ns(), came.peer.name)
        self._turns.add(arrived, came.hold, then)

    def _remember(self, key: _Key, stored: asyncio.Future[bool]) -> None:
        self._known[key] = stored
        while len(self._known) > CHUNKS:
            self._known.popitem(last=False)

    def _end(self, key: _Key | None, stored: asyncio.Future[bool], *, good: bool) -> None:
        if not good and key is not None:
            self._known.pop(key, None)  # it may come again
        if not stored.done():
            stored.set_result(good)


async def _acknowledge(writer: asyncio.StreamWriter, chunk: str, stored: asyncio.Future[bool]) -> None:
    """Tell a sender that its chunk is durable; one that is not is not told of, and comes again."""
    try:
        if await asyncio.shield(stored):
            writer.write(msgpack.packb({"ack": chunk}))
            await writer.drain()
    except OSError:
        pass  # it went away; it will send the chunk again, and then be told


def _plain(settings: ForwardSettings, turn: Sequence[Arrived]) -> pl.DataFrame:
    """Return the rows of a turn that could not be read: one text per chunk."""
    lines = [one.chunk.data[one.chunk.start : one.chunk.end].decode("utf-8", "backslashreplace") for one in turn]
    times = [one.observed_ns for one in turn]
    stream = stream_text({"source": settings.name, "service_name": settings.name, **settings.labels})
    frame = pl.DataFrame({"_line": lines, "_time_ns": times}, schema={"_line": pl.String, "_time_ns": pl.Int64})
    return frame.with_columns(_observed_ns=pl.col("_time_ns"), _stream=pl.lit(stream), _error=pl.lit(FAILED))
