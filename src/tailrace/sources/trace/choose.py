"""Which way to trace works here, and why not the others.

Comes in: settings. Goes out: a reader whose trace runs, or `NoTraceError` with the reason for each way that was
tried and what to do.
"""

from __future__ import annotations

import os
import platform
import shutil
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from tailrace.ebpf.bpf import BpfError, other_ids, unavailable
from tailrace.ebpf.btf import MissingError
from tailrace.ebpf.processes import open_processes
from tailrace.errors import TailraceError
from tailrace.sources.trace.bpftrace import PROGRAM, Bpftrace, BpftraceError
from tailrace.sources.trace.counting import Counting
from tailrace.sources.trace.reader import TraceReader
from tailrace.sources.trace.request import parse
from tailrace.sources.trace.tracing import REFUSED, Tracing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tailrace.clock import Clock
    from tailrace.sources.trace.reader import Trace
    from tailrace.sources.trace.request import Wanted
    from tailrace.sources.trace.settings import TraceSettings


class NoTraceError(TailraceError):
    """System calls cannot be traced here, or by this user."""


def open_reader(
    settings: TraceSettings, clock: Clock, texts: Mapping[str, tuple[str, ...]] | None = None
) -> TraceReader:
    """Return what settings want, traced from now on.

    `texts` says what the first text of events must begin with; other events of the name are left out in the kernel.
    """
    wanted = [
        replace(one, texts=(texts or {}).get(one.event, ())) for one in parse(settings.events, places=settings.paths)
    ]
    reasons: list[str] = []
    for name, start in _WAYS.items():
        if settings.backend in ("auto", name):
            try:
                return TraceReader(start(wanted, settings), open_processes(clock), clock)
            except NoTraceError as error:
                reasons.append(f"{name}: {error}" if settings.backend == "auto" else str(error))
    raise NoTraceError(f"system calls cannot be traced: {'; '.join(reasons)}")


def open_counting(settings: TraceSettings, clock: Clock) -> Counting:
    """Return what settings want, counted in the kernel from now on; that our own programs do alone."""
    reason = unavailable() or other_ids()
    if reason:
        raise NoTraceError(f"system calls cannot be counted: {reason}")
    try:
        counting = Counting(parse(settings.events), open_processes(clock))
    except BpfError as error:
        raise _refused(error) from error
    except MissingError as error:
        raise NoTraceError(f"system calls cannot be counted: {error}") from error
    counting.start()
    return counting


def _by_programs(wanted: Sequence[Wanted], settings: TraceSettings) -> Trace:
    """Start our own programs."""
    reason = unavailable() or other_ids()
    if reason:
        raise NoTraceError(reason)
    try:
        trace = Tracing(wanted, ring_bytes=settings.ring_bytes, buffers=settings.buffers)
    except BpfError as error:
        raise _refused(error) from error
    except MissingError as error:
        raise NoTraceError(str(error)) from error
    try:
        trace.start()
    except BpfError as error:
        trace.close()
        raise _refused(error) from error
    return trace


def _by_bpftrace(wanted: Sequence[Wanted], _settings: TraceSettings) -> Trace:
    """Start bpftrace."""
    if sys.platform != "linux":
        raise NoTraceError("it is a program for Linux")
    if shutil.which(PROGRAM) is None:
        raise NoTraceError("it is not installed")
    trace = Bpftrace(wanted, platform.machine())
    try:
        trace.start()
    except BpftraceError as error:
        raise NoTraceError(str(error)) from error
    return trace


def _refused(error: BpfError) -> NoTraceError:
    what = REFUSED.get(error.errno, "the kernel refuses")
    user = f"; this is user {os.getuid()}" if os.getuid() else ""
    return NoTraceError(f"{what}{user} ({error})")


_WAYS: Final = {"bpf": _by_programs, "bpftrace": _by_bpftrace}
"""Ways to trace, the best first."""
