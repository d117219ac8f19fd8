"""Trace: what a traced call costs its writer, and what an event costs us from the kernel to a row.

A process opens and closes one file, at full speed: without a trace, with one that wants something else, that counts,
that traces. Rates are those of its own clock, the least of some rounds, since
programs run in the time of whoever makes the call. Then what was written is read, decoded, and made into rows of the
table. Needs root.
"""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING, Final

from bench.measure import Plan, Row, verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CALLS: Final = 100_000
EVENT_US: Final = 15.0
"""Microseconds of one CPU for an event from the ring to a row of the table."""

COST_US: Final = 3.0
"""Microseconds that a traced open with its path may cost the process that makes it."""

_SCRIPT: Final = """
import os, sys, time
print(flush=True); sys.stdin.readline()
before = time.process_time()
for _ in range(int(sys.argv[1])):
    os.close(os.open("/etc/hosts", os.O_RDONLY))
print(time.process_time() - before)
"""


def measure(plan: Plan) -> list[Row]:
    from tailrace.ebpf.bpf import BpfError
    from tailrace.sources.trace.request import parse
    from tailrace.sources.trace.tracing import Tracing

    try:
        Tracing(parse(["mknod"])).close()
    except BpfError as error:
        return [Row("trace", "not possible here", note=str(error).splitlines()[0])]
    rounds = max(3, plan.repeat)
    alone = min(_opens() for _ in range(rounds))
    rows = [Row("trace", "100,000 opens and closes, not traced", seconds=alone, lines=CALLS)]
    for what, words in (("other calls are traced", "1:mknod"), ("opens are traced, with paths", "{}:open")):
        took = min(_traced(words) for _ in range(rounds))
        each = (took - alone) / CALLS * 1e6
        bound = verdict(each <= COST_US)
        rows.append(Row("trace", what, seconds=took, lines=CALLS, verdict=bound, note=f"+{each:.2f} µs a call"))
    took = min(_counted() for _ in range(rounds))
    each = (took - alone) / CALLS * 1e6
    rows.append(
        Row("trace", "opens are counted in the kernel", seconds=took, lines=CALLS, note=f"+{each:.2f} µs a call")
    )
    return [*rows, *_to_rows(), _live()]


def _opens(before: Callable[[int], None] | None = None) -> float:
    """Return the CPU seconds that the calls took the process that makes them."""
    command = [sys.executable, "-c", _SCRIPT, str(CALLS)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        if before is not None:
            before(process.pid)
        said, _ = process.communicate("\n")
    return float(said.split()[-1])


def _traced(words: str) -> float:
    from tailrace.sources.trace.request import parse
    from tailrace.sources.trace.tracing import Tracing

    traces = []

    def start(pid: int) -> None:
        traces.append(Tracing(parse([words.format(pid)]), ring_bytes=64 << 20))
        traces[0].start()

    try:
        return _opens(start)
    finally:
        traces[0].close()


def _counted() -> float:
    from tailrace.clock import SystemClock
    from tailrace.ebpf.processes import open_processes
    from tailrace.sources.trace.counting import Counting
    from tailrace.sources.trace.request import parse

    counts = []

    def start(pid: int) -> None:
        counts.append(Counting(parse([f"{pid}:open"]), open_processes(SystemClock(), ebpf=False)))
        counts[0].start()

    try:
        return _opens(start)
    finally:
        counts[0].close()


def _to_rows() -> Iterator[Row]:
    """Yield what an event costs: read, decoded, written as a document, parsed to a row."""
    from tailrace.contracts import Block, Origin, Reading
    from tailrace.parse.chain import Chain
    from tailrace.sources.trace.columns import Host, decode
    from tailrace.sources.trace.documents import lines
    from tailrace.sources.trace.request import parse
    from tailrace.sources.trace.source import EVENTS
    from tailrace.sources.trace.tracing import Tracing

    traces = []

    def start(pid: int) -> None:
        traces.append(Tracing(parse([f"{pid}:open"]), ring_bytes=64 << 20))
        traces[0].start()

    _opens(start)
    trace = traces[0]
    trace.stop()
    chain, origin = Chain(), Origin("trace", {"source": "trace"}, Reading("json"))
    spent = {"read from the ring": 0.0, "decoded into columns": 0.0, "written as documents": 0.0, "parsed to rows": 0.0}
    count, host = 0, Host.now()
    while True:
        at = [time.process_time()]
        records = trace.read(0, EVENTS)
        at.append(time.process_time())
        if not records:
            break
        frames = decode(records, trace.tables, host)
        at.append(time.process_time())
        data = lines(frames)
        at.append(time.process_time())
        count += len(chain.parse([Block(origin, 0, data, 0)]).frame)
        at.append(time.process_time())
        for name, before, after in zip(spent, at, at[1:], strict=False):
            spent[name] += after - before
    counters = trace.counters
    trace.close()
    for name, seconds in spent.items():
        yield Row("trace", name, cpu_s=seconds, lines=count, note=f"{seconds / count * 1e6:.2f} µs an event")
    total = sum(spent.values()) / count * 1e6
    lost = counters["ring_full"] + counters["start_full"]
    note = f"{total:.2f} µs an event; {count:,} rows + {lost:,} lost of {CALLS:,} calls"
    good = total <= EVENT_US and count + lost == CALLS
    yield Row(
        "trace", "from the ring to rows", cpu_s=sum(spent.values()), lines=count, verdict=verdict(good), note=note
    )


def _live() -> Row:
    """Return how many of the calls are read while they are made, with the default ring."""
    from tailrace.sources.trace.request import parse
    from tailrace.sources.trace.tracing import Tracing

    command = [sys.executable, "-c", _SCRIPT, str(CALLS)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()
        trace = Tracing(parse([f"{process.pid}:open"]))
        trace.start()
        begun, before = time.perf_counter(), time.process_time()
        process.stdin.write("\n")
        process.stdin.flush()
        read = 0
        while process.poll() is None or trace.waiting_bytes:
            read += len(trace.read(0.02, 20_000))
        spent, took = time.process_time() - before, time.perf_counter() - begun
        counters = trace.counters
        trace.close()
    lost = counters["ring_full"] + counters["start_full"]
    note = f"{read:,} read + {lost:,} lost"
    good = verdict(read + lost == CALLS)
    return Row("trace", "read while they are made", seconds=took, cpu_s=spent, lines=read, verdict=good, note=note)
