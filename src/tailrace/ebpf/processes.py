"""Who a process id was: the one question that file events and traces have about processes.

A source makes one with `open_processes`, calls `drain` once before it resolves a batch, then `who` for each process of
the batch, or `columns` for all of them at once. Two implementations answer: `watched.WatchedProcesses` is told by the
kernel of every fork, exec and exit, so it knows processes that are gone already; `proc_files.ProcProcesses` looks into
`/proc`, so it knows those that still live, or that it has seen before.

>>> from tailrace.clock import SystemClock
>>> processes = open_processes(SystemClock(), ebpf=False)
>>> import os
>>> processes.who(os.getpid(), SystemClock().now_ns()).pid == os.getpid()
True
>>> processes.close()
"""

from __future__ import annotations

import pwd
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Literal, Protocol

import polars as pl

from tailrace.ecs import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tailrace.clock import Clock

UNSET: Final = 0xFFFF_FFFF
"""Login uid of a process that nobody logged in for."""


@dataclass(frozen=True, slots=True)
class Process:
    """One process as it was from `since_ns` on, until it ran another program or ended."""

    pid: int  # of the process, not of a thread
    parent_pid: int
    name: str  # as `ps` shows it, at most 15 bytes
    executable: str  # absolute path of what runs; empty if it is not known, or for a thread of the kernel
    arguments: tuple[str, ...]  # argv
    uid: int
    gid: int
    login_uid: int | None  # None where nobody logged in
    container_id: str  # empty outside containers
    since_ns: int  # wall clock: when it was made, or ran its program
    confidence: Literal["exact", "inferred"] = "exact"  # inferred: read later than asked for, or next to lost events

    @property
    def command_line(self) -> str:
        """The arguments with spaces between them."""
        return " ".join(self.arguments)


class Processes(Protocol):
    """The processes of this machine, living and just gone.

    One thread calls it. Must: answer from memory, at most with a look into `/proc`; remember a process for
    `KEEP_S` after its end. May: answer None. Must not: raise for a process, whatever it is.
    """

    name: str
    """`ebpf` or `proc`."""

    why: str
    """Why it is not `ebpf`; empty if it is."""

    def drain(self) -> None:
        """Take what happened up to now; to be called before a batch of events is resolved."""
        ...

    def who(self, pid: int, at_ns: int) -> Process | None:
        """Return the process that had an id at a time of the wall clock; None if nobody knows."""
        ...

    @property
    def counters(self) -> Mapping[str, int]:
        """What was seen and what was lost, by name."""
        ...

    def close(self) -> None:
        """Detach and forget."""
        ...


def open_processes(clock: Clock, *, ebpf: bool = True) -> Processes:
    """Return the best table that this machine and this user allow; it says itself which one it is, and why.

    Fed by the kernel it costs about 50 µs for each process of the machine, most of it in `drain`, which should be
    called at least every few seconds: its ring holds about 9,000 short processes.
    """
    from tailrace.ebpf.bpf import BpfError, other_ids
    from tailrace.ebpf.btf import MissingError
    from tailrace.ebpf.proc_files import ProcProcesses

    why = other_ids() if ebpf else "not wanted"
    if why:
        return ProcProcesses(clock, why=why)
    from tailrace.ebpf.watched import WatchedProcesses

    try:
        return WatchedProcesses(clock)
    except (BpfError, MissingError, OSError) as error:
        return ProcProcesses(clock, why=str(error).split("\n")[0])


WHO: Final = (
    "process_pid",
    "process_name",
    "process_executable",
    "process_command_line",
    "process_parent_pid",
    "user_id",
    "user_name",
    "container_id",
)
"""The columns of `columns`, by their names in `tailrace.ecs`."""


def columns(processes: Processes, pids: pl.Series, at_ns: int) -> pl.DataFrame:
    """Return who had these ids at a time, row by row, as the columns `WHO`; each id is looked up once.

    What nobody knows is null, but for the id itself.
    """
    distinct = pids.drop_nulls().unique().to_list()
    known = pl.DataFrame(
        [_row(pid, processes.who(pid, at_ns)) for pid in distinct],
        schema={name: COLUMNS[name] for name in WHO},
        orient="row",
    )
    wanted = pids.cast(pl.Int64).alias("process_pid").to_frame()
    return wanted.join(known, on="process_pid", how="left", maintain_order="left").select(WHO)


def _row(pid: int, found: Process | None) -> tuple[object, ...]:
    if found is None:
        return (pid, *[None] * (len(WHO) - 1))
    return (
        pid,
        found.name or None,
        found.executable or None,
        found.command_line or None,
        found.parent_pid,
        str(found.uid),
        user_name(found.uid),
        found.container_id or None,
    )


@lru_cache(maxsize=4_096)
def user_name(uid: int) -> str | None:
    """Return the name of a user of this machine; remembered for the life of the program."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return None
