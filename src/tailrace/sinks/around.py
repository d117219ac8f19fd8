"""What a sink is given beside its settings: where it may keep things, who runs it, what it reports to.

A class in the registry's table of sinks is made as `Class(settings, around)`; the one that stores, `store`, is made by
the wiring, since it needs the table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from tailrace.clock import Clock
    from tailrace.patience import Patience
    from tailrace.telemetry import Accounts


@dataclass(frozen=True, slots=True)
class Around:
    """The surroundings of one sink."""

    name: str  # of the sink, unique in the configuration
    data: Path  # the local data folder
    agent: str  # name of the agent, as configured
    host: str
    clock: Clock
    accounts: Accounts
    patience: Patience  # shared by all that write for this program; `hurry` ends its waiting when it stops

    @property
    def folder(self) -> Path:
        """Return the folder for what the sink itself remembers; not made yet."""
        return self.data / "sinks" / self.agent / self.name

    @property
    def dead_letters(self) -> Path:
        """Return the folder of what the sink had to set aside; not made yet."""
        return self.data / "dead-letters" / self.name
