"""The settings of the source that traces system calls."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from tailrace import limits
from tailrace.errors import ConfigError
from tailrace.settings import Mistake, Mistakes, Settings
from tailrace.sources.trace.request import parse

BackendName = Literal["auto", "bpf", "bpftrace"]


class TraceSettings(Settings):
    """Trace system calls on files and connections: which, by whom, with which arguments and result. Needs root."""

    type: Literal["trace"] = "trace"
    """The kind of source."""

    name: Annotated[str, Field(min_length=1)] = "trace"
    """Name of this source: the label `source` of its events, and their `service_name` unless `labels` says another."""

    events: Annotated[tuple[str, ...], Field(min_length=1)]
    """Events to trace, as `open` or `unlink`; `tailrace trace --list` names them all. `12,13:open` is of two processes
    only, and `7:12:open` marks the event with the program id 7."""

    paths: tuple[str, ...] = ()
    """Files and folders: only events of these, and of what is below them."""

    buffers: bool = False
    """Whether the first 256 bytes of what is read or written are kept too: they may hold secrets."""

    backend: BackendName = "auto"
    """How to learn of calls: `bpf` loads programs of our own, `bpftrace` asks the program of that name, for arguments
    alone; `auto` takes the first that works here."""

    ring_bytes: Annotated[int, Field(ge=4 * limits.KIB, le=limits.GIB)] = 32 * limits.MIB
    """Room in the kernel for events that are not read yet, about 300 bytes each; a power of two. What finds no room is
    lost, and counted."""

    labels: dict[str, str] = Field(default_factory=dict)
    """Further labels of every event."""

    @field_validator("events")
    @classmethod
    def _known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        try:
            parse(value)
        except ConfigError as error:
            raise Mistakes([Mistake(f"{one.where}: {one.what}", one.hint) for one in error.problems]) from None
        return value

    @field_validator("paths")
    @classmethod
    def _absolute(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        wrong = [path for path in value if not path.startswith("/")]
        if wrong:
            raise Mistakes([Mistake(f"{path!r} does not begin at the root", "write the whole path") for path in wrong])
        return value

    @field_validator("ring_bytes")
    @classmethod
    def _power(cls, value: int) -> int:
        if value & (value - 1):
            raise Mistake(f"{value} is no power of two", f"write {1 << value.bit_length()}")
        return value
