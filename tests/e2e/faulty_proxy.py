"""A TCP proxy that does to connections what networks do: refuse, delay, cut in the middle, lose the answer, fall silent,
and bring a request to a server, to this one or another one, once or twice, when whoever sent it has long given up, went
on with another server, or died.

Each connection draws its fate from the proxy's own random numbers when it is opened; `trouble` is the share of
connections that have one. `cut()` is a cable that is pulled: open connections break and new ones are refused, until
`mend()`.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import threading
from collections import Counter
from dataclasses import dataclass, field

BLOCK = 64 * 1024
SILENT_S = 60.0  # longer than any client waits
FATES = (
    "refused",
    "slow",
    "cut in the request",
    "cut in the answer",
    "no answer",
    "silent",
    "silent",
    "silent",
    "late",
    "late",
)


@dataclass
class FaultyProxy:
    """Forwards a free loopback port to another one."""

    port: int  # of the server behind it
    seed: int
    trouble: float = 0.0
    address: str = ""
    others: list[int] = field(default_factory=list)  # ports of other servers, where a late request may come out
    fates: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self._loop = asyncio.new_event_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._whole = True
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(ready,), daemon=True)
        self._thread.start()
        assert ready.wait(30)

    def close(self) -> None:
        if self._thread is not None:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(30)

    def cut(self) -> None:
        self._whole = False
        self._loop.call_soon_threadsafe(lambda: [task.cancel() for task in self._tasks])

    def mend(self) -> None:
        self._whole = True

    def _run(self, ready: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._taken, "127.0.0.1", 0))
        host, port = server.sockets[0].getsockname()[:2]
        self.address = f"{host}:{port}"
        ready.set()
        try:
            self._loop.run_forever()
        finally:
            server.close()
            for task in self._tasks:
                task.cancel()
            self._loop.run_until_complete(asyncio.gather(*self._tasks, return_exceptions=True))
            self._loop.close()

    async def _taken(self, client: asyncio.StreamReader, answers: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            with contextlib.suppress(OSError, asyncio.CancelledError, asyncio.IncompleteReadError):
                await self._serve(client, answers)
        finally:
            self._tasks.discard(task)
            answers.transport.abort()

    async def _serve(self, client: asyncio.StreamReader, answers: asyncio.StreamWriter) -> None:
        fate = self._random.choice(FATES) if self._random.random() < self.trouble else "whole"
        after = self._random.randrange(1, 200_000)  # bytes in that direction, over all requests of the connection
        self.fates[fate] += 1
        if fate == "refused" or not self._whole:
            return
        if fate == "late":
            held = await self._request(client)
            answers.transport.abort()
            for port in self._random.choices([self.port, *self.others], k=self._random.choice((1, 2))):
                await asyncio.sleep(self._random.choice((0.05, 0.3, 1.0, 4.0)) * self._random.random())
                await self._deliver(held, port)
            return
        server, requests = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            there = self._pass(client, requests, fate, after if fate == "cut in the request" else None)
            back = self._pass(server, answers, fate, {"cut in the answer": after % 300, "no answer": 0}.get(fate))
            done, rest = await asyncio.wait(
                [asyncio.ensure_future(there), asyncio.ensure_future(back)], return_when=asyncio.FIRST_COMPLETED
            )
            for one in rest:
                one.cancel()
            await asyncio.gather(*done, *rest, return_exceptions=True)
        finally:
            requests.transport.abort()

    async def _deliver(self, held: bytes, port: int) -> None:
        with contextlib.suppress(OSError, TimeoutError):  # that server may be away
            server, requests = await asyncio.open_connection("127.0.0.1", port)
            try:
                requests.write(held)
                await asyncio.wait_for(server.read(BLOCK), SILENT_S)
            finally:
                requests.transport.abort()

    async def _request(self, client: asyncio.StreamReader) -> bytes:
        """Return a whole request: what comes until nothing more does."""
        held = b""
        with contextlib.suppress(TimeoutError):
            while data := await asyncio.wait_for(client.read(BLOCK), 0.2 if held else SILENT_S):
                held += data
        return held

    async def _pass(
        self, source: asyncio.StreamReader, target: asyncio.StreamWriter, fate: str, cut_after: int | None
    ) -> None:
        passed = 0
        while data := await source.read(BLOCK):
            if fate == "slow":
                await asyncio.sleep(self._random.uniform(0, 0.2))
            if fate == "silent" and self._random.random() < 0.5:
                await asyncio.sleep(SILENT_S)
            if cut_after is not None and passed + len(data) > cut_after:
                target.write(data[: max(0, cut_after - passed)])
                await target.drain()
                return
            passed += len(data)
            target.write(data)
            await target.drain()
