"""The gate that everything from outside passes: how much may be on its way at once, and how much of it from one client.

Comes in: who sends (`client_of` a peer, or the name of a token), and how many bytes. Goes out: a `Hold` on these bytes,
given back when they are durable or refused. Refuses by `Overloaded`, which says after how long to come back: HTTP
answers 429 with `Retry-After`, gRPC UNAVAILABLE with `RetryInfo`, and a connection without answers waits (`wait`) and
is not read meanwhile, which TCP tells its sender.

One gate stands before all receivers, so their memory has one bound. A client that holds nothing gets whatever is free;
one that holds something may hold no more than it leaves free (the dynamic threshold of Choudhury and Hahne). So one
noisy client ends at half of the room, two at a third each, and there is always some left for the next.

Any thread may call; a call costs a lock and a few comparisons, and is made per request or chunk, never per line.
"""

from __future__ import annotations

import asyncio
import ipaddress
import threading
from collections import OrderedDict
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Final, Literal, Protocol

from tailrace import limits
from tailrace.errors import TransientError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

    from tailrace.clock import Clock
    from tailrace.telemetry import Accounts

Why = Literal["bytes", "requests", "rate", "connections"]

COME_BACK_S: Final = 1.0
"""What a client is told to wait when the room is taken: commits are a second apart."""

BURST_S: Final = 2.0
"""Seconds of its rate that a client may send at once: a batch that was gathered for as long."""

_LOOKS: Final = 2  # clients that are looked at to be forgotten when a new one comes

_REFUSED: Final = "Requests, connections and chunks that had to wait or come back, by what was short."


class Overloaded(TransientError):  # noqa: N818  reads as what is the case
    """There is no room for it now; nothing of it was kept, and after `retry_after_s` seconds there may be."""

    def __init__(self, text: str, retry_after_s: float, why: Why) -> None:
        self.retry_after_s = retry_after_s
        self.why = why
        super().__init__(f"{text}; send it again in {max(1, round(retry_after_s))} s")


class Limits(Protocol):
    """What the gate needs of the settings; `intake.settings.IntakeSettings` is one. Zero means no limit."""

    @property
    def bytes_at_once(self) -> int:
        """Bytes of all clients between arrival and durability."""
        ...

    @property
    def requests_at_once(self) -> int:
        """Requests of all clients between their first byte and their answer."""
        ...

    @property
    def connections(self) -> int:
        """Open connections of all clients to receivers that are not HTTP."""
        ...

    @property
    def client_connections(self) -> int:
        """Open connections of one client."""
        ...

    @property
    def client_requests_per_s(self) -> float:
        """Requests of one client in a second."""
        ...

    @property
    def client_bytes_per_s(self) -> int:
        """Bytes of one client in a second."""
        ...


@dataclass(slots=True)
class _Bucket:
    """Tokens that come back with time; may be overdrawn by one take, which is paid for before the next."""

    rate: float  # per second; zero = no limit
    left: float
    at_s: float

    @classmethod
    def full(cls, rate: float, now_s: float) -> _Bucket:
        """Return one from which a burst may be taken."""
        return cls(rate, max(1.0, rate * BURST_S), now_s)

    def wait_s(self, now_s: float) -> float:
        """Return the seconds until something may be taken."""
        if not self.rate:
            return 0.0
        most = max(1.0, self.rate * BURST_S)
        self.left, self.at_s = min(most, self.left + (now_s - self.at_s) * self.rate), now_s
        return 0.0 if self.left >= 1.0 else (1.0 - self.left) / self.rate


@dataclass(slots=True)
class _Client:
    requests: _Bucket
    bytes: _Bucket
    held_bytes: int = 0
    held_requests: int = 0
    connections: int = 0

    def busy(self) -> bool:
        """Tell whether it has anything open here."""
        return bool(self.held_bytes or self.held_requests or self.connections)


@dataclass(slots=True)
class _Waiter:
    loop: asyncio.AbstractEventLoop
    room: asyncio.Event = field(default_factory=asyncio.Event)

    def wake(self) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self.loop.call_soon_threadsafe(self.room.set)


class Gate:
    """Shared by all receivers of a process. `receiver` is the name under which refusals are counted."""

    def __init__(self, settings: Limits, *, clock: Clock, accounts: Accounts) -> None:
        self._limits = settings
        self._clock = clock
        self._accounts = accounts
        self._lock = threading.Lock()
        self._clients: OrderedDict[str, _Client] = OrderedDict()
        self._held_bytes = 0
        self._held_requests = 0
        self._connections = 0
        self._waiters: list[_Waiter] = []
        for name, text, value in (
            ("bytes", "Bytes that were received and are not durable yet.", lambda: self._held_bytes),
            ("requests", "Requests with lines that are not answered yet.", lambda: self._held_requests),
            ("connections", "Open connections of receivers other than HTTP.", lambda: self._connections),
        ):
            accounts.gauge(f"tailrace_intake_{name}", text, _alone(value))

    @property
    def bytes(self) -> int:
        """Bytes that are held now."""
        return self._held_bytes

    @property
    def room(self) -> int:
        """Bytes that may be held at once."""
        return self._limits.bytes_at_once

    def request(self, client: str, size: int = 0, *, receiver: str) -> Hold:
        """Admit a request of a client with its first bytes; `Overloaded` if there is no room or it comes too often.

        Use it as a context manager; bytes that come later are added by `Hold.grow`.
        """
        with self._counting(receiver), self._lock:
            known, now_s = self._client(client), self._clock.monotonic_s()
            self._check_slots(known)
            if wait_s := max(known.requests.wait_s(now_s), known.bytes.wait_s(now_s)):
                raise Overloaded("this client sends more than it may", wait_s, "rate")
            self._check_room(known, size)
            known.requests.left -= 1
            known.held_requests += 1
            self._held_requests += 1
            self._add(known, size, sent=size)
        return Hold(self, client, receiver, size, requests=1)

    def chunk(self, client: str, size: int, *, receiver: str) -> Hold:
        """Admit bytes that belong to no request: a chunk of a connection, a datagram; else `Overloaded`."""
        with self._counting(receiver), self._lock:
            known = self._client(client)
            if wait_s := known.bytes.wait_s(self._clock.monotonic_s()):
                raise Overloaded("this client sends more than it may", wait_s, "rate")
            self._check_room(known, size)
            self._add(known, size, sent=size)
        return Hold(self, client, receiver, size, requests=0)

    async def wait(self, client: str, size: int, *, receiver: str) -> Hold:
        """Admit a chunk as soon as there is room for it; who waits here does not read."""
        while True:
            waiter = _Waiter(asyncio.get_running_loop())
            with self._lock:
                self._waiters.append(waiter)  # before it is tried: room that is made meanwhile is not missed
            try:
                return self.chunk(client, size, receiver=receiver)
            except Overloaded as error:
                with suppress(TimeoutError):
                    await asyncio.wait_for(waiter.room.wait(), error.retry_after_s)
            finally:
                with self._lock, suppress(ValueError):
                    self._waiters.remove(waiter)

    @contextmanager
    def connection(self, client: str, *, receiver: str) -> Iterator[None]:
        """Count a connection while it is open; `Overloaded` if there are too many, of this client or of all."""
        most, of_client = self._limits.connections, self._limits.client_connections
        with self._counting(receiver), self._lock:
            known = self._client(client)
            if (of_client and known.connections >= of_client) or (most and self._connections >= most):
                raise Overloaded("too many connections are open", COME_BACK_S, "connections")
            known.connections += 1
            self._connections += 1
        try:
            yield
        finally:
            with self._lock:
                known.connections -= 1
                self._connections -= 1

    # --- what a hold calls ------------------------------------------------------------------------

    def _grow(self, client: str, size: int, receiver: str, *, sent: int) -> None:
        with self._counting(receiver), self._lock:
            known = self._client(client)
            self._check_room(known, size)
            self._add(known, size, sent=sent)

    def _give_back(self, client: str, size: int, requests: int) -> None:
        with self._lock:
            known = self._client(client)
            known.held_bytes -= size
            known.held_requests -= requests
            self._held_bytes -= size
            self._held_requests -= requests
            waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            waiter.wake()

    # --- under the lock ---------------------------------------------------------------------------

    def _client(self, name: str) -> _Client:
        """Return what is known of a client; beyond `limits.GATE_CLIENTS` those unseen for longest are forgotten."""
        known, now_s = self._clients.get(name), self._clock.monotonic_s()
        if known is None:
            requests, size = self._limits.client_requests_per_s, float(self._limits.client_bytes_per_s)
            known = self._clients[name] = _Client(_Bucket.full(requests, now_s), _Bucket.full(size, now_s))
            for other in list(islice(self._clients, _LOOKS if len(self._clients) > limits.GATE_CLIENTS else 0)):
                if not self._clients[other].busy():
                    del self._clients[other]
        self._clients.move_to_end(name)
        return known

    def _check_slots(self, known: _Client) -> None:
        most = self._limits.requests_at_once
        if most and not _fits(known.held_requests, 1, most - self._held_requests):
            raise Overloaded("too many requests are under way", COME_BACK_S, "requests")

    def _check_room(self, known: _Client, size: int) -> None:
        if size and not _fits(known.held_bytes, size, self._limits.bytes_at_once - self._held_bytes):
            raise Overloaded("more is under way than can be stored now", COME_BACK_S, "bytes")

    def _add(self, known: _Client, size: int, *, sent: int) -> None:
        known.bytes.left -= sent
        known.held_bytes += size
        self._held_bytes += size

    @contextmanager
    def _counting(self, receiver: str) -> Iterator[None]:
        try:
            yield
        except Overloaded as error:
            self._accounts.count("tailrace_intake_refused_total", _REFUSED, receiver=receiver, why=error.why)
            raise


class Hold:
    """Bytes of one client that are on their way. Given back once, by leaving the `with` block or by `release`."""

    __slots__ = ("_client", "_gate", "_lock", "_receiver", "_requests", "size")

    def __init__(self, gate: Gate, client: str, receiver: str, size: int, *, requests: int) -> None:
        self.size = size
        self._gate = gate
        self._client = client
        self._receiver = receiver
        self._requests = requests
        self._lock = threading.Lock()

    def grow(self, size: int) -> None:
        """Take more bytes that came; `Overloaded` if there is no room, and what was held stays so."""
        self._gate._grow(self._client, size, self._receiver, sent=size)  # noqa: SLF001  two halves of one thing
        self.size += size

    def become(self, size: int) -> None:
        """Hold so many bytes from now on: what was unpacked or decoded has another size than what came.

        More than half of the room counts as half of it: what no client may hold would be sent again for ever.
        """
        size = min(size, self._gate.room // 2)
        if size > self.size:
            self._gate._grow(self._client, size - self.size, self._receiver, sent=0)  # noqa: SLF001  as above
        else:
            self._gate._give_back(self._client, self.size - size, 0)  # noqa: SLF001  as above
        self.size = size

    def join(self, other: Hold) -> None:
        """Take over what another hold of the same client holds."""
        self.size, other.size = self.size + other.size, 0

    def split(self, size: int) -> Hold:
        """Return some of what is held as a hold of its own."""
        self.size -= size
        return Hold(self._gate, self._client, self._receiver, size, requests=0)

    def release(self) -> None:
        """Give everything back; more than once does no harm."""
        with self._lock:
            size, self.size = self.size, 0
            requests, self._requests = self._requests, 0
        if size or requests:
            self._gate._give_back(self._client, size, requests)  # noqa: SLF001  as above

    def __enter__(self) -> Hold:  # noqa: PYI034  there are no subclasses
        """Hold it."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give everything back."""
        self.release()


def client_of(peer: str) -> str:
    """Return by which name a peer without a token is counted: its address; of IPv6 the network that a site is given.

    >>> client_of("192.0.2.7"), client_of("2001:db8:1:2::7"), client_of("::ffff:192.0.2.7"), client_of("")
    ('192.0.2.7', '2001:db8:1:2::/64', '192.0.2.7', 'local')
    """
    try:
        address = ipaddress.ip_address(peer.partition("%")[0])
    except ValueError:
        return peer or "local"  # a socket in the file system
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.IPv6Network((address, 64), strict=False))
    return str(address)


def _fits(held: int, more: int, free: int) -> bool:
    """Tell whether a client may have more: nothing was held yet, or no more than is left for the others after it."""
    return more <= free and (not held or held + more <= free - more)


def _alone(value: Callable[[], int]) -> Callable[[], list[tuple[dict[str, str], float]]]:
    return lambda: [({}, float(value()))]
