"""A process that waits to be traced, does something, and what was traced of it."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager

from tailrace.sources.trace.columns import Host, decode
from tailrace.sources.trace.request import Wanted, parse
from tailrace.sources.trace.tracing import Tracing, unbalanced

WAIT = "import sys, os, ctypes, socket; print(flush=True); sys.stdin.readline()\n"
"""What the process begins with: all is imported before it waits."""


class Actor:
    """A process that does what a script says, once it is told to."""

    def __init__(self, script, *arguments, before=()):
        command = [*before, sys.executable, "-c", WAIT + script, *map(str, arguments)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.process.stdout.readline()

    @property
    def pid(self):
        return self.process.pid

    def act(self):
        """Have it done, wait for its end; returns what it said."""
        said, _ = self.process.communicate(b"\n", timeout=60)
        assert self.process.returncode == 0
        return said.decode()


@contextmanager
def tracing(wanted, **options):
    """Trace wanted events; gives the trace, which is detached afterwards."""
    trace = Tracing(wanted, **options)
    try:
        trace.start()
        yield trace
    finally:
        trace.close()


def traced(events, script, *arguments, before=(), **more):
    """Return the rows of some events of a process that does something, in their order."""
    actor = Actor(script, *arguments, before=before)
    wanted = [Wanted(one.event, one.program_id, (actor.pid,), **more) for one in parse(events.split())]
    with tracing(wanted) as trace:
        actor.act()
        trace.stop()
        return rows_of(trace)


def rows_of(trace):
    """Return all rows that wait, in their order; the accounts have to close."""
    rows = []
    while records := trace.read(0, 10_000):
        for frame in decode(records, trace.tables, Host.now()):
            rows += frame.iter_rows(named=True)
    assert unbalanced(trace.counters, trace.waiting_bytes) == ""
    return sorted(rows, key=lambda row: row["time_ns"])
