"""Receivers that listen by themselves, started behind the HTTP port and stopped before the sink.

Comes in: the settings under `receivers`. Goes out: listeners, found by their type in the registry (kind `receiver`).
Refuses a port that is taken, when it is made. One that fails to stop does not keep the others from stopping.
"""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, Protocol

from tailrace.access.settings import TlsSettings
from tailrace.access.tenants import Stamped
from tailrace.registry import find

if TYPE_CHECKING:
    import ssl
    from collections.abc import Sequence

    from tailrace.access.guard import Guard
    from tailrace.clock import Clock
    from tailrace.contracts import Engine, Sink, Table
    from tailrace.intake.gate import Gate
    from tailrace.intake.settings import AnyReceiver
    from tailrace.telemetry import Accounts

_LOGGER: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Supply:
    """What a listener is given: where rows go, the gate before it, and the words that all share."""

    sink: Sink
    gate: Gate
    accounts: Accounts
    clock: Clock
    guard: Guard | None = None  # for receivers whose senders show tokens
    tls: ssl.SSLContext | None = None  # for those with `tls: true`; None: there is no certificate
    tls_settings: TlsSettings = field(default_factory=TlsSettings)  # for those that take files instead of a context
    table: Table | None = None  # for those that look for what they stored before; None: nothing is known
    engine: Engine | None = None

    def of(self, tenant: str) -> Supply:
        """Return the same, with rows that belong to a tenant; for receivers whose senders show no tokens."""
        return replace(self, sink=self.sink.of(tenant)) if tenant and isinstance(self.sink, Stamped) else self


class Listener(Protocol):
    """Something that takes in what comes.

    Must: bind its ports when it is made (`ConfigError` if one is taken), read nothing before `start`, acknowledge
    nothing that is not durable. Must not: block `start`, raise for what a peer sends, hold bytes that the gate does
    not know of, beyond a bound per connection.

    Made by `find("receiver", type)(settings, supply)`; one thread calls it.
    """

    @property
    def address(self) -> str:
        """Where it listens, for people."""
        ...

    def start(self) -> None:
        """Take in what comes, in the background."""
        ...

    def stop(self) -> None:
        """Take in nothing new; return when what was received is durable, or cannot be made so."""
        ...


class Listeners:
    """All of them."""

    def __init__(self, receivers: Sequence[AnyReceiver], supply: Supply) -> None:
        self._all: list[Listener] = []
        try:
            for settings in receivers:
                self._all.append(find("receiver", settings.type)(settings, supply))
        except BaseException:
            self.stop()  # frees the ports of those before
            raise

    @property
    def addresses(self) -> list[str]:
        """Where they listen, for people."""
        return [listener.address for listener in self._all]

    def start(self) -> None:
        """Start them, in the order of the configuration."""
        for listener in self._all:
            listener.start()

    def stop(self) -> None:
        """Stop them, all at once: none waits for another's slow peers."""
        if not self._all:
            return
        with ThreadPoolExecutor(len(self._all), thread_name_prefix="stop") as pool:
            for listener, stopping in [(one, pool.submit(one.stop)) for one in self._all]:
                try:
                    stopping.result()
                except Exception:
                    _LOGGER.exception("%s did not stop as it should", listener.address)
