"""The reading half of a program as its configuration asks for it: `up` runs it beside a server, `agent` alone.

Comes in: a checked configuration, how to read it again, the checkpoint and the sink. Goes out: an agent that runs until
SIGTERM or SIGINT, takes over changes of the configuration's file while it runs, and can be asked what it follows and
how far behind it is.
"""

from __future__ import annotations

import threading
from collections import Counter
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

from tailrace import limits
from tailrace.agent import gauges
from tailrace.agent.lag import STALLED_S, Lag
from tailrace.agent.reload import Reload
from tailrace.agent.running import Agent
from tailrace.agent.signals import reload_on_signal, stop_on_signals
from tailrace.agent.wiring import make_parsers, make_reducing, make_source, make_writers
from tailrace.sources.tail.checkpoint import Checkpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tailrace.agent.lag import Late
    from tailrace.clock import Clock
    from tailrace.config.load import Loaded
    from tailrace.config.model import Config
    from tailrace.contracts import Followed, Sink
    from tailrace.patience import Patience
    from tailrace.telemetry import Accounts

_SHOWN: Final = 8  # followed paths that the start names one by one


def open_checkpoint(config: Config, patience: Patience) -> Checkpoint:
    """Return what the agent of a configuration remembers; it belongs to this process until it is closed."""
    return Checkpoint.open(config.data / "agents" / config.agent, agent_name=config.agent, patience=patience)


class Following:
    """An agent with its sources, its reduction, and the means to change both."""

    def __init__(
        self,
        loaded: Loaded,
        load: Callable[[], Loaded],
        sink: Sink,
        checkpoint: Checkpoint,
        *,
        accounts: Accounts,
        clock: Clock,
        patience: Patience,
        announce: Callable[[str], None],
        batch_bytes: int = limits.COMMIT_BYTES,
    ) -> None:
        config = loaded.config
        self._patience, self._clock, self._announce = patience, clock, announce
        self._lag, self._looking = Lag(), threading.Lock()
        self._watched, self._ended = bool(loaded.files), threading.Event()
        reducing = make_reducing(config.spec, accounts)
        self.agent = Agent(
            [make_source(config, one, clock) for one in config.sources],
            sink,
            checkpoint,
            accounts=accounts,
            clock=clock,
            interval_s=config.store.commit_interval_s,
            reduction=reducing.reduction,
            linger=True,
            parsers=make_parsers(config.spec),
            batch_bytes=batch_bytes,
        )
        self._reload = Reload(
            loaded, load, reducing, self.agent.change, accounts=accounts, clock=clock, announce=announce
        )
        self._writers = make_writers(config, accounts, clock)
        gauges.register(self.agent, accounts, self.late)

    def run(self) -> None:
        """Follow until a signal says to stop; returns when all that was read is durable."""
        teller = threading.Thread(target=self._tell, name="tell", daemon=True)
        with ExitStack() as ending:
            ending.callback(self._ended.set)
            ending.enter_context(stop_on_signals(self.stop))
            if self._watched:
                self._reload.start()
                ending.callback(self._reload.stop)
                ending.enter_context(reload_on_signal(self._reload.ask))
            teller.start()
            for writer in self._writers:
                writer.start()
            self.agent.run()

    def stop(self) -> None:
        """Stop reading; what fails from now on, as on a full disk, is not waited for any more."""
        self.agent.stop()
        self._patience.hurry()

    def close(self) -> None:
        """Let the channels of the reduction send what they took, and write metrics for the last time."""
        self._reload.close()
        for writer in self._writers:
            writer.close()

    def followed(self) -> list[Followed]:
        """Return what is followed and what is not, and why."""
        return [item for source in self.agent.sources() for item in source.status()]

    def late(self) -> list[Late]:
        """Return how far behind each source is; any thread may ask."""
        with self._looking:
            return self._lag.look(self._clock.monotonic_s(), self.agent.standings())

    def moves(self) -> bool:
        """Tell whether every source that has something to read gets on with it."""
        return all(one.still_s < STALLED_S for one in self.late())

    def _tell(self) -> None:
        """Say once what is followed and why the rest is not, as soon as the folders were looked at."""
        found = self._finds(50, 0.1)
        self._ended.wait(0.2)
        for line in describe(self.followed()):
            self._announce(line)
        if not found and self._finds(600, 1.0):  # a server was waited for, or the first file came late
            self._ended.wait(0.2)
            for line in describe(self.followed()):
                self._announce(line)

    def _finds(self, looks: int, pause_s: float) -> bool:
        """Wait until something is followed, for so many looks; tell whether something is."""
        for _ in range(looks):
            if self.followed():
                return True
            if self._ended.wait(pause_s):
                return False
        return False


def describe(items: Sequence[Followed]) -> list[str]:
    """Return what is followed and why not the rest, in a few lines."""
    refused = [item for item in items if item.why]
    taken = [item.path for item in items if not item.why]
    lines = [f"following {len(taken)} file{'s' * (len(taken) != 1)}" + (":" if taken else "")]
    lines += [f"  {path}" for path in taken[:_SHOWN]]
    if len(taken) > _SHOWN:
        lines.append(f"  and {len(taken) - _SHOWN} more")
    lines += [f"not followed: {count} {why}" for why, count in Counter(item.why for item in refused).most_common()]
    return lines
