"""The reading half as a program of its own: `tailrace agent` follows, reduces, and sends all away.

Comes in: a checked configuration, and how to read it again. Goes out: batches, through the configured sinks; with
`listen` in the configuration, a port for scrapers and supervisors. Refuses a sink that stores, since there is no table
here, receivers, since nobody would check who sends, and an address that other machines reach.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

from tailrace import __version__, limits, memory
from tailrace.access.guard import is_loopback
from tailrace.agent.following import Following, open_checkpoint
from tailrace.agent.wiring import make_sink
from tailrace.clock import SystemClock
from tailrace.config.model import listen_address
from tailrace.errors import ConfigError, Problem
from tailrace.patience import Patience
from tailrace.telemetry import Accounts

if TYPE_CHECKING:
    from collections.abc import Callable

    from tailrace.config.load import Loaded
    from tailrace.config.model import Config

BATCH_BYTES: Final = 16 * limits.MIB
"""Lines of one batch, about: it is held as rows until it is packed, and servers gather batches into commits anyway."""


def run(loaded: Loaded, load: Callable[[], Loaded], announce: Callable[[str], None]) -> None:
    """Follow and send until SIGTERM or SIGINT; returns when all that was read has arrived, or nobody takes it.

    What did not arrive is read again at the next start.
    """
    config = loaded.config
    if config.receivers:
        hint = "have them send to a server, or run 'tailrace up' here"
        raise ConfigError([Problem("$.receivers", "an agent reads, and receives nothing", hint)])
    memory.share_heap()
    clock, accounts = SystemClock(), Accounts()
    patience = Patience(clock)
    checkpoint = open_checkpoint(config, patience)
    with ExitStack() as ending:
        sink = make_sink(config, None, accounts=accounts, clock=clock, patience=patience)
        following = Following(
            loaded,
            load,
            sink,
            checkpoint,
            accounts=accounts,
            clock=clock,
            patience=patience,
            announce=announce,
            batch_bytes=BATCH_BYTES,
        )
        ending.callback(following.close)
        ending.callback(sink.close)
        ending.callback(patience.hurry)  # the sink waits for no server when this ends by a failure
        announce(f"tailrace {__version__} agent {checkpoint.agent}, remembers in {config.data}")
        for warning in checkpoint.warnings:
            announce(f"warning: {warning}")
        if "listen" in config.model_fields_set:
            ending.callback(_serve(config, following, accounts, announce))
        following.run()


def _serve(
    config: Config, following: Following, accounts: Accounts, announce: Callable[[str], None]
) -> Callable[[], None]:
    """Answer scrapes and health checks, and return what ends that."""
    from tailrace.web.exporter import create_app
    from tailrace.web.listen import Listener

    host, port = listen_address(config.listen)
    if not is_loopback(host):
        hint = f"write 127.0.0.1:{port}, or leave it out"
        raise ConfigError([Problem("$.listen", "an agent shows its metrics to this machine only", hint)])
    listener = Listener(host, port)

    def trouble() -> str:
        return "" if following.moves() else "a source has stopped: nothing of it has been taken for a while"

    listener.serve(create_app(accounts.families, tuple, trouble))
    announce(f"metrics: {listener.address}metrics")
    return listener.close
