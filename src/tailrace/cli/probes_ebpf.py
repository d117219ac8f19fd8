"""What `tailrace doctor` looks at of eBPF: which programs this kernel loads and attaches, for this user, and why not.

Each kind of program is loaded with two instructions, and a raw tracepoint attached and detached at once: nothing stays.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Final

from tailrace.cli.probes import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tailrace.ebpf.bpf import ProgramKind

_KINDS: Final[tuple[ProgramKind, ...]] = ("kprobe", "tracepoint")
_WITHOUT: Final = "file events know fewer of the processes behind them, and `tailrace trace` does not work"
_RIGHTS: Final = "run it as root, or give it CAP_BPF and CAP_PERFMON"


def ebpf() -> Iterator[Finding]:
    """Look whether system calls can be traced, and processes be watched."""
    from tailrace.ebpf.bpf import BpfError, Handles, unavailable
    from tailrace.ebpf.btf import MissingError, of_this_kernel

    reason = unavailable()
    if reason:
        yield Finding("eBPF", "warn", f"{reason}: {_WITHOUT}", "nothing: it is possible on Linux only")
        return
    try:
        of_this_kernel()
    except MissingError as error:
        yield Finding("eBPF", "warn", f"{error}: {_WITHOUT}", "use a kernel that is built with CONFIG_DEBUG_INFO_BTF")
        return
    try:
        with Handles() as handles:
            handles.attach(handles.load(_nothing(), "nothing"), "sched_process_exec")
    except BpfError as error:
        yield Finding("eBPF", "warn", f"{str(error).splitlines()[0]}: {_WITHOUT}", _RIGHTS)
        return
    yield Finding("eBPF", "ok", f"raw tracepoints work; {_others()}")


def _nothing() -> bytes:
    from tailrace.ebpf.assembler import Program

    return Program().mov(0, 0).exit().build()


def _others() -> str:
    """Say which other kinds of programs could be loaded: they are not needed."""
    from tailrace.ebpf.bpf import BpfError, Handles

    said = []
    for kind in _KINDS:
        try:
            with Handles() as handles:
                handles.load(_nothing(), "nothing", kind)
            said.append(f"{kind} ok")
        except BpfError as error:
            said.append(f"{kind} {error.name}")
    said.append("bpftrace is there" if shutil.which("bpftrace") else "no bpftrace")
    return ", ".join(said)
