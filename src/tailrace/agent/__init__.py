"""The reading half, wired: sources are read and parsed, turns gathered into batches, batches made durable.

One thread per source reads (a *turn*) and hands the lines to parsers beside it; the calling thread gathers turns
in their order into a batch, makes its plan durable in the checkpoint, and hands it to the sink. So reading, parsing
and writing use all cores, and a slow sink stops the readers through bounded queues.

Exactly once: a batch is numbered and planned before it is sent; the table remembers the number with the rows.
After a crash the checkpoint asks the sink for the last number it holds, takes the plans up to it as done, and
everything else is read again from the position before.

What not every agent needs stands in modules that are imported by name: an import in `agent.once` (it brings the table
along), what a configuration asks for in `agent.wiring` (its rules and channels), and `agent.reload`.
"""

from tailrace.agent.lag import STALLED_S, Lag
from tailrace.agent.running import Agent, Change, Progress
from tailrace.agent.signals import reload_on_signal, stop_on_signals

__all__ = [
    "STALLED_S",
    "Agent",
    "Change",
    "Lag",
    "Progress",
    "reload_on_signal",
    "stop_on_signals",
]
