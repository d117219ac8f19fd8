"""Which way to trace works here, and why not the others.

Comes in: settings. Goes out: a reader whose trace runs, or `NoTraceError` with the reason for each way that was
tried and what to do.
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from tailrace.ebpf.bpf import BpfError, unavailable
from tailrace.ebpf.btf import MissingError
from tailrace.ebpf.processes import open_processes
from tailrace.errors import TailraceError
from tailrace.sources.trace.reader import TraceReader
from tailrace.sources.trace.request import parse
from tailrace.sources.trace.tracing import REFUSED, Tracing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tailrace.clock import Clock
    from tailrace.sources.trace.reader import Trace
    from tailrace.sources.trace.settings import TraceSettings


class NoTraceError(TailraceError):
    """System calls cannot be traced here, or by this user."""


def open_reader(
    settings: TraceSettings, clock: Clock, texts: Mapping[str, tuple[str, ...]] | None = None
) -> TraceReader:
    """Return what settings want, traced from now on.

    `texts` says what the first text of events must begin with; other events of the name are left out in the kernel.
    """
    trace = _opened(settings, texts or {})
    reader = TraceReader(trace, open_processes(clock), clock)
    try:
        reader.start()
    except BpfError as error:
        reader.close()
        raise _refused(error) from error
    return reader


def _opened(settings: TraceSettings, texts: Mapping[str, tuple[str, ...]]) -> Trace:
    reason = unavailable()
    if reason:
        raise NoTraceError(f"system calls cannot be traced here: {reason}")
    wanted = [replace(one, texts=texts.get(one.event, ())) for one in parse(settings.events, places=settings.paths)]
    try:
        return Tracing(wanted, ring_bytes=settings.ring_bytes, buffers=settings.buffers)
    except BpfError as error:
        raise _refused(error) from error
    except MissingError as error:
        raise NoTraceError(f"system calls cannot be traced: {error}") from error


def _refused(error: BpfError) -> NoTraceError:
    what = REFUSED.get(error.errno, "the kernel refuses")
    user = f"; this is user {os.getuid()}" if os.getuid() else ""
    return NoTraceError(f"system calls cannot be traced: {what}{user} ({error})")
